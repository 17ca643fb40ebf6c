//! Remote audio streams: which source on the wire is whose track.
//!
//! Media sections are used again: when a track ends, the next one comes on the same section with another source. The
//! answer's `mid_to_track_id` says what a section carries now; with two connections the stream id names the track.

use std::collections::{BTreeMap, HashMap};

use super::roster::Roster;

/// Streams on one session; more are not reported.
const MOST: usize = 256;

/// The streams that are there now.
#[derive(Debug, Default)]
pub(super) struct Streams {
    mids: HashMap<String, String>,
    streams: BTreeMap<u32, Stream>,
}

#[derive(Debug, PartialEq, Eq)]
struct Stream {
    mid: String,
    /// Empty when neither the answer nor the stream id names it.
    track: String,
    participant: String,
}

impl Streams {
    /// What the sections carry from now on; returns the sources that are over.
    pub(super) fn set_sections(&mut self, mids: HashMap<String, String>) -> Vec<u32> {
        self.mids = mids;
        let mids = &self.mids;
        drain(&mut self.streams, |stream| mids.get(&stream.mid).is_some_and(|track| *track == stream.track))
    }

    /// A stream is there. Returns the sources it takes the place of, and its identity unless it was known.
    pub(super) fn appeared(
        &mut self,
        mid: String,
        stream: &str,
        ssrc: u32,
        roster: &Roster,
    ) -> (Vec<u32>, Option<String>) {
        let (participant, named) = stream.split_once('|').unwrap_or((stream, ""));
        let track = match self.mids.get(&mid) {
            Some(track) => track.clone(),
            None if named.starts_with("TR_") => named.to_owned(),
            None => self.unclaimed(participant, roster),
        };
        let participant = roster.publisher(&track).unwrap_or(participant).to_owned();
        let identity = roster.identity(&participant).unwrap_or_default().to_owned();
        let new = Stream { mid, track, participant };
        if self.streams.get(&ssrc) == Some(&new) {
            return (Vec::new(), None);
        }
        let gone = drain(&mut self.streams, |old| old.mid != new.mid);
        if self.streams.len() >= MOST {
            return (gone, None);
        }
        self.streams.insert(ssrc, new);
        (gone, Some(identity))
    }

    /// Forgets streams whose track or participant is gone or not listened to any more; returns their sources.
    pub(super) fn retain(&mut self, roster: &Roster) -> Vec<u32> {
        drain(&mut self.streams, |stream| {
            if stream.track.is_empty() {
                roster.subscribed_of(&stream.participant).next().is_some()
            } else {
                roster.subscribed().contains(&stream.track)
            }
        })
    }

    /// The peer connections are gone, and with them all streams; returns their sources.
    pub(super) fn clear(&mut self) -> Vec<u32> {
        self.mids.clear();
        std::mem::take(&mut self.streams).into_keys().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    /// A track of the participant that we listen to and that has no stream yet.
    fn unclaimed(&self, participant: &str, roster: &Roster) -> String {
        let free = |track: &&String| !self.streams.values().any(|stream| stream.track == **track);
        roster.subscribed_of(participant).find(free).cloned().unwrap_or_default()
    }
}

fn drain(streams: &mut BTreeMap<u32, Stream>, keep: impl Fn(&Stream) -> bool) -> Vec<u32> {
    let gone: Vec<u32> = streams.iter().filter(|(_, stream)| !keep(stream)).map(|(ssrc, _)| *ssrc).collect();
    streams.retain(|_, stream| keep(stream));
    gone
}

#[cfg(test)]
mod tests {
    use livekit_protocol as proto;

    use super::*;

    fn roster(tracks: &[&str]) -> Roster {
        let track = |sid: &&str| proto::TrackInfo { sid: (*sid).into(), ..Default::default() };
        let mut roster = Roster::default();
        roster.reset(&[proto::ParticipantInfo {
            sid: "PA_1".into(),
            identity: "agent".into(),
            state: proto::participant_info::State::Active as i32,
            tracks: tracks.iter().map(track).collect(),
            ..Default::default()
        }]);
        roster.reconcile(true);
        roster
    }

    fn sections(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(mid, track)| ((*mid).into(), (*track).into())).collect()
    }

    #[test]
    fn a_section_used_again_ends_the_stream_it_had() {
        let roster = roster(&["TR_a", "TR_b"]);
        let mut streams = Streams::default();
        streams.set_sections(sections(&[("1", "TR_a")]));
        assert_eq!(streams.appeared("1".into(), "PA_1|x", 10, &roster), (vec![], Some("agent".into())));
        assert_eq!(streams.appeared("1".into(), "PA_1|x", 10, &roster), (vec![], None), "told on each negotiation");
        assert_eq!(streams.set_sections(sections(&[("1", "TR_b")])), [10]);
        assert_eq!(streams.appeared("1".into(), "PA_1|x", 11, &roster), (vec![], Some("agent".into())));
        assert_eq!(streams.appeared("1".into(), "PA_1|x", 12, &roster), (vec![11], Some("agent".into())));
        assert_eq!(streams.len(), 1);
    }

    #[test]
    fn streams_that_left_the_answer_are_forgotten() {
        let roster = roster(&["TR_a", "TR_b"]);
        let mut streams = Streams::default();
        streams.set_sections(sections(&[("1", "TR_a"), ("2", "TR_b")]));
        streams.appeared("1".into(), "", 10, &roster);
        streams.appeared("2".into(), "", 20, &roster);
        assert_eq!(streams.set_sections(sections(&[("2", "TR_b")])), [10]);
        assert_eq!(streams.clear(), [20]);
    }

    #[test]
    fn the_stream_id_names_the_track_where_the_answer_does_not() {
        let cases = [
            ("track named", "PA_1|TR_b", "TR_b"),
            ("source named", "PA_1|microphone", "TR_a"),
            ("participant alone", "PA_1", "TR_a"),
            ("stranger", "PA_9|camera", ""),
        ];
        for (name, stream, track) in cases {
            let mut streams = Streams::default();
            streams.appeared("3".into(), stream, 30, &roster(&["TR_a", "TR_b"]));
            assert_eq!(streams.streams[&30].track, track, "{name}");
        }
    }

    #[test]
    fn what_is_not_listened_to_is_gone() {
        let mut roster = roster(&["TR_a"]);
        let mut streams = Streams::default();
        streams.appeared("1".into(), "PA_1|TR_a", 10, &roster);
        assert!(streams.retain(&roster).is_empty());
        roster.reconcile(false);
        assert_eq!(streams.retain(&roster), [10]);
    }
}

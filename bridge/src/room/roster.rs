//! Who is in the room, what they publish, and which of it we listen to.

use std::collections::{BTreeMap, BTreeSet};

use livekit_protocol as proto;

use super::Audience;

/// Participants that are kept track of; the server has limits of its own, these hold against a broken one.
const MAX_PARTICIPANTS: usize = 4_096;
/// Audio tracks of one participant.
const MAX_TRACKS: usize = 32;
/// Tracks we listen to at once. More voices than that are no conversation.
const MAX_SUBSCRIPTIONS: usize = 64;

/// The others in a room. Ours is not among them.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// By participant id, which grows with nothing but is stable.
    others: BTreeMap<String, Other>,
    subscribed: BTreeSet<String>,
}

#[derive(Debug)]
struct Other {
    identity: String,
    kind: proto::participant_info::Kind,
    audio: BTreeSet<String>,
}

/// What to tell the server about our subscriptions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) add: Vec<String>,
    pub(super) remove: Vec<String>,
}

impl Roster {
    /// Begins anew with those who were there at a join.
    pub(super) fn reset(&mut self, others: &[proto::ParticipantInfo]) {
        *self = Self::default();
        for other in others {
            self.update(other);
        }
    }

    /// Takes in the state of one participant: all of it, not a difference.
    pub(super) fn update(&mut self, info: &proto::ParticipantInfo) {
        if info.state() == proto::participant_info::State::Disconnected {
            self.others.remove(&info.sid);
            return;
        }
        let known = self.others.contains_key(&info.sid);
        if info.sid.is_empty() || (!known && self.others.len() >= MAX_PARTICIPANTS) {
            return;
        }
        // The same identity under a new id has joined again; its former self is gone, told or not.
        if !known {
            self.others.retain(|_, other| other.identity != info.identity);
        }
        let audio = info.tracks.iter().filter(|track| track.r#type() == proto::TrackType::Audio);
        let audio = audio.map(|track| track.sid.clone()).take(MAX_TRACKS).collect();
        self.others.insert(info.sid.clone(), Other { identity: info.identity.clone(), kind: info.kind(), audio });
    }

    /// Brings our subscriptions in line with who is there; only differences come out.
    pub(super) fn reconcile(&mut self, listening: bool) -> Changes {
        let there: BTreeSet<&String> = self.others.values().flat_map(|other| &other.audio).collect();
        // A track that is gone needs no word: its subscription went with it.
        self.subscribed.retain(|track| there.contains(track));
        if !listening {
            return Changes { add: Vec::new(), remove: std::mem::take(&mut self.subscribed).into_iter().collect() };
        }
        let room = MAX_SUBSCRIPTIONS.saturating_sub(self.subscribed.len());
        let new = there.into_iter().filter(|track| !self.subscribed.contains(*track));
        let add: Vec<String> = new.take(room).cloned().collect();
        self.subscribed.extend(add.iter().cloned());
        Changes { add, remove: Vec::new() }
    }

    /// Subscriptions that the server has dropped on its own are to be asked for again.
    pub(super) fn forget_subscriptions(&mut self) {
        self.subscribed.clear();
    }

    /// One subscription that the server has dropped on its own is to be asked for again.
    pub(super) fn forget_subscription(&mut self, track: &str) {
        self.subscribed.remove(track);
    }

    pub(super) fn subscribed(&self) -> &BTreeSet<String> {
        &self.subscribed
    }

    pub(super) fn identity(&self, participant: &str) -> Option<&str> {
        self.others.get(participant).map(|other| other.identity.as_str())
    }

    /// The participant that publishes a track.
    pub(super) fn publisher(&self, track: &str) -> Option<&str> {
        self.others.iter().find(|(_, other)| other.audio.contains(track)).map(|(sid, _)| sid.as_str())
    }

    /// The tracks of a participant that we listen to.
    pub(super) fn subscribed_of(&self, participant: &str) -> impl Iterator<Item = &String> {
        let audio = self.others.get(participant).map(|other| &other.audio);
        audio.into_iter().flatten().filter(|track| self.subscribed.contains(*track))
    }

    /// Whether there is a participant of this identity.
    pub(super) fn is_there(&self, identity: &str) -> bool {
        self.others.values().any(|other| other.identity == identity)
    }

    pub(super) fn len(&self) -> usize {
        self.others.len()
    }

    pub(super) fn audience(&self, heard: usize) -> Audience {
        use proto::participant_info::Kind;
        let mut audience = Audience { heard, ..Audience::default() };
        // A recorder is no audience.
        for other in self.others.values().filter(|other| other.kind != Kind::Egress) {
            audience.participants += 1;
            audience.sip += usize::from(other.kind == Kind::Sip);
            audience.agents += usize::from(other.kind == Kind::Agent);
            audience.audio_tracks += other.audio.len();
        }
        audience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::participant_info::{Kind, State};

    fn info(sid: &str, kind: Kind, tracks: &[(&str, proto::TrackType)]) -> proto::ParticipantInfo {
        let track = |(sid, kind): &(&str, proto::TrackType)| proto::TrackInfo {
            sid: (*sid).into(),
            r#type: *kind as i32,
            ..Default::default()
        };
        proto::ParticipantInfo {
            sid: sid.into(),
            identity: format!("id-{sid}"),
            state: State::Active as i32,
            kind: kind as i32,
            tracks: tracks.iter().map(track).collect(),
            ..Default::default()
        }
    }

    fn changes(add: &[&str], remove: &[&str]) -> Changes {
        let owned = |list: &[&str]| list.iter().map(|sid| (*sid).to_owned()).collect();
        Changes { add: owned(add), remove: owned(remove) }
    }

    #[test]
    fn audio_is_subscribed_and_nothing_else() {
        use proto::TrackType::{Audio, Data, Video};
        let mut roster = Roster::default();
        roster.reset(&[info("PA_1", Kind::Standard, &[("TR_a", Audio), ("TR_v", Video), ("TR_d", Data)])]);
        assert_eq!(roster.reconcile(true), changes(&["TR_a"], &[]));
        assert_eq!(roster.reconcile(true), changes(&[], &[]), "asked for once");
        roster.update(&info("PA_2", Kind::Agent, &[("TR_b", Audio)]));
        assert_eq!(roster.reconcile(true), changes(&["TR_b"], &[]), "also those who come later");
        assert_eq!(roster.reconcile(false), changes(&[], &["TR_a", "TR_b"]));
        assert_eq!(roster.reconcile(true), changes(&["TR_a", "TR_b"], &[]));
    }

    #[test]
    fn a_republished_track_is_subscribed_afresh() {
        use proto::TrackType::Audio;
        let mut roster = Roster::default();
        roster.reset(&[info("PA_1", Kind::Standard, &[("TR_a", Audio)])]);
        roster.reconcile(true);
        roster.update(&info("PA_1", Kind::Standard, &[]));
        assert_eq!(roster.reconcile(true), changes(&[], &[]));
        roster.update(&info("PA_1", Kind::Standard, &[("TR_b", Audio)]));
        assert_eq!(roster.reconcile(true), changes(&["TR_b"], &[]));
        assert_eq!(roster.subscribed_of("PA_1").collect::<Vec<_>>(), ["TR_b"]);
    }

    #[test]
    fn the_audience_counts_who_can_hear_or_speak() {
        use proto::TrackType::Audio;
        let mut roster = Roster::default();
        let there = [
            info("PA_1", Kind::Standard, &[("TR_a", Audio)]),
            info("PA_2", Kind::Agent, &[("TR_b", Audio)]),
            info("PA_3", Kind::Sip, &[]),
            info("PA_4", Kind::Egress, &[]),
        ];
        roster.reset(&there);
        let audience = Audience { participants: 3, sip: 1, agents: 1, audio_tracks: 2, heard: 1 };
        assert_eq!(roster.audience(1), audience);
        roster.update(&proto::ParticipantInfo { state: State::Disconnected as i32, ..there[1].clone() });
        assert_eq!(roster.audience(0), Audience { participants: 2, agents: 0, audio_tracks: 1, heard: 0, ..audience });
    }

    #[test]
    fn whoever_joins_again_is_there_once() {
        let mut roster = Roster::default();
        roster.reset(&[info("PA_1", Kind::Standard, &[])]);
        let mut again = info("PA_2", Kind::Standard, &[]);
        again.identity = "id-PA_1".into();
        roster.update(&again);
        assert_eq!(roster.audience(0).participants, 1);
        assert_eq!((roster.identity("PA_1"), roster.identity("PA_2")), (None, Some("id-PA_1")));
    }

    #[test]
    fn everything_is_bounded() {
        use proto::TrackType::Audio;
        let mut roster = Roster::default();
        let sids: Vec<String> = (0..1_000).map(|n| format!("TR_{n}")).collect();
        let tracks: Vec<_> = sids.iter().map(|sid| (sid.as_str(), Audio)).collect();
        roster.update(&info("PA_many", Kind::Standard, &tracks));
        assert_eq!(roster.audience(0).audio_tracks, MAX_TRACKS);
        for n in 0..MAX_PARTICIPANTS + 10 {
            let sid = format!("TR_of_{n}");
            roster.update(&info(&format!("PA_{n}"), Kind::Standard, &[(&sid, Audio)]));
        }
        assert_eq!(roster.audience(0).participants, MAX_PARTICIPANTS);
        assert_eq!(roster.reconcile(true).add.len(), MAX_SUBSCRIPTIONS);
    }
}

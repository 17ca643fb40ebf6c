//! A body that is passed on as it flows, and not waited for without end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// The same body; it breaks off when nothing of it has come for so long while it was waited for.
pub(super) fn patient(body: Body, patience: Duration) -> Body {
    wrapped(body, patience, None)
}

/// The same; it breaks off as well when it comes more slowly than that.
pub(super) fn paced(body: Body, patience: Duration, pace: Pace) -> Body {
    wrapped(body, patience, Some(pace))
}

fn wrapped(body: Body, patience: Duration, pace: Option<Pace>) -> Body {
    // Nothing to wait for: most requests that are no POST.
    if body.is_end_stream() {
        return body;
    }
    Body::new(Patient { body, patience, pace, wait: None })
}

struct Patient {
    body: Body,
    patience: Duration,
    pace: Option<Pace>,
    /// Somebody waits for the next frame. Time that the reader takes for himself does not count.
    wait: Option<Wait>,
}

struct Wait {
    since: Instant,
    limit: Pin<Box<Sleep>>,
}

/// The least that has to come while it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    least: usize,
    window: Duration,
    came: usize,
    waited: Duration,
}

impl Pace {
    /// So many bytes in each such time of waiting.
    pub(super) const fn new(least: usize, window: Duration) -> Self {
        Self { least, window, came: 0, waited: Duration::ZERO }
    }

    /// So many bytes came after such a wait. `false`: it is too slow.
    fn keeps(&mut self, bytes: usize, waited: Duration) -> bool {
        self.came = self.came.saturating_add(bytes);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < self.window {
            return true;
        }
        let kept = self.came >= self.least;
        *self = Self::new(self.least, self.window);
        kept
    }
}

impl Patient {
    /// Whether what came is in time: the last piece always is, as it ends the matter.
    fn is_in_time(&mut self, frame: &Frame<Bytes>) -> bool {
        let waited = self.wait.take().map_or(Duration::ZERO, |wait| wait.since.elapsed());
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.pace.as_mut().is_none_or(|pace| pace.keeps(bytes, waited)) || self.body.is_end_stream()
    }
}

/// The other end has stopped in the middle.
#[derive(Debug, thiserror::Error)]
#[error("nothing came for {} s", .0.as_secs())]
struct Stalled(Duration);

/// The other end sends next to nothing.
#[derive(Debug, thiserror::Error)]
#[error("less than {} bytes came within {} s", .0.least, .0.window.as_secs())]
struct Slow(Pace);

impl HttpBody for Patient {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            let is_late = matches!(&frame, Some(Ok(frame)) if !self.is_in_time(frame));
            return Poll::Ready(match self.pace {
                Some(pace) if is_late => Some(Err(Slow(pace).into())),
                _ => frame.map(|frame| frame.map_err(Into::into)),
            });
        }
        let patience = self.patience;
        let wait = self.wait.get_or_insert_with(|| {
            let since = Instant::now();
            Wait { since, limit: Box::pin(tokio::time::sleep_until(since + patience)) }
        });
        ready!(wait.limit.as_mut().poll(cx));
        Poll::Ready(Some(Err(Stalled(patience).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};

    use super::*;

    #[test]
    fn who_is_slow_is_told_from_who_trickles() {
        /// Bytes, and the seconds that they were waited for.
        type Piece = (usize, u64);
        let cases: &[(&str, &[Piece], bool)] = &[
            ("a small body, late", &[(300, 59)], true),
            ("a byte a minute", &[(1, 59), (1, 59)], false),
            ("a byte a second", &[(1, 1); 60], false),
            ("2 KiB a second", &[(2_048, 1); 600], true),
            ("16 KiB at once, each minute", &[(16_384, 60); 10], true),
            ("just too little", &[(16_383, 60)], false),
            ("what came at first is no credit for ever", &[(10_000_000, 1), (1, 59), (1, 60)], false),
            ("a reader that takes its time", &[(1, 0); 10_000], true),
        ];
        for (name, pieces, expected) in cases {
            let mut pace = Pace::new(16 * 1024, Duration::from_secs(60));
            let kept = pieces.iter().all(|&(bytes, waited)| pace.keeps(bytes, Duration::from_secs(waited)));
            assert_eq!(kept, *expected, "{name}");
        }
    }

    #[tokio::test]
    async fn an_upload_that_trickles_breaks_off() {
        let trickle = stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"x"))
        });
        let pace = Pace::new(1_000, Duration::from_millis(20));
        let body = paced(Body::from_stream(trickle), Duration::from_secs(60), pace).into_data_stream();
        let mut broken = Box::pin(body.take(100).filter_map(|piece| async { piece.err() }));
        let error = broken.next().await.expect("it breaks off");
        assert!(error.to_string().contains("less than 1000 bytes came"), "{error}");
    }
}

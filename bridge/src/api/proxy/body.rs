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
    // Nothing to wait for: most requests that are no POST.
    if body.is_end_stream() {
        return body;
    }
    Body::new(Patient { body, patience, limit: None })
}

struct Patient {
    body: Body,
    patience: Duration,
    /// Since somebody waits for the next frame. Time that the reader takes for himself does not count.
    limit: Option<Pin<Box<Sleep>>>,
}

/// The other end has stopped in the middle.
#[derive(Debug, thiserror::Error)]
#[error("nothing came for {} s", .0.as_secs())]
struct Stalled(Duration);

impl HttpBody for Patient {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.limit = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let patience = self.patience;
        let limit = self.limit.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        ready!(limit.as_mut().poll(cx));
        Poll::Ready(Some(Err(Stalled(patience).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

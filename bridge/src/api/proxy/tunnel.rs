//! Two connections that have become one stream of bytes each way.

use std::io;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

/// For both ends to hand their connections over, once they have said so.
const SWITCH_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes on the way, each way. Signal messages are a few hundred, with rare ones of some kilobytes.
const BUFFER: usize = 8 * 1024;
/// For an end to take what the other has sent.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long one end may be silent after the other has said its last. A WebSocket has no half (RFC 6455 §7.1.1), so what
/// is still to come is on its way.
const LINGER: Duration = Duration::from_millis(500);

/// Copies between the two until both have ended, or one is gone.
pub(super) fn open(client: OnUpgrade, server: OnUpgrade, place: OwnedSemaphorePermit) {
    tokio::spawn(async move {
        // The place is free again when the tunnel is over, whatever ended it.
        let _place = place;
        match timeout(SWITCH_PATIENCE, async { tokio::try_join!(client, server) }).await {
            Ok(Ok((client, server))) => {
                if let Err(error) = copy(client, server).await {
                    tracing::debug!(%error, "a WebSocket through us has broken off");
                }
            }
            Ok(Err(error)) => tracing::debug!(%error, "a WebSocket through us was not opened"),
            Err(_) => tracing::debug!("a WebSocket through us was not opened in time"),
        }
    });
}

async fn copy(client: Upgraded, server: Upgraded) -> io::Result<()> {
    let (client_in, client_out) = tokio::io::split(TokioIo::new(client));
    let (server_in, server_out) = tokio::io::split(TokioIo::new(server));
    both(client_in, server_out, server_in, client_out).await
}

async fn both(
    client_in: impl AsyncRead + Unpin,
    server_out: impl AsyncWrite + Unpin,
    server_in: impl AsyncRead + Unpin,
    client_out: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (up_over, up_seen) = watch::channel(false);
    let (down_over, down_seen) = watch::channel(false);
    let up = one_way(client_in, server_out, down_seen, up_over);
    let down = one_way(server_in, client_out, up_seen, down_over);
    tokio::try_join!(up, down).map(drop)
}

/// Copies one way until its end, and passes the end on.
async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut other: watch::Receiver<bool>,
    over: watch::Sender<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = tokio::select! {
            count = from.read(&mut buffer) => count?,
            () = last_words(&mut other) => 0,
        };
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        timeout(WRITE_PATIENCE, async {
            to.write_all(bytes).await?;
            to.flush().await
        })
        .await??;
    }
    over.send_replace(true);
    timeout(WRITE_PATIENCE, to.shutdown()).await?
}

/// Until the other way has been over for a while.
async fn last_words(other: &mut watch::Receiver<bool>) {
    // A sender that is gone has ended too.
    let _ = other.wait_for(|over| *over).await;
    sleep(LINGER).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn what_is_said_after_one_end_has_stopped_still_arrives() {
        let ((mut client, ours), (theirs, mut server)) = (duplex(64), duplex(64));
        let ((ours_in, ours_out), (theirs_in, theirs_out)) = (tokio::io::split(ours), tokio::io::split(theirs));
        let tunnel = tokio::spawn(both(ours_in, theirs_out, theirs_in, ours_out));
        client.write_all(b"bye").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        server.write_all(&[b'x'; 32]).await.ok();
        assert_eq!(heard, "bye");
        drop(server);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [b'x'; 32]);
        tunnel.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_end_that_stays_behind_alone_is_let_go_within_a_second() {
        let ((client, ours), (theirs, server)) = (duplex(64), duplex(64));
        let ((ours_in, ours_out), (theirs_in, theirs_out)) = (tokio::io::split(ours), tokio::io::split(theirs));
        let tunnel = tokio::spawn(both(ours_in, theirs_out, theirs_in, ours_out));
        sleep(LINGER + Duration::from_millis(100)).await;
        assert!(!tunnel.is_finished(), "silence is no end");
        let since = Instant::now();
        drop(client);
        tunnel.await.unwrap().unwrap();
        assert!(since.elapsed() < Duration::from_secs(1));
        drop(server);
    }
}

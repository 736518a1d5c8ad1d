//! The accept loop. In: a listener, a router, limits. Out: runs until `stop`, then lets what is in flight end, and returns.
//!
//! `axum::serve` gives hyper no timer, so that a client which never finishes its headers keeps its socket for ever.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    connection_limit::Guests,
    connection_state::{Phase, Watch},
    log_throttle::Flood,
    respond::Answers,
    tracked_stream::Wire,
};
use crate::http::{Limits, network, problem::HEAD_TOO_SLOW};

/// How exactly time limits of connections are kept.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// When no file can be opened, or memory is short: not a hot loop.
const AFTER_ERROR: Duration = Duration::from_millis(50);
const HEADERS: usize = 64;
const HEAD_BYTES: usize = 16 * 1024;
const BUFFER: usize = 64 * 1024;
/// How long, and how much, is read on after the last answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_PARTS: usize = 128;
const PART: usize = 8 * 1024;

/// Serves until `stop`, and for at most [`Limits::drain`] longer.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let answers = Answers::new(router, limits);
    let mut guests = Guests::new(limits);
    let mut connections = JoinSet::new();
    let (refusals, failures) = (Flood::default(), Flood::default());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next_with_id() => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(error) => {
                        if error.is_panic() {
                            tracing::error!("a connection's task panicked");
                        }
                        error.id()
                    }
                };
                guests.left(id);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let now = Instant::now();
                let network = network(peer.ip());
                // Everybody is being answered: the socket is closed, and the client will come again.
                if !guests.make_room(network, now) {
                    if let Some(refused) = refusals.happened(now.into_std()) {
                        tracing::warn!(refused, "connections were refused: all others are being answered");
                    }
                    continue;
                }
                let watch = Arc::new(Watch::new());
                let answers = answers.clone();
                let connection = connection(stream, peer, answers, Arc::clone(&watch), limits, stop.clone());
                guests.arrived(network, watch, connections.spawn(connection));
            }
            // The client went away before we came.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                let now = Instant::now();
                // Not by the line: it may come some twenty times a second.
                if let Some(times) = failures.happened(now.into_std()) {
                    tracing::error!(%error, times, "connections cannot be accepted; those that wait longest are closed to make room");
                }
                guests.no_more_than_now(now);
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, ended).await.is_err() {
        tracing::debug!(connections = connections.len(), "connections are closed in the middle of a request");
    }
    connections.shutdown().await;
}

fn is_the_clients(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    answers: Answers,
    watch: Arc<Watch>,
    limits: Limits,
    stop: CancellationToken,
) {
    // Answers are small; without this the second one on a connection may wait 40 ms for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a socket is gone already");
    }
    let service = service_fn(|request: Request<Incoming>| {
        Box::pin(async {
            let response = answers.answer(request, &watch, peer).await;
            watch.answered();
            Ok::<_, Infallible>(response)
        })
    });
    let io = TokioIo::new(Wire::new(stream, Arc::clone(&watch)));
    let mut serving = http1::Builder::new()
        // `watch` keeps the time: hyper's one limit would not tell a slow head from an idle connection.
        .header_read_timeout(None)
        // Who has sent all and says so by closing that half of the connection still wants the answer.
        .half_close(true)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                // From here on it may be closed for somebody else's sake.
                watch.answered();
                let stream = serving.into_parts().io.into_inner().into_inner();
                return if !stopping { linger(stream).await };
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                // Whose request is not even whole has nothing to lose.
                if let Phase::New(_) | Phase::Head(_) = watch.phase() {
                    return;
                }
                std::pin::Pin::new(&mut serving).graceful_shutdown();
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                let phase = watch.phase();
                if phase.is_over(&limits, Instant::now()) {
                    let slow = matches!(phase, Phase::Head(_));
                    let stream = serving.into_parts().io.into_inner().into_inner();
                    return if slow { say_too_slow(stream).await };
                }
            }
        }
    }
}

/// Reads on for a moment what nobody wants any more: a socket that is closed with bytes unread resets the connection, and the
/// client may lose the answer that it was just sent (RFC 9112, 9.6).
async fn linger(mut stream: TcpStream) {
    let mut part = vec![0; PART];
    let to_the_end = async {
        stream.shutdown().await?;
        for _ in 0..LINGER_PARTS {
            if stream.read(&mut part).await? == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    if !matches!(tokio::time::timeout(LINGER, to_the_end).await, Ok(Ok(()))) {
        tracing::debug!("a client went on sending after its answer, or was gone");
    }
}

/// A last word to a client whose head did not become whole. It is not waited for: whoever does not read does not hear it.
async fn say_too_slow(mut stream: TcpStream) {
    let words = HEAD_TOO_SLOW.last_words();
    let said = tokio::time::timeout(LOOK_EVERY, stream.write_all(&words)).await;
    if !matches!(said, Ok(Ok(()))) {
        tracing::debug!("a slow client did not hear why it was disconnected");
    }
}

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
    connection_limit::ConnectionLimit,
    connection_state::{ConnectionState, Phase},
    respond::Responder,
    tracked_stream::TrackedStream,
};
use crate::http::{
    limits::{Limits, client_network},
    log_throttle::LogThrottle,
    problem::HEAD_TOO_SLOW,
};

/// The precision of connection time limits.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// When no file can be opened, or memory is short: accepting again at once would be a hot loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_BUFFER: usize = 64 * 1024;
/// How long, and how much, is read on after the last response.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 128;
const LINGER_BUFFER: usize = 8 * 1024;

/// Serves until `stop`, and for at most [`Limits::drain`] longer.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let responder = Responder::new(router, limits);
    let mut limit = ConnectionLimit::new(limits);
    let mut connections = JoinSet::new();
    let (refusals, failures) = (LogThrottle::default(), LogThrottle::default());
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
                limit.closed(id);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let now = Instant::now();
                let network = client_network(peer.ip());
                // All others are being answered: the socket is closed, and the client will connect again.
                if !limit.make_room(network, now) {
                    if let Some(refused) = refusals.record(now.into_std()) {
                        tracing::warn!(refused, "connections were refused: all others are being answered");
                    }
                    continue;
                }
                let state = Arc::new(ConnectionState::new());
                let responder = responder.clone();
                let connection =
                    connection(stream, peer, responder, Arc::clone(&state), limits, stop.clone());
                limit.opened(network, state, connections.spawn(connection));
            }
            // The client went away before it was accepted.
            Err(error) if is_client_error(&error) => {}
            Err(error) => {
                let now = Instant::now();
                // Not by the line: it may come some twenty times a second.
                if let Some(times) = failures.record(now.into_std()) {
                    tracing::error!(%error, times, "connections cannot be accepted; those that wait longest are closed to make room");
                }
                limit.shrink_limit(now);
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
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

fn is_client_error(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    responder: Responder,
    state: Arc<ConnectionState>,
    limits: Limits,
    stop: CancellationToken,
) {
    // Responses are small; without this the second one on a connection may wait 40 ms for an acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a socket is gone already");
    }
    let service = service_fn(|request: Request<Incoming>| {
        Box::pin(async {
            let response = responder.respond(request, &state, peer).await;
            state.response_sent();
            Ok::<_, Infallible>(response)
        })
    });
    let io = TokioIo::new(TrackedStream::new(stream, Arc::clone(&state)));
    let mut serving = http1::Builder::new()
        // `state` keeps the time: hyper's one limit would not tell a slow head from an idle connection.
        .header_read_timeout(None)
        // A client that has sent all, and says so by closing its half of the connection, still wants the response.
        .half_close(true)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(io, service);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut serving => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                // From here on it may be closed to free capacity.
                state.response_sent();
                let stream = serving.into_parts().io.into_inner().into_inner();
                return if !stopping { linger(stream).await };
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                // A client whose request is not complete has nothing to lose.
                if let Phase::New(_) | Phase::Head(_) = state.phase() {
                    return;
                }
                std::pin::Pin::new(&mut serving).graceful_shutdown();
            }
            () = tokio::time::sleep(CHECK_EVERY) => {
                let phase = state.phase();
                if phase.has_timed_out(&limits, Instant::now()) {
                    let slow = matches!(phase, Phase::Head(_));
                    let stream = serving.into_parts().io.into_inner().into_inner();
                    return if slow { send_too_slow(stream).await };
                }
            }
        }
    }
}

/// Reads on for a moment and throws away: a socket that is closed with bytes unread resets the connection, and the client may lose
/// the response that it was just sent (RFC 9112, 9.6).
async fn linger(mut stream: TcpStream) {
    let mut buffer = vec![0; LINGER_BUFFER];
    let drain = async {
        stream.shutdown().await?;
        for _ in 0..LINGER_READS {
            if stream.read(&mut buffer).await? == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    if !matches!(tokio::time::timeout(LINGER, drain).await, Ok(Ok(()))) {
        tracing::debug!("a client went on sending after its response, or was gone");
    }
}

/// The last response to a client whose head did not become complete. A client that does not read is not waited for.
async fn send_too_slow(mut stream: TcpStream) {
    let bytes = HEAD_TOO_SLOW.to_http_bytes();
    let sent = tokio::time::timeout(CHECK_EVERY, stream.write_all(&bytes)).await;
    if !matches!(sent, Ok(Ok(()))) {
        tracing::debug!("a slow client did not read why it was disconnected");
    }
}

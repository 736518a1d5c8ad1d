//! A connection's socket with two additions: the connection's [`ConnectionState`] is told when bytes come in, and the bare errors
//! that hyper answers by itself, before any handler, become problems with our headers.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::connection_state::ConnectionState;
use crate::http::problem::{BAD_REQUEST, HEAD_TOO_LARGE, Problem, URI_TOO_LONG};

/// hyper's own errors are shorter: a status line, three headers, no body.
const MAX_BARE_ERROR: usize = 256;

pub(super) struct TrackedStream {
    stream: TcpStream,
    state: Arc<ConnectionState>,
    /// What is written in place of a bare error, and how much of it has been.
    replacement: Vec<u8>,
    written: usize,
}

impl TrackedStream {
    pub(super) fn new(stream: TcpStream, state: Arc<ConnectionState>) -> Self {
        Self { stream, state, replacement: Vec::new(), written: 0 }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    fn write_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.replacement.len() {
            let rest = &self.replacement[self.written..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.written += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The problem that hyper means, if `bytes` is a response that it made by itself. Ours never end with their head.
fn bare_error(bytes: &[u8]) -> Option<Problem> {
    let is_bare = bytes.len() <= MAX_BARE_ERROR
        && bytes.starts_with(b"HTTP/1.")
        && bytes.ends_with(b"\r\n\r\n")
        && !bytes.windows(22).any(|part| part == b"x-content-type-options");
    let status = is_bare.then(|| StatusCode::from_bytes(bytes.get(9..12)?).ok()).flatten()?;
    [BAD_REQUEST, URI_TOO_LONG, HEAD_TOO_LARGE].into_iter().find(|problem| problem.status == status)
}

impl AsyncRead for TrackedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.state.bytes_received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TrackedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_replacement(cx))?;
        if let Some(problem) = bare_error(bytes) {
            self.replacement = problem.to_http_bytes();
            self.written = 0;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_replacement(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_replacement(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! One connection's bytes. In: a socket. Out: the same bytes, with two differences: the connection's [`Watch`] learns when
//! something is said, and the bare errors that hyper answers by itself, before any handler, become problems.

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

use super::connection_state::Watch;
use crate::http::problem::{BAD_REQUEST, HEAD_TOO_LARGE, Problem, URI_TOO_LONG};

/// hyper's own answers are shorter: a status line, three headers, no body.
const LONGEST_BARE: usize = 256;

pub(super) struct Wire {
    stream: TcpStream,
    watch: Arc<Watch>,
    /// What is said instead of a bare error, and how much of it is out.
    instead: Vec<u8>,
    out: usize,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, watch: Arc<Watch>) -> Self {
        Self { stream, watch, instead: Vec::new(), out: 0 }
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    fn say_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out < self.instead.len() {
            let rest = &self.instead[self.out..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.out += n,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The problem that hyper means, if `said` is an answer that it made by itself. Ours never end with their head.
fn bare_error(said: &[u8]) -> Option<Problem> {
    let is_bare = said.len() <= LONGEST_BARE
        && said.starts_with(b"HTTP/1.")
        && said.ends_with(b"\r\n\r\n")
        && !said.windows(22).any(|part| part == b"x-content-type-options");
    let status = is_bare.then(|| StatusCode::from_bytes(said.get(9..12)?).ok()).flatten()?;
    [BAD_REQUEST, URI_TOO_LONG, HEAD_TOO_LARGE].into_iter().find(|problem| problem.status == status)
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.watch.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, said: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.say_instead(cx))?;
        if let Some(problem) = bare_error(said) {
            self.instead = problem.last_words();
            self.out = 0;
            return Poll::Ready(Ok(said.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, said)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.say_instead(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.say_instead(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

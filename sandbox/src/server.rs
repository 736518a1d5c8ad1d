//! A server on loopback that can be cut off. In: a router. Out: `Running`, whose end is the server's end.
//!
//! axum's own listener leaves accepted connections alive when the server task is dropped. A sandbox must die
//! completely (a test that restarts Discord means it), so each connection carries a `Line` that can be cut.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tokio_util::task::AbortOnDropHandle;

use crate::lock::lock;

/// A started server. Dropping it ends the server, its open connections, its websockets and its deliveries.
#[derive(Debug)]
pub struct Running {
    /// Base URL of the vendor's API, `http://127.0.0.1:PORT`.
    pub url: String,
    /// Base URL of the control API, `http://127.0.0.1:PORT/_sandbox`.
    pub control: String,
    stop: DropGuard,
    accepting: AbortOnDropHandle<()>,
}

impl Running {
    /// Ends the server and waits until its port is free again, for whoever restarts it on the same port.
    pub async fn stop(self) {
        drop(self.stop);
        self.accepting.abort();
        // The answer is "cancelled", which is what was asked for.
        let _ = self.accepting.await;
    }
}

/// One accepted connection, as seen by handlers.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    broken: CancellationToken,
    last: Arc<Mutex<Last>>,
}

/// What becomes of a connection that is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is closed as the operating system does it (FIN).
    #[default]
    Close,
    /// It is reset (RST).
    Reset,
    /// It stays open, and nothing passes any more.
    Stay,
}

/// The last bytes on a connection, past whatever speaks on it, and what follows them.
#[derive(Debug, Default)]
struct Last {
    bytes: Vec<u8>,
    then: Then,
}

impl Line {
    fn new(broken: CancellationToken) -> Self {
        Self { broken, last: Arc::default() }
    }

    /// Breaks the connection: whatever is being written never arrives.
    pub(crate) fn cut(&self) {
        self.broken.cancel();
    }

    /// Breaks the connection after these bytes.
    pub(crate) fn end(&self, bytes: Vec<u8>, then: Then) {
        *lock(&self.last) = Last { bytes, then };
        self.cut();
    }
}

/// A bound port that does not serve yet, so that handlers can know their own address.
pub(crate) struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Takes a port on 127.0.0.1; 0 picks a free one.
    pub(crate) async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Serves until the answer is dropped, which also cancels `stop`.
    pub(crate) fn serve(self, router: Router, stop: CancellationToken) -> Running {
        let url = format!("http://{}", self.authority());
        let lines = Lines { listener: self.listener, stop: stop.clone() };
        let accepting = tokio::spawn(async move {
            // Accept errors are retried inside `Lines`, so this never returns by itself.
            let _ = axum::serve(lines, router.into_make_service_with_connect_info::<Line>()).await;
        });
        Running {
            control: format!("{url}/_sandbox"),
            url,
            stop: stop.drop_guard(),
            accepting: AbortOnDropHandle::new(accepting),
        }
    }
}

struct Lines {
    listener: TcpListener,
    stop: CancellationToken,
}

impl Listener for Lines {
    type Io = Wire;
    type Addr = Line;

    async fn accept(&mut self) -> (Wire, Line) {
        let (stream, _) = Listener::accept(&mut self.listener).await;
        // Answers are small; without this Nagle adds 40 ms to some of them. A failure only costs that time.
        let _ = stream.set_nodelay(true);
        let token = self.stop.child_token();
        let line = Line::new(token.clone());
        let wire =
            Wire { stream, broken: Box::pin(token.cancelled_owned()), line: line.clone(), mute: false };
        (wire, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line::new(self.stop.clone()))
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A TCP stream that fails as soon as its line is cut.
struct Wire {
    stream: TcpStream,
    broken: Pin<Box<WaitForCancellationFutureOwned>>,
    line: Line,
    mute: bool,
}

impl Wire {
    /// Registers for the cut even when intact, so that an idle connection notices too. Pending: it stays open, and mute.
    fn intact(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.mute {
            return Poll::Pending;
        }
        if self.broken.as_mut().poll(cx).is_pending() {
            return Poll::Ready(Ok(()));
        }
        let last = std::mem::take(&mut *lock(&self.line.last));
        // So few bytes fit into an idle connection's buffer; one whose buffer is full is broken all the same.
        let _ = self.stream.try_write(&last.bytes);
        match last.then {
            Then::Close => {}
            Then::Reset => self.stream.set_zero_linger()?,
            Then::Stay => {
                self.mute = true;
                return Poll::Pending;
            }
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.intact(cx))?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.intact(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.intact(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

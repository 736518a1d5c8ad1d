//! One WebSocket to the Gateway. In: an address; frames to say. Out: frames heard, or the `End`, whatever the other side does:
//! every wait has a limit, and no error is waited out.

use std::{borrow::Cow, time::Duration};

use futures::{SinkExt, StreamExt};
use metrics::counter;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use shared::metrics::GATEWAY_UNREAD;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::end::End;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const HELLO_WITHIN: Duration = Duration::from_secs(10);
const SAY_WITHIN: Duration = Duration::from_secs(5);
const CLOSE_WITHIN: Duration = Duration::from_millis(500);
/// Discord asks for a heartbeat about every 41 s. We say more, within its 120 frames a minute, since a connection on which
/// nothing passes any more is found out by the next one.
const LONGEST_BEAT: Duration = Duration::from_secs(10);
/// An odd HELLO must not make us say hundreds of heartbeats a second.
const SHORTEST_BEAT: Duration = Duration::from_millis(500);
/// A large server's GUILD_CREATE has some megabytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// What is said on a connection that we need to know.
pub(super) enum Heard {
    Event {
        /// Its place in the session.
        sequence: Option<u64>,
        /// Such as `GUILD_MEMBER_ADD`.
        kind: String,
        /// As it came.
        data: Box<RawValue>,
    },
    /// Opcode 7.
    Reconnect,
    /// Opcode 9.
    Invalid {
        /// The session can be resumed all the same.
        resumable: bool,
    },
}

/// A connection that has said HELLO.
pub(super) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    every: Duration,
    next_beat: Instant,
    /// Nothing was heard since this heartbeat.
    unheard: bool,
    /// The oldest heartbeat without an answer.
    unanswered: Option<Instant>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    op: u64,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
    #[serde(default)]
    s: Option<u64>,
    #[serde(borrow, default)]
    t: Option<Cow<'a, str>>,
}

impl Connection {
    /// Connects, and waits for HELLO. `jitter` in [0, 1) spreads the first heartbeats of many clients.
    pub(super) async fn open(url: &str, jitter: f64) -> Result<Self, End> {
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        let connected = timeout(CONNECT_WITHIN, connect_async_with_config(url, Some(config), true)).await;
        let socket = match connected {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(Error::Http(answer))) => return Err(End::Refused(answer.status().as_u16())),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the Gateway cannot be connected to");
                return Err(End::Unreachable);
            }
            Err(_) => return Err(End::Unreachable),
        };
        let now = Instant::now();
        let mut connection =
            Self { socket, every: LONGEST_BEAT, next_beat: now, unheard: false, unanswered: None };
        let interval = timeout(HELLO_WITHIN, connection.hello()).await.map_err(|_| End::NoHello)??;
        connection.every = interval.clamp(SHORTEST_BEAT, LONGEST_BEAT);
        connection.next_beat = Instant::now() + connection.every.mul_f64(jitter);
        Ok(connection)
    }

    async fn hello(&mut self) -> Result<Duration, End> {
        loop {
            let Some(text) = self.text().await? else { continue };
            let Some(wire) = read(&text) else { continue };
            if wire.op == 10 {
                let hello: Value =
                    wire.d.and_then(|d| serde_json::from_str(d.get()).ok()).unwrap_or_default();
                let interval = hello["heartbeat_interval"].as_u64().map(Duration::from_millis);
                return Ok(interval.unwrap_or(LONGEST_BEAT));
            }
        }
    }

    pub(super) async fn say(&mut self, frame: &Value) -> Result<(), End> {
        let said = timeout(SAY_WITHIN, self.socket.send(Message::text(frame.to_string()))).await;
        match said {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ended(&error)),
            Err(_) => Err(End::Silent),
        }
    }

    /// Waits for something to happen; says heartbeats meanwhile, with the last event's place.
    pub(super) async fn hear(&mut self, sequence: Option<u64>) -> Result<Heard, End> {
        loop {
            let beat = sleep_until(self.next_beat);
            let text = tokio::select! {
                text = self.text() => text?,
                () = beat => {
                    self.beat(sequence).await?;
                    continue;
                }
            };
            self.unheard = false;
            let Some(text) = text else { continue };
            let Some(wire) = read(&text) else { continue };
            match wire.op {
                0 => {
                    let Some(kind) = wire.t else { continue };
                    let data = wire.d.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned);
                    return Ok(Heard::Event { sequence: wire.s, kind: kind.into_owned(), data });
                }
                1 => self.say(&json!({ "op": 1, "d": sequence })).await?,
                7 => return Ok(Heard::Reconnect),
                9 => return Ok(Heard::Invalid { resumable: wire.d.is_some_and(|d| d.get() == "true") }),
                11 => self.unanswered = None,
                _ => {}
            }
        }
    }

    /// A connection that is dead looks like one on which nothing happens: the other side must have answered the last
    /// heartbeat, or at least have said something, and then answer within Discord's own interval.
    async fn beat(&mut self, sequence: Option<u64>) -> Result<(), End> {
        let now = Instant::now();
        if self.unheard || self.unanswered.is_some_and(|at| now - at >= self.every * 4) {
            return Err(End::Silent);
        }
        self.unheard = true;
        self.unanswered = self.unanswered.or(Some(now));
        self.next_beat = now + self.every;
        self.say(&json!({ "op": 1, "d": sequence })).await
    }

    /// The next frame's text; `None` for a frame that has none. Cancelled between frames only, so that none is lost.
    async fn text(&mut self) -> Result<Option<String>, End> {
        match self.socket.next().await {
            // Not the end of a wait: there will never be another frame.
            None => Err(End::Broken),
            Some(Err(error)) => Err(ended(&error)),
            Some(Ok(Message::Close(frame))) => Err(End::Closed(frame.map(|frame| frame.code.into()))),
            Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                Ok(None)
            }
        }
    }

    /// Takes leave. 1000 ends the session at Discord; any other code lets it be resumed.
    pub(super) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        if timeout(CLOSE_WITHIN, self.socket.close(Some(frame))).await.is_err() {
            tracing::debug!("the Gateway connection did not close in time");
        }
    }
}

/// `None`: no frame of the Gateway's, which is counted. Its text is not logged: it may be about people.
fn read(text: &str) -> Option<Wire<'_>> {
    match serde_json::from_str(text) {
        Ok(wire) => Some(wire),
        Err(error) => {
            counter!(GATEWAY_UNREAD, "kind" => "frame").increment(1);
            tracing::warn!(
                line = error.line(),
                column = error.column(),
                "a frame of the Gateway cannot be read"
            );
            None
        }
    }
}

fn ended(error: &Error) -> End {
    tracing::debug!(%error, "the Gateway connection broke");
    End::Broken
}

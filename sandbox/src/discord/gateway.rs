//! The gateway. In: a websocket and its heartbeats. Out: HELLO, READY, one GUILD_CREATE per guild, then events.
//!
//! Sessions cannot be resumed: every RESUME is answered "invalid session", which is what a client must survive.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Discord;
use super::wire;
use super::world::{BOT_ID, World};
use crate::server::Line;

const HEARTBEAT_INTERVAL_MS: u64 = 41_250;

/// An identified connection.
pub(crate) struct Session {
    id: u64,
    intents: u64,
    outbox: mpsc::UnboundedSender<Dispatch>,
    line: Line,
}

/// An event on its way to a session; its sequence number is given when it is sent.
struct Dispatch {
    event: &'static str,
    data: Value,
}

impl Session {
    /// Whether the client asked for these events; 0 stands for events that need no intent.
    pub(crate) fn has_intent(&self, intent: u64) -> bool {
        intent == 0 || self.intents & intent != 0
    }

    /// Queues an event. A session that just ended loses it, as on the real gateway.
    pub(crate) fn dispatch(&self, event: &'static str, data: Value) {
        let _ = self.outbox.send(Dispatch { event, data });
    }

    /// Breaks the connection without a close frame.
    pub(crate) fn cut(&self) {
        self.line.cut();
    }
}

/// Takes a websocket in.
pub(crate) async fn connect(
    State(discord): State<Arc<Discord>>,
    ConnectInfo(line): ConnectInfo<Line>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        let mut identified = None;
        // An error here is the client going away; there is nobody left to tell.
        let _ = converse(&discord, &line, &mut socket, &mut identified).await;
        if let Some(id) = identified {
            discord.with(|world| world.sessions.retain(|session| session.id != id));
        }
    })
}

async fn converse(
    discord: &Discord,
    line: &Line,
    socket: &mut WebSocket,
    identified: &mut Option<u64>,
) -> Result<(), axum::Error> {
    let (outbox, mut inbox) = mpsc::unbounded_channel::<Dispatch>();
    let mut sequence = 0_u64;
    say(
        socket,
        &json!({ "op": 10, "d": { "heartbeat_interval": HEARTBEAT_INTERVAL_MS }, "s": null, "t": null }),
    )
    .await?;
    loop {
        tokio::select! {
            Some(Dispatch { event, data }) = inbox.recv() => {
                sequence += 1;
                say(socket, &json!({ "op": 0, "s": sequence, "t": event, "d": data })).await?;
            }
            received = socket.recv() => {
                let text = match received {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Err(broken)) => return Err(broken),
                };
                let Ok(frame) = serde_json::from_str::<Value>(&text) else {
                    return close(socket, 4002, "Error while decoding payload.").await;
                };
                match frame["op"].as_u64() {
                    Some(1) => say(socket, &json!({ "op": 11, "d": null, "s": null, "t": null })).await?,
                    Some(2) if identified.is_some() => {
                        return close(socket, 4005, "Already authenticated.").await;
                    }
                    Some(2) => {
                        if !discord.accepts(frame["d"]["token"].as_str().unwrap_or_default()) {
                            return close(socket, 4004, "Authentication failed.").await;
                        }
                        let (outbox, line) = (outbox.clone(), line.clone());
                        *identified = Some(discord.with(|world| {
                            let id = world.mint.next();
                            let intents = frame["d"]["intents"].as_u64().unwrap_or_default();
                            let session = Session { id, intents, outbox, line };
                            greet(world, session, &discord.gateway_url, &frame["d"]["shard"]);
                            id
                        }));
                    }
                    Some(6) => say(socket, &json!({ "op": 9, "d": false, "s": null, "t": null })).await?,
                    // Presence and voice updates, member requests: accepted and ignored.
                    _ => {}
                }
            }
        }
    }
}

/// Queues READY and the guilds in the same breath as joining the world, so that no event is lost or doubled.
fn greet(world: &mut World, session: Session, gateway_url: &str, shard: &Value) {
    let present = || world.guilds.values().filter(|guild| guild.bot_in_guild);
    let guilds: Vec<Value> =
        present().map(|guild| json!({ "id": guild.id.to_string(), "unavailable": true })).collect();
    let shard = if shard.is_array() { shard.clone() } else { json!([0, 1]) };
    let ready = json!({
        "v": 10, "user": wire::myself(), "guilds": guilds, "session_id": format!("{:032x}", session.id),
        "session_type": "normal", "resume_gateway_url": gateway_url, "shard": shard,
        "application": { "id": BOT_ID.to_string(), "flags": 0 },
    });
    session.dispatch("READY", ready);
    if session.has_intent(1) {
        for guild in present() {
            session.dispatch("GUILD_CREATE", wire::guild_create(guild));
        }
    }
    world.sessions.push(session);
}

async fn say(socket: &mut WebSocket, frame: &Value) -> Result<(), axum::Error> {
    socket.send(Message::Text(frame.to_string().into())).await
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) -> Result<(), axum::Error> {
    socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await
}

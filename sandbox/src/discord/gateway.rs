//! The gateway. In: a websocket and its heartbeats. Out: HELLO, READY, one GUILD_CREATE per guild, then events; after a
//! RESUME, what was missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::behaviour::Greeting;
use super::session::{Connection, Frame, NoResume, Session};
use super::state::Discord;
use super::wire;
use super::wire_ids::{BOT_ID, INTENT_GUILDS, INTENT_MEMBERS};
use super::world::World;
use crate::server::Line;

/// Frames a client may send within a minute.
const SENDS: u32 = 120;
const MINUTE: Duration = Duration::from_secs(60);
/// Heartbeats in a row that may be missed.
const PATIENCE: u32 = 2;
/// Opcodes that a client may send at all: heartbeat, identify, presence, voice, resume, members, soundboard.
const KNOWN: [u64; 7] = [1, 2, 3, 4, 6, 8, 31];

/// What a client's frame leads to.
enum Reply {
    Nothing,
    Say(Value),
    Close(u16),
}

/// How a connection ended.
#[derive(PartialEq, Eq)]
enum Ending {
    /// The client may come back and resume.
    Resumable,
    /// Client or gateway have ended the session.
    Final,
}

/// Takes a websocket in.
pub(crate) async fn connect(
    State(discord): State<Arc<Discord>>,
    ConnectInfo(line): ConnectInfo<Line>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match discord.with(|world| world.gateway.greeting) {
        Greeting::Refused { status } => {
            return StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE).into_response();
        }
        Greeting::NoAnswer => std::future::pending().await,
        _ => {}
    }
    upgrade.on_upgrade(async move |mut socket| {
        let (frames, inbox) = mpsc::unbounded_channel();
        let number = discord.with(|world| world.mint.next());
        let connection = Connection { number, frames, line };
        // An error is the client going away without a word.
        let ending = converse(&discord, &connection, inbox, &mut socket).await.unwrap_or(Ending::Resumable);
        discord.with(|world| world.gateway.hang_up(number, ending == Ending::Final));
    })
}

async fn converse(
    discord: &Discord,
    connection: &Connection,
    mut inbox: mpsc::UnboundedReceiver<Frame>,
    socket: &mut WebSocket,
) -> Result<Ending, axum::Error> {
    let (heartbeat, greeting) = discord.with(|world| (world.gateway.heartbeat, world.gateway.greeting));
    if greeting == Greeting::NoHello {
        while socket.recv().await.is_some() {}
        return Ok(Ending::Resumable);
    }
    let interval = u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX);
    let hello = json!({ "op": 10, "d": { "heartbeat_interval": interval }, "s": null, "t": null });
    say(socket, hello.to_string()).await?;
    if let Greeting::ClosedAfterHello { code } = greeting {
        return close(socket, Some(code)).await;
    }
    let mut silent_since = tokio::time::Instant::now();
    let mut deaf = greeting == Greeting::NoReady;
    let mut sent = (Instant::now(), 0_u32);
    loop {
        tokio::select! {
            Some(frame) = inbox.recv() => match frame {
                Frame::Text(_) if deaf => {}
                Frame::Text(text) => say(socket, text).await?,
                Frame::Close(code) => return close(socket, code).await,
                Frame::Deafen => deaf = true,
            },
            () = tokio::time::sleep_until(silent_since + heartbeat * PATIENCE), if !deaf => {
                return close(socket, Some(4009)).await;
            }
            received = socket.recv() => {
                let text = match received {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(frame))) => return Ok(goodbye(frame.as_ref())),
                    None => return Ok(Ending::Resumable),
                    Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Err(broken)) => return Err(broken),
                };
                if deaf {
                    continue;
                }
                if sent.0.elapsed() >= MINUTE {
                    sent = (Instant::now(), 0);
                }
                sent.1 += 1;
                if sent.1 > SENDS {
                    return close(socket, Some(4008)).await;
                }
                let Ok(frame) = serde_json::from_str::<Value>(&text) else {
                    return close(socket, Some(4002)).await;
                };
                if frame["op"] == 1 {
                    silent_since = tokio::time::Instant::now();
                }
                match discord.with(|world| hear(discord, world, connection, &frame)) {
                    Reply::Nothing => {}
                    Reply::Say(answer) => say(socket, answer.to_string()).await?,
                    Reply::Close(code) => return close(socket, Some(code)).await,
                }
            }
        }
    }
}

fn hear(discord: &Discord, world: &mut World, connection: &Connection, frame: &Value) -> Reply {
    let identified = world.gateway.is_identified(connection.number);
    let accepted = discord.accepts(frame["d"]["token"].as_str().unwrap_or_default());
    match frame["op"].as_u64() {
        Some(1) => {
            world.gateway.acknowledge(connection.number, frame["d"].as_u64().unwrap_or_default());
            Reply::Say(json!({ "op": 11, "d": null, "s": null, "t": null }))
        }
        Some(2 | 6) if identified => Reply::Close(4005),
        Some(2 | 6) if !accepted => Reply::Close(4004),
        Some(2 | 6) if world.gateway.greeting != Greeting::Welcome => {
            if frame["op"] == 2 {
                world.gateway.count_identify();
            }
            match world.gateway.greeting {
                Greeting::ClosedAfterIdentify { code } => Reply::Close(code),
                Greeting::InvalidSession => Reply::Say(json!({ "op": 9, "d": false, "s": null, "t": null })),
                _ => Reply::Nothing,
            }
        }
        Some(2) => identify(world, connection, &frame["d"], &discord.gateway_url),
        Some(6) => {
            let name = frame["d"]["session_id"].as_str().unwrap_or_default();
            let sequence = frame["d"]["seq"].as_u64().unwrap_or_default();
            match world.gateway.resume(name, sequence, connection) {
                Ok(()) => Reply::Nothing,
                Err(NoResume::BadSequence) => Reply::Close(4007),
                Err(NoResume::Invalid) => Reply::Say(json!({ "op": 9, "d": false, "s": null, "t": null })),
            }
        }
        Some(op) if !KNOWN.contains(&op) => Reply::Close(4001),
        None => Reply::Close(4001),
        Some(_) if !identified => Reply::Close(4003),
        // Presence and voice updates, member requests: accepted and ignored.
        Some(_) => Reply::Nothing,
    }
}

/// Queues READY and the guilds in the same breath as joining the world, so that no event is lost or doubled.
fn identify(world: &mut World, connection: &Connection, asked: &Value, gateway_url: &str) -> Reply {
    world.gateway.count_identify();
    let Some(intents) = asked["intents"].as_u64() else { return Reply::Close(4013) };
    if intents & INTENT_MEMBERS != 0 && !world.gateway.members_intent {
        return Reply::Close(4014);
    }
    let shard = match asked["shard"].as_array().map(Vec::as_slice) {
        None => (0, 1),
        Some([index, count]) => match (index.as_u64(), count.as_u64()) {
            (Some(index), Some(count)) if index < count => (index, count),
            _ => return Reply::Close(4010),
        },
        Some(_) => return Reply::Close(4010),
    };
    let mut session = Session::new(
        world.mint.next(),
        intents,
        shard,
        connection.clone(),
        world.gateway.replacements.clone(),
    );
    let present: Vec<_> =
        world.guilds.values().filter(|guild| guild.bot_in_guild && session.is_for(guild.id)).collect();
    let guilds: Vec<Value> =
        present.iter().map(|guild| json!({ "id": guild.id.to_string(), "unavailable": true })).collect();
    let ready = json!({
        "v": 10, "user": wire::myself(), "guilds": guilds, "session_id": session.name(),
        "session_type": "normal", "resume_gateway_url": gateway_url, "shard": [shard.0, shard.1],
        "application": { "id": BOT_ID.to_string(), "flags": 0 },
    });
    session.dispatch("READY", &ready);
    if session.has_intent(INTENT_GUILDS) {
        for guild in present {
            session.dispatch("GUILD_CREATE", &wire::guild_create(guild));
        }
    }
    world.gateway.add(session);
    Reply::Nothing
}

async fn say(socket: &mut WebSocket, text: String) -> Result<(), axum::Error> {
    socket.send(Message::Text(text.into())).await
}

async fn close(socket: &mut WebSocket, code: Option<u16>) -> Result<Ending, axum::Error> {
    let Some(code) = code else {
        socket.send(Message::Close(None)).await?;
        return Ok(Ending::Resumable);
    };
    let reason = match code {
        4000 => "Unknown error.",
        4001 => "Unknown opcode.",
        4002 => "Error while decoding payload.",
        4003 => "Not authenticated.",
        4004 => "Authentication failed.",
        4005 => "Already authenticated.",
        4007 => "Invalid seq.",
        4008 => "Rate limited.",
        4009 => "Session timed out.",
        4010 => "Invalid shard.",
        4011 => "Sharding required.",
        4012 => "Invalid API version.",
        4013 => "Invalid intent(s).",
        4014 => "Disallowed intent(s).",
        _ => "",
    };
    socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
    Ok(if code == 4009 { Ending::Final } else { Ending::Resumable })
}

fn goodbye(frame: Option<&CloseFrame>) -> Ending {
    match frame.map(|frame| frame.code) {
        Some(1000 | 1001) => Ending::Final,
        _ => Ending::Resumable,
    }
}

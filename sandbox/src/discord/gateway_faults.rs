//! Faults that a test injects into the gateway. In: control calls. Out: how many connections it happened to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::behaviour::{End, Greeting, Replacement};
use super::state::Discord;
use crate::refusal::Refusal;

/// Close codes that may be sent in a frame.
const CODES: std::ops::RangeInclusive<u16> = 1000..=4999;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/gateway", post(behave))
        .route("/gateway/drop", post(drop_all))
        .route("/gateway/reconnect", post(reconnect))
        .route("/gateway/invalidate", post(invalidate))
        .route("/gateway/close", post(close))
        .route("/gateway/deafen", post(deafen))
        .route("/gateway/end", post(end))
        .route("/gateway/say", post(say))
        .route("/gateway/replace-field", post(replace_field).delete(replace_nothing))
}

fn happened(connections: usize) -> Json<Value> {
    Json(json!({ "connections": connections }))
}

#[derive(Deserialize)]
struct Behaviour {
    heartbeat_interval_ms: Option<u64>,
    members_intent: Option<bool>,
    greeting: Option<Greeting>,
    identifies_left: Option<Left>,
}

/// What is left of the day's IDENTIFYs, and when there are more.
#[derive(Clone, Copy, Deserialize)]
struct Left {
    remaining: u64,
    reset_after_ms: u64,
}

async fn behave(State(discord): State<Arc<Discord>>, Json(params): Json<Behaviour>) -> Json<Value> {
    discord.with(|world| {
        let gateway = &mut world.gateway;
        gateway.heartbeat = params.heartbeat_interval_ms.map_or(gateway.heartbeat, Duration::from_millis);
        gateway.members_intent = params.members_intent.unwrap_or(gateway.members_intent);
        gateway.greeting = params.greeting.unwrap_or(gateway.greeting);
        if let Some(left) = params.identifies_left {
            gateway.budget =
                Some((left.remaining, Instant::now() + Duration::from_millis(left.reset_after_ms)));
        }
    });
    Json(json!({}))
}

/// Whether a session survives.
#[derive(Deserialize)]
struct Fate {
    resumable: bool,
}

async fn drop_all(State(discord): State<Arc<Discord>>, fate: Option<Json<Fate>>) -> Json<Value> {
    let forget = fate.is_some_and(|Json(fate)| !fate.resumable);
    Json(json!({ "dropped": discord.with(|world| world.gateway.drop_all(forget)) }))
}

async fn reconnect(State(discord): State<Arc<Discord>>) -> Json<Value> {
    happened(discord.with(|world| world.gateway.reconnect_all()))
}

async fn invalidate(State(discord): State<Arc<Discord>>, Json(fate): Json<Fate>) -> Json<Value> {
    happened(discord.with(|world| world.gateway.invalidate_all(fate.resumable)))
}

#[derive(Deserialize)]
struct Code {
    code: u16,
}

async fn close(
    State(discord): State<Arc<Discord>>,
    Json(Code { code }): Json<Code>,
) -> Result<Json<Value>, Refusal> {
    // 1005 and 1006 stand for "no code" and "no frame", and must not be sent.
    if !CODES.contains(&code) || matches!(code, 1004..=1006 | 1015) {
        return Err(Refusal::malformed(format!("{code} cannot be sent; /gateway/drop ends without a frame")));
    }
    Ok(happened(discord.with(|world| world.gateway.close_all(Some(code)))))
}

#[derive(Deserialize)]
struct How {
    how: End,
}

async fn end(State(discord): State<Arc<Discord>>, Json(How { how }): Json<How>) -> Json<Value> {
    happened(discord.with(|world| match how {
        End::CloseWithoutCode => world.gateway.close_all(None),
        _ => {
            let (bytes, then) = how.bytes();
            world.gateway.end_all(&bytes, then)
        }
    }))
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

async fn say(State(discord): State<Arc<Discord>>, Json(Text { text }): Json<Text>) -> Json<Value> {
    happened(discord.with(|world| world.gateway.say_all(&text)))
}

async fn replace_field(State(discord): State<Arc<Discord>>, Json(params): Json<Replacement>) -> Json<Value> {
    discord.with(|world| world.gateway.replacements.add(params));
    Json(json!({}))
}

async fn replace_nothing(State(discord): State<Arc<Discord>>) -> Json<Value> {
    discord.with(|world| world.gateway.replacements.clear());
    Json(json!({}))
}

async fn deafen(State(discord): State<Arc<Discord>>) -> Json<Value> {
    happened(discord.with(|world| world.gateway.deafen_all()))
}

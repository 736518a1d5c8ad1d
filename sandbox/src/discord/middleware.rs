//! What stands around the API's handlers: the bot's token and the global limit, and Cloudflare's ban around these.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request as Call, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::limits::{Bucket, Pass};
use super::reply::No;
use super::state::Discord;
use crate::fault::{FaultKind, ban_page};
use crate::fault_proxy::FaultProxy;

/// The bot's token, then the global limit; or the token of a person, whose only route is `/users/@me`.
pub(crate) async fn authorize(State(discord): State<Arc<Discord>>, mut call: Call, next: Next) -> Response {
    let token = call.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = token.and_then(|token| token.strip_prefix("Bearer "));
    if let Some(token) = bearer.filter(|_| call.uri().path() == "/users/@me") {
        let Some(grant) = discord.with(|world| world.oauth.by_access_token(token)) else {
            return No::Unauthorized.into_response();
        };
        call.extensions_mut().insert(grant);
        return next.run(call).await;
    }
    if !token.is_some_and(|token| token.starts_with("Bot ") && discord.accepts(token)) {
        return No::Unauthorized.into_response();
    }
    match discord.with(|world| world.meter.count(Bucket::Global, Instant::now())) {
        Pass::Free | Pass::Counted(_) => next.run(call).await,
        Pass::Refused(state) => state.refusal(),
    }
}

/// Around faults and API: counts 401, 403 and 429 (unless the resource is shared), and bans.
pub(crate) async fn ban(
    State((discord, proxy)): State<(Arc<Discord>, Arc<FaultProxy>)>,
    call: Call,
    next: Next,
) -> Response {
    let now = Instant::now();
    if let Some(left) = discord.with(|world| world.ban.left(now)) {
        proxy.mark_faulted(&call, FaultKind::Ban);
        return ban_page(left.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX));
    }
    let answer = next.run(call).await;
    let shared = answer.headers().get("x-ratelimit-scope").is_some_and(|scope| scope == "shared");
    let status = answer.status().as_u16();
    if matches!(status, 401 | 403) || (status == 429 && !shared) {
        discord.with(|world| world.ban.count(world.meter.limits(), Instant::now()));
    }
    answer
}

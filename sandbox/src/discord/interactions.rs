//! Slash commands, both ends. In: a user's wish from a test, the bot's answers over REST. Out: what the user sees.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Discord;
use super::exchange::Exchange;
use super::reply::No;
use super::rest::id;
use super::snowflake::{self, Mint};
use super::wire;
use super::world::{BOT_ID, Guild, World};
use crate::refusal::Refusal;

/// How long a test waits for the bot to connect, register the command and answer it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Option types that name something a client must be told more about.
const OPTION_USER: u64 = 6;
const OPTION_ROLE: u64 = 8;

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/interactions/{id}/{token}/callback", post(call_back))
        .route("/webhooks/{application}/{token}", post(follow_up))
        .route(
            "/webhooks/{application}/{token}/messages/{message}",
            get(read).patch(edit).delete(delete_message),
        )
}

/// A user invoking a command.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(deserialize_with = "snowflake::deserialize")]
    guild_id: u64,
    #[serde(deserialize_with = "snowflake::deserialize")]
    user_id: u64,
    /// The command's name, with subcommands after spaces: `roles list`.
    command: String,
    #[serde(default)]
    options: Vec<Value>,
    /// The member's permissions in the channel; administrator unless said otherwise.
    permissions: Option<String>,
}

/// Invokes a command and waits until its answer is visible.
pub(crate) async fn interact(
    State(discord): State<Arc<Discord>>,
    Json(wish): Json<Wish>,
) -> Result<Json<Value>, Refusal> {
    let mut changes = discord.changed.subscribe();
    let mut token = None;
    let mut progress = "";
    let answered = async {
        loop {
            let visible = {
                // Not `with`: that would announce a change, which is what this loop waits for.
                let mut world = crate::traffic::lock(&discord.world);
                if token.is_none() {
                    match invoke(&mut world, &wish)? {
                        Invoked::As(fresh) => token = Some(fresh),
                        Invoked::NotYet(why) => progress = why,
                    }
                }
                let exchange = token.as_ref().and_then(|token| find(&mut world, token).ok());
                exchange.and_then(|(exchange, _)| {
                    progress = exchange.progress();
                    exchange.visible()
                })
            };
            if let Some(visible) = visible {
                return Ok(Json(visible));
            }
            if changes.changed().await.is_err() {
                return Err(Refusal::conflict("the sandbox is stopping"));
            }
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, answered).await;
    outcome.unwrap_or_else(|_| Err(Refusal::timed_out(format!("/{}: {progress}", wish.command))))
}

enum Invoked {
    /// The event went out; the answers come with this token.
    As(String),
    /// The bot is not ready for it.
    NotYet(&'static str),
}

fn invoke(world: &mut World, wish: &Wish) -> Result<Invoked, Refusal> {
    let guild = world.guilds.get(&wish.guild_id).ok_or_else(|| Refusal::missing("guild"))?;
    let member = guild.members.get(&wish.user_id).ok_or_else(|| Refusal::missing("member"))?;
    if !guild.bot_in_guild {
        return Err(Refusal::conflict("the bot is not in this guild"));
    }
    let mut words = wish.command.trim_start_matches('/').split_whitespace();
    let name = words.next().ok_or_else(|| Refusal::malformed("empty command"))?;
    let own = world.guild_commands.get(&wish.guild_id).into_iter().flatten();
    let Some(command) = own.chain(&world.commands).find(|command| command["name"] == name) else {
        return Ok(Invoked::NotYet("the bot never registered it"));
    };
    let Some(session) = world.gateway.speaking_to(wish.guild_id) else {
        return Ok(Invoked::NotYet("no gateway session"));
    };

    let (id, channel) = (world.mint.next(), world.mint.next());
    let token = format!("interaction-{}", uuid::Uuid::new_v4().simple());
    let permissions = wish.permissions.as_deref().unwrap_or("8");
    let mut invoker = wire::member(wish.user_id, member);
    invoker["permissions"] = permissions.into();
    let guild_id = wish.guild_id.to_string();
    let event = json!({
        "id": id.to_string(), "application_id": BOT_ID.to_string(), "type": 2, "token": token,
        "version": 1, "locale": "en-US", "guild_locale": "en-US", "guild_id": guild_id,
        "guild": { "id": guild_id, "locale": "en-US", "features": [] },
        "channel_id": channel.to_string(),
        "channel": { "id": channel.to_string(), "type": 0, "name": "general", "permissions": permissions },
        "app_permissions": "8", "entitlements": [], "authorizing_integration_owners": { "0": guild_id },
        "context": 0, "attachment_size_limit": 10_485_760, "member": invoker,
        "data": {
            "id": command["id"], "name": name, "type": 1, "guild_id": guild_id,
            "options": nested(&words.collect::<Vec<_>>(), wish.options.clone()),
            "resolved": resolved(guild, &wish.options),
        },
    });
    session.dispatch("INTERACTION_CREATE", &event);
    world.exchanges.push(Exchange::new(id, token.clone(), channel));
    Ok(Invoked::As(token))
}

/// Wraps the options in their subcommand (type 1) and, if there are two words, its group (type 2).
fn nested(subcommands: &[&str], options: Vec<Value>) -> Vec<Value> {
    subcommands.iter().rev().enumerate().fold(options, |inner, (depth, name)| {
        vec![json!({ "type": depth + 1, "name": name, "options": inner })]
    })
}

/// The users and roles that the options name.
fn resolved(guild: &Guild, options: &[Value]) -> Value {
    let (mut users, mut members, mut roles) = (Map::new(), Map::new(), Map::new());
    for option in options {
        let Some(id) = option["value"].as_str().and_then(|text| text.parse::<u64>().ok()) else { continue };
        let key = id.to_string();
        match option["type"].as_u64() {
            Some(OPTION_USER) => {
                let member = guild.members.get(&id);
                let username = member.map_or("someone", |member| member.username.as_str());
                users.insert(key.clone(), wire::user(id, username));
                if let Some(member) = member {
                    let mut partial = wire::member(id, member);
                    partial["permissions"] = "0".into();
                    if let Some(fields) = partial.as_object_mut() {
                        fields.remove("user");
                    }
                    members.insert(key, partial);
                }
            }
            Some(OPTION_ROLE) => {
                roles.extend(guild.roles.get(&id).map(|role| (key, wire::role(role))));
            }
            _ => {}
        }
    }
    json!({ "users": users, "members": members, "roles": roles })
}

/// The exchange of a token, and the mint for its messages. Searched from the newest.
fn find<'a>(world: &'a mut World, token: &str) -> Result<(&'a mut Exchange, &'a mut Mint), No> {
    let found = world.exchanges.iter_mut().rev().find(|exchange| exchange.token == token);
    Ok((found.ok_or(No::UnknownWebhook)?, &mut world.mint))
}

async fn call_back(
    State(discord): State<Arc<Discord>>,
    Path((interaction, token)): Path<(String, String)>,
    Json(callback): Json<Value>,
) -> Result<StatusCode, No> {
    let interaction = id(&interaction)?;
    discord.with(|world| {
        let (exchange, mint) = find(world, &token).map_err(|_| No::UnknownInteraction)?;
        if exchange.id != interaction {
            return Err(No::UnknownInteraction);
        }
        exchange.call_back(mint, callback)?;
        Ok(StatusCode::NO_CONTENT)
    })
}

async fn follow_up(
    State(discord): State<Arc<Discord>>,
    Path((_, token)): Path<(String, String)>,
    Json(sent): Json<Value>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        let (exchange, mint) = find(world, &token)?;
        exchange.follow_up(mint, &sent).map(Json)
    })
}

async fn read(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
) -> Result<Json<Value>, No> {
    discord.with(|world| find(world, &token)?.0.read(&message).map(Json))
}

async fn edit(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
    Json(sent): Json<Value>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        let (exchange, mint) = find(world, &token)?;
        exchange.edit(mint, &message, &sent).map(Json)
    })
}

async fn delete_message(
    State(discord): State<Arc<Discord>>,
    Path((_, token, message)): Path<(String, String, String)>,
) -> Result<StatusCode, No> {
    discord.with(|world| {
        find(world, &token)?.0.delete(&message)?;
        Ok(StatusCode::NO_CONTENT)
    })
}

//! What a user does with the bot: commands, buttons, menus, forms. In: parameters from a test. Out: INTERACTION_CREATE, and
//! what the user sees in the end.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::guild::Guild;
use super::interaction_responses::{InteractionResponses, Kind};
use super::messages::component;
use super::snowflake;
use super::state::Discord;
use super::wire;
use super::wire_ids::BOT_ID;
use super::world::World;
use crate::refusal::Refusal;

/// How long a test waits for the bot to connect, register the command and answer it. One that has only just been restarted may not
/// identify itself for five seconds, and waits for its turn on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Option types that name something a client must be told more about.
const OPTION_USER: u64 = 6;
const OPTION_ROLE: u64 = 8;

/// A user's deed: a command (with `autocomplete`: still being typed), a component, or a form.
#[derive(Deserialize)]
pub(crate) struct InteractionParams {
    #[serde(deserialize_with = "snowflake::deserialize")]
    guild_id: u64,
    #[serde(deserialize_with = "snowflake::deserialize")]
    user_id: u64,
    /// The command's name, with subcommands after spaces: `roles list`.
    command: Option<String>,
    #[serde(default)]
    options: Vec<Value>,
    #[serde(default)]
    autocomplete: bool,
    /// The `custom_id` of a button or menu on the message `message_id`.
    component: Option<String>,
    #[serde(default, deserialize_with = "snowflake::optional")]
    message_id: Option<u64>,
    /// What was chosen from the menu.
    #[serde(default)]
    values: Vec<String>,
    /// The `custom_id` of a form.
    modal: Option<String>,
    /// What was filled in, by the `custom_id` of the field.
    #[serde(default)]
    fields: Map<String, Value>,
    /// The member's permissions in the channel; administrator unless said otherwise.
    permissions: Option<String>,
}

/// Does it, and waits until the answer is visible.
pub(crate) async fn interact(
    State(discord): State<Arc<Discord>>,
    Json(params): Json<InteractionParams>,
) -> Result<Json<Value>, Refusal> {
    let mut changes = discord.changes();
    let mut token: Option<String> = None;
    let mut progress = "";
    let answered = async {
        loop {
            let visible = {
                // Not `with`: that would announce a change, which is what this loop waits for.
                let mut world = discord.quietly();
                if token.is_none() {
                    match invoke(&mut world, &params)? {
                        Invoked::As(fresh) => token = Some(fresh),
                        Invoked::NotYet(why) => progress = why,
                    }
                }
                let responses = token
                    .as_ref()
                    .and_then(|token| world.interactions.iter().rev().find(|one| one.token == *token));
                responses.and_then(|responses| {
                    progress = responses.progress();
                    responses.visible(&world.messages)
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
    let what = params.command.as_ref().or(params.component.as_ref()).or(params.modal.as_ref());
    let what = what.map_or("nothing", String::as_str);
    outcome.unwrap_or_else(|_| Err(Refusal::timed_out(format!("/{what}: {progress}"))))
}

enum Invoked {
    /// The event went out; the answers come with this token.
    As(String),
    /// The bot is not ready for it.
    NotYet(&'static str),
}

fn invoke(world: &mut World, params: &InteractionParams) -> Result<Invoked, Refusal> {
    let guild = world.guilds.get(&params.guild_id).ok_or_else(|| Refusal::missing("guild"))?;
    let member = guild.members.get(&params.user_id).ok_or_else(|| Refusal::missing("member"))?;
    if !guild.bot_in_guild {
        return Err(Refusal::conflict("the bot is not in this guild"));
    }
    let mut message = Value::Null;
    if let Some(id) = params.message_id {
        message = world.messages.read(id).map_err(|_| Refusal::missing("message"))?;
    }
    let (kind, data) = match (&params.command, &params.component, &params.modal) {
        (Some(words), None, None) => match command(world, guild, params, words)? {
            Some(data) if params.autocomplete => (Kind::Autocomplete, data),
            Some(data) => (Kind::Command, data),
            None => return Ok(Invoked::NotYet("the bot never registered it")),
        },
        (None, Some(custom_id), None) => {
            let id = params.message_id.ok_or_else(|| Refusal::malformed("a component is on a message"))?;
            let found =
                component(&message["components"], custom_id).ok_or_else(|| Refusal::missing("component"))?;
            let mut data =
                json!({ "custom_id": custom_id, "component_type": found["type"], "id": found["id"] });
            if found["type"] != 2 {
                data["values"] = params.values.clone().into();
            }
            (Kind::Component(id), data)
        }
        (None, None, Some(custom_id)) => {
            let row = |(number, (name, value)): (usize, (&String, &Value))| {
                let field = json!({ "type": 4, "id": 2 * number + 2, "custom_id": name, "value": value });
                json!({ "type": 1, "id": 2 * number + 1, "components": [field] })
            };
            let rows: Vec<Value> = params.fields.iter().enumerate().map(row).collect();
            let data = json!({ "custom_id": custom_id, "components": rows, "resolved": {} });
            (Kind::Modal(params.message_id), data)
        }
        _ => return Err(Refusal::malformed("one of command, component and modal")),
    };

    let channel = guild.channels.keys().next().copied().unwrap_or_default();
    let permissions = params.permissions.as_deref().unwrap_or("8");
    let mut invoker = wire::member(params.user_id, member);
    invoker["permissions"] = permissions.into();
    let guild_id = params.guild_id.to_string();
    let token = format!("interaction-{}", uuid::Uuid::new_v4().simple());
    let id = world.mint.next();
    let mut event = json!({
        "id": id.to_string(), "application_id": BOT_ID.to_string(), "type": kind.number(), "token": token,
        "version": 1, "locale": "en-US", "guild_locale": "en-US", "guild_id": guild_id,
        "guild": { "id": guild_id, "locale": "en-US", "features": [] },
        "channel_id": channel.to_string(),
        "channel": { "id": channel.to_string(), "type": 0, "name": "general", "permissions": permissions },
        "app_permissions": "8", "entitlements": [], "authorizing_integration_owners": { "0": guild_id },
        "context": 0, "attachment_size_limit": 10_485_760, "member": invoker, "data": data,
    });
    if !message.is_null() {
        event["message"] = message;
    }
    let Some(session) = world.gateway.speaking_to(params.guild_id) else {
        return Ok(Invoked::NotYet("no gateway session"));
    };
    session.dispatch("INTERACTION_CREATE", &event);
    world.interactions.push(InteractionResponses::new(id, token.clone(), channel, kind));
    Ok(Invoked::As(token))
}

/// A registered command, as the event tells it.
fn command(
    world: &World,
    guild: &Guild,
    params: &InteractionParams,
    words: &str,
) -> Result<Option<Value>, Refusal> {
    let mut words = words.trim_start_matches('/').split_whitespace();
    let name = words.next().ok_or_else(|| Refusal::malformed("empty command"))?;
    let own = world.guild_commands.get(&guild.id).into_iter().flatten();
    let command = own.chain(&world.commands).find(|command| command["name"] == name);
    Ok(command.map(|command| {
        json!({
            "id": command["id"], "name": name, "type": 1, "guild_id": guild.id.to_string(),
            "options": nested(&words.collect::<Vec<_>>(), params.options.clone()),
            "resolved": resolved(guild, &params.options),
        })
    }))
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

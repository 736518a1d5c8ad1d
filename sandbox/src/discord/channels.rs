//! Channels, direct ones too, and what the bot writes there. In: the bot's calls. Out: Discord's answers.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::messages::check;
use super::reply::No;
use super::rest::id;
use super::snowflake;
use super::state::Discord;
use super::wire;
use super::wire_ids::{ADMINISTRATOR, BOT_ID, VIEW};
use super::world::World;

const SEND: u64 = 0x800;
const MANAGE_MESSAGES: u64 = 0x2000;
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 100;

/// Where a message goes.
enum Place {
    /// A guild's channel, and what the bot may do in it.
    Guild(u64),
    /// A conversation with this user.
    Direct(u64),
}

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/users/@me/channels", post(open_direct))
        .route("/guilds/{guild}/channels", get(list))
        .route("/channels/{channel}", get(read_channel))
        .route("/channels/{channel}/messages", get(messages).post(write))
        .route("/channels/{channel}/messages/{message}", get(read).patch(edit).delete(remove))
}

impl World {
    fn place(&self, channel: u64) -> Result<Place, No> {
        if let Some(user) = self.directs.get(&channel) {
            return Ok(Place::Direct(*user));
        }
        let mut guilds = self.guilds.values();
        let guild = guilds.find(|guild| guild.channels.contains_key(&channel)).ok_or(No::UnknownChannel)?;
        let base = self.seen_by_bot(guild.id)?.bot_permissions();
        let permissions =
            if base & ADMINISTRATOR != 0 { u64::MAX } else { base & !guild.channels[&channel].bot_denied };
        if permissions & VIEW == 0 { Err(No::MissingAccess) } else { Ok(Place::Guild(permissions)) }
    }

    /// A message of this channel.
    fn in_place(&self, channel: u64, message: u64) -> Result<(Place, u64), No> {
        let place = self.place(channel)?;
        match self.messages.place(message) {
            Some((at, author)) if at == channel => Ok((place, author)),
            _ => Err(No::UnknownMessage),
        }
    }

    /// The channel in which the bot and this user talk.
    pub(crate) fn direct(&mut self, user: u64) -> u64 {
        let known = self.directs.iter().find(|(_, with)| **with == user).map(|(channel, _)| *channel);
        known.unwrap_or_else(|| {
            let channel = self.mint.next();
            self.directs.insert(channel, user);
            channel
        })
    }

    /// Whether Discord delivers the bot's direct message: they share a guild, and the user lets non-friends write.
    fn reaches(&self, user: u64) -> Result<(), No> {
        let is_shared =
            self.guilds.values().any(|guild| guild.bot_in_guild && guild.members.contains_key(&user));
        match (is_shared, self.closed.contains(&user)) {
            (false, _) => Err(No::OutOfReach),
            (true, true) => Err(No::CannotMessage),
            (true, false) => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct Recipient {
    #[serde(deserialize_with = "snowflake::deserialize")]
    recipient_id: u64,
}

async fn open_direct(
    State(discord): State<Arc<Discord>>,
    Json(Recipient { recipient_id }): Json<Recipient>,
) -> Result<Json<Value>, No> {
    discord.with(|world| {
        if recipient_id == BOT_ID || !world.knows(recipient_id) {
            return Err(No::InvalidRecipient);
        }
        let channel = world.direct(recipient_id);
        Ok(Json(wire::direct(channel, &world.user(recipient_id))))
    })
}

async fn list(
    State(discord): State<Arc<Discord>>,
    Path(guild): Path<String>,
) -> Result<Json<Vec<Value>>, No> {
    let guild = id(&guild)?;
    discord.with(|world| Ok(Json(wire::visible_channels(world.seen_by_bot(guild)?))))
}

async fn read_channel(
    State(discord): State<Arc<Discord>>,
    Path(channel): Path<String>,
) -> Result<Json<Value>, No> {
    let channel = id(&channel)?;
    discord.with(|world| match world.place(channel)? {
        Place::Direct(user) => Ok(Json(wire::direct(channel, &world.user(user)))),
        Place::Guild(_) => {
            let shown = world.guilds.values().flat_map(wire::visible_channels);
            let wanted = channel.to_string();
            shown.into_iter().find(|shape| shape["id"] == wanted).map(Json).ok_or(No::UnknownChannel)
        }
    })
}

#[derive(Deserialize)]
struct Range {
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<usize>,
}

async fn messages(
    State(discord): State<Arc<Discord>>,
    Path(channel): Path<String>,
    range: Result<Query<Range>, QueryRejection>,
) -> Result<Json<Vec<Value>>, No> {
    let channel = id(&channel)?;
    let Query(range) = range.map_err(|_| No::InvalidForm)?;
    let limit = range.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(No::InvalidForm);
    }
    discord.with(|world| {
        world.place(channel)?;
        let within = world.messages.in_channel(channel).filter(|(id, _)| {
            range.before.is_none_or(|before| *id < before) && range.after.is_none_or(|after| *id > after)
        });
        let mut page: Vec<Value> = match range.after {
            Some(_) => within.take(limit).map(|(_, shape)| shape.clone()).collect(),
            None => within.rev().take(limit).map(|(_, shape)| shape.clone()).collect(),
        };
        if range.after.is_some() {
            page.reverse();
        }
        Ok(Json(page))
    })
}

async fn write(
    State(discord): State<Arc<Discord>>,
    Path(channel): Path<String>,
    Json(sent): Json<Value>,
) -> Result<Json<Value>, No> {
    let channel = id(&channel)?;
    discord.with(|world| {
        match world.place(channel)? {
            Place::Guild(permissions) if permissions & SEND == 0 => return Err(No::MissingPermissions),
            Place::Direct(user) => world.reaches(user)?,
            Place::Guild(_) => {}
        }
        check(&sent)?;
        if let Some(same) = world.messages.same(BOT_ID, &sent) {
            return world.messages.read(same).map(Json);
        }
        let author = world.user(BOT_ID);
        let id = world.messages.post(&mut world.mint, channel, &author, &sent);
        world.messages.read(id).map(Json)
    })
}

async fn read(
    State(discord): State<Arc<Discord>>,
    Path((channel, message)): Path<(String, String)>,
) -> Result<Json<Value>, No> {
    let (channel, message) = (id(&channel)?, id(&message)?);
    discord.with(|world| {
        world.in_place(channel, message)?;
        world.messages.read(message).map(Json)
    })
}

async fn edit(
    State(discord): State<Arc<Discord>>,
    Path((channel, message)): Path<(String, String)>,
    Json(sent): Json<Value>,
) -> Result<Json<Value>, No> {
    let (channel, message) = (id(&channel)?, id(&message)?);
    discord.with(|world| match world.in_place(channel, message)? {
        (_, BOT_ID) => world.messages.edit(message, &sent).map(Json),
        _ => Err(No::NotItsMessage),
    })
}

async fn remove(
    State(discord): State<Arc<Discord>>,
    Path((channel, message)): Path<(String, String)>,
) -> Result<StatusCode, No> {
    let (channel, message) = (id(&channel)?, id(&message)?);
    discord.with(|world| {
        match world.in_place(channel, message)? {
            (_, BOT_ID) => {}
            (Place::Guild(permissions), _) if permissions & MANAGE_MESSAGES != 0 => {}
            _ => return Err(No::MissingPermissions),
        }
        world.messages.delete(message).map(|()| StatusCode::NO_CONTENT)
    })
}

//! Messages to members. In: whom, an embed, a nonce. Out: the outcome. And the names that stand in them.

use std::{collections::BTreeMap, time::Instant};

use serde::Deserialize;
use serde_json::json;
use serenity::{
    all as discord,
    http::{LightMethod, Request, Route},
};
use shared::{
    domain::delivery::outcome::{CallOutcome, Transient},
    ids::{GuildId, NoticeId, RoleId, UserId},
    views::discord::Embed,
};

use super::{
    client::{NoTime, RoleClient, discord_guild},
    rate_limit::Bucket,
};

/// A conversation with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversation {
    user: UserId,
    channel: discord::ChannelId,
}

/// What a server and its roles are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    pub server: String,
    pub roles: BTreeMap<RoleId, String>,
}

impl RoleClient {
    /// Opens the conversation with a member, or finds the one that there is. Says nothing to them.
    pub async fn converse(
        &self,
        user: UserId,
        until: Instant,
    ) -> Result<Result<Conversation, CallOutcome>, NoTime> {
        let body = json!({ "recipient_id": user.to_string() }).to_string().into_bytes();
        let request = Request::new(Route::UserMeDmChannels, LightMethod::Post).body(Some(body));
        let answer = self.call(Bucket::Conversation, "POST", request, until).await?;
        Ok(match answer.outcome {
            CallOutcome::Done => match channel(&answer.body) {
                Some(channel) => Ok(Conversation { user, channel }),
                None => Err(CallOutcome::Transient(Transient::Connection)),
            },
            other => Err(other),
        })
    }

    /// Sends a message, which mentions nobody. With the same nonce Discord takes it once within a few minutes, and answers as if it
    /// had taken it again.
    pub async fn send(
        &self,
        to: Conversation,
        embed: &Embed,
        nonce: NoticeId,
        until: Instant,
    ) -> Result<CallOutcome, NoTime> {
        let route = Route::ChannelMessages { channel_id: to.channel };
        let body = message(embed, nonce).to_string().into_bytes();
        let request = Request::new(route, LightMethod::Post).body(Some(body));
        Ok(self.call(Bucket::Message(to.user), "POST", request, until).await?.outcome)
    }

    /// What a server and its roles are called.
    pub async fn names(&self, guild: GuildId, until: Instant) -> Result<Result<Names, CallOutcome>, NoTime> {
        let request = Request::new(Route::Guild { guild_id: discord_guild(guild) }, LightMethod::Get);
        let answer = self.call(Bucket::Server(guild), "GET", request, until).await?;
        Ok(match answer.outcome {
            CallOutcome::Done => names(&answer.body).ok_or(CallOutcome::Transient(Transient::Connection)),
            other => Err(other),
        })
    }
}

/// <https://discord.com/developers/docs/resources/message#create-message>
fn message(embed: &Embed, nonce: NoticeId) -> serde_json::Value {
    let mut shown = json!({ "description": embed.description });
    if let Some(title) = &embed.title {
        shown["title"] = title.as_str().into();
    }
    if let Some(colour) = embed.colour {
        shown["color"] = colour.into();
    }
    json!({
        "embeds": [shown], "nonce": nonce.to_string(), "enforce_nonce": true, "allowed_mentions": { "parse": [] },
    })
}

/// The channel in an answer.
fn channel(body: &[u8]) -> Option<discord::ChannelId> {
    #[derive(Deserialize)]
    struct WireChannel {
        id: String,
    }
    let channel: WireChannel = serde_json::from_slice(body).ok()?;
    // serenity's ids are never 0.
    channel.id.parse().ok().filter(|id| *id > 0).map(discord::ChannelId::new)
}

/// The names in an answer; `None` if it is anything else, or a part.
fn names(body: &[u8]) -> Option<Names> {
    #[derive(Deserialize)]
    struct WireGuild {
        name: String,
        roles: Vec<WireRole>,
    }
    #[derive(Deserialize)]
    struct WireRole {
        id: String,
        name: String,
    }
    let wire: WireGuild = serde_json::from_slice(body).ok()?;
    let roles = wire.roles.into_iter().map(|role| Some((role.id.parse().ok()?, role.name)));
    Some(Names { server: wire.name, roles: roles.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_mentions_nobody_and_is_taken_once() {
        let embed =
            Embed { title: Some("A".to_owned()), description: "B @everyone".to_owned(), colour: Some(1) };
        let message = message(&embed, NoticeId::from_u64(u64::MAX >> 1).unwrap());
        let expected = json!({
            "embeds": [{ "title": "A", "description": "B @everyone", "color": 1 }],
            "nonce": "9223372036854775807", "enforce_nonce": true, "allowed_mentions": { "parse": [] },
        });
        assert_eq!(message, expected);
        assert!(message["nonce"].as_str().unwrap().len() <= 25, "Discord's limit");
    }

    #[test]
    fn what_is_no_whole_answer_is_none() {
        assert_eq!(channel(br#"{"id":"5","type":1}"#), Some(discord::ChannelId::new(5)));
        for body in [r#"{"id":"0"}"#, r#"{"id":5}"#, r#"{}"#, r#"{"id":"x"}"#, r#"{"id":"5""#] {
            assert_eq!(channel(body.as_bytes()), None, "{body}");
        }
        let read = names(br#"{"name":"Ana's","roles":[{"id":"7","name":"VIP","permissions":"0"}]}"#).unwrap();
        assert_eq!((read.server.as_str(), read.roles[&"7".parse().unwrap()].as_str()), ("Ana's", "VIP"));
        for body in [r#"{"name":"A"}"#, r#"{"name":null,"roles":[]}"#, r#"{"name":"A","roles":[{"id":"7"}]}"#]
        {
            assert_eq!(names(body.as_bytes()), None, "{body}");
        }
    }
}

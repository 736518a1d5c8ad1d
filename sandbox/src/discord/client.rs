//! The control API as Rust methods. In: a running fake Discord's URL. Out: typed answers for tests and the demo.

use std::collections::BTreeSet;

use anyhow::Context;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::records::{AuditEntry, Interaction, Limits, Message};
use super::snowflake;
use crate::remote::Remote;
use crate::{Fault, Request};

/// Steers one fake Discord.
#[derive(Clone, Debug)]
pub struct Control(Remote);

#[derive(Deserialize)]
struct Created {
    #[serde(deserialize_with = "snowflake::deserialize")]
    id: u64,
}

impl Control {
    /// For the sandbox at this URL, with or without `/_sandbox`.
    pub fn new(base_url: &str) -> Self {
        Self(Remote::new(base_url))
    }

    /// Everything: guilds, registered commands, the number of gateway sessions.
    pub async fn state(&self) -> anyhow::Result<Value> {
        self.0.get("/state").await
    }

    /// A guild with @everyone, the bot and its role at position 50. The id is made up if not given.
    pub async fn create_guild(&self, id: Option<u64>, name: &str) -> anyhow::Result<u64> {
        let body = json!({ "id": id.map(|id| id.to_string()), "name": name });
        self.create("/guilds", &body).await
    }

    /// A role below the bot's.
    pub async fn create_role(&self, guild: u64, name: &str) -> anyhow::Result<u64> {
        self.create(&format!("/guilds/{guild}/roles"), &json!({ "name": name })).await
    }

    /// Changes a role's `name`, `position`, `permissions` (a decimal text), `managed` or `tags`.
    pub async fn set_role(&self, guild: u64, role: u64, change: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PATCH, &format!("/guilds/{guild}/roles/{role}"), &change).await
    }

    pub async fn delete_role(&self, guild: u64, role: u64) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/guilds/{guild}/roles/{role}"), &Value::Null).await
    }

    /// A new person joins.
    pub async fn join(&self, guild: u64, username: &str) -> anyhow::Result<u64> {
        self.create(&format!("/guilds/{guild}/members"), &json!({ "username": username })).await
    }

    /// A new person joins, who has the server's rules to accept.
    pub async fn join_pending(&self, guild: u64, username: &str) -> anyhow::Result<u64> {
        let body = json!({ "username": username, "pending": true });
        self.create(&format!("/guilds/{guild}/members"), &body).await
    }

    /// They accept them.
    pub async fn accept_rules(&self, guild: u64, user: u64) -> anyhow::Result<()> {
        self.0.tell(Method::PUT, &format!("/guilds/{guild}/members/{user}/rules"), &Value::Null).await
    }

    /// A known person joins (again, or another guild), without roles.
    pub async fn rejoin(&self, guild: u64, user: u64) -> anyhow::Result<()> {
        let body = json!({ "id": user.to_string() });
        self.0.tell(Method::POST, &format!("/guilds/{guild}/members"), &body).await
    }

    /// A person leaves.
    pub async fn leave(&self, guild: u64, user: u64) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/guilds/{guild}/members/{user}"), &Value::Null).await
    }

    /// A moderator gives a role by hand.
    pub async fn give_role(&self, guild: u64, user: u64, role: u64) -> anyhow::Result<()> {
        let path = format!("/guilds/{guild}/members/{user}/roles/{role}");
        self.0.tell(Method::PUT, &path, &Value::Null).await
    }

    /// A moderator takes a role by hand.
    pub async fn take_role(&self, guild: u64, user: u64, role: u64) -> anyhow::Result<()> {
        let path = format!("/guilds/{guild}/members/{user}/roles/{role}");
        self.0.tell(Method::DELETE, &path, &Value::Null).await
    }

    /// A member's roles; `None` if they are not in the guild.
    pub async fn member_roles(&self, guild: u64, user: u64) -> anyhow::Result<Option<BTreeSet<u64>>> {
        let guild = self.guild(guild).await?;
        let user = user.to_string();
        let members = guild["members"].as_array().context("a guild without members")?;
        let Some(member) = members.iter().find(|member| member["id"] == user.as_str()) else {
            return Ok(None);
        };
        let roles = member["roles"].as_array().context("a member without roles")?;
        let id = |role: &Value| Ok(role.as_str().context("a role that is no text")?.parse()?);
        roles.iter().map(id).collect::<anyhow::Result<_>>().map(Some)
    }

    /// A new account, in no guild.
    pub async fn sign_up(&self, username: &str) -> anyhow::Result<u64> {
        self.create("/users", &json!({ "username": username })).await
    }

    /// What somebody says of themselves: any of `global_name`, `email` and `verified`.
    pub async fn set_profile(&self, user: u64, profile: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PUT, &format!("/users/{user}/profile"), &profile).await
    }

    /// The application's `client_secret` and `redirect_uris`, and after how many milliseconds (`code_ms`) a code is too old.
    pub async fn set_oauth(&self, settings: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PUT, "/oauth", &settings).await
    }

    /// What keeps people out whom the bot adds: `banned` and `full` (in as many guilds as they may be) name users, with `screening`
    /// newcomers have rules to accept. What is not said is not so.
    pub async fn set_door(&self, door: Value) -> anyhow::Result<()> {
        self.0.tell(Method::PUT, "/door", &door).await
    }

    /// How many people's tokens work now.
    pub async fn oauth_grants(&self) -> anyhow::Result<u64> {
        self.state().await?["oauth_grants"].as_u64().context("a state without grants")
    }

    /// Who changed which role, oldest first.
    pub async fn audit_log(&self, guild: u64) -> anyhow::Result<Vec<AuditEntry>> {
        Ok(serde_json::from_value(self.guild(guild).await?["audit_log"].take())?)
    }

    /// The bot is thrown out of a guild.
    pub async fn kick_bot(&self, guild: u64) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, &format!("/guilds/{guild}/bot"), &Value::Null).await
    }

    /// The bot is invited back.
    pub async fn invite_bot(&self, guild: u64) -> anyhow::Result<()> {
        self.0.tell(Method::PUT, &format!("/guilds/{guild}/bot"), &Value::Null).await
    }

    /// The Gateway says that a guild is not available, as during an outage of Discord's.
    pub async fn guild_outage(&self, guild: u64) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/guilds/{guild}/outage"), &Value::Null).await
    }

    /// An administrator invokes `name` or `name subcommand`; waits up to 10 s for the visible answer.
    pub async fn interact(&self, guild: u64, user: u64, command: &str) -> anyhow::Result<Interaction> {
        self.interact_with(guild, user, command, json!([]), "8").await
    }

    /// The same with Discord's option objects (`[{"name","type","value"}]`) and the member's permissions.
    pub async fn interact_with(
        &self,
        guild: u64,
        user: u64,
        command: &str,
        options: Value,
        permissions: &str,
    ) -> anyhow::Result<Interaction> {
        let body = json!({
            "guild_id": guild.to_string(), "user_id": user.to_string(), "command": command,
            "options": options, "permissions": permissions,
        });
        self.0.call(Method::POST, "/interactions", &body).await
    }

    /// A member presses the button, or chooses from the menu, with this `custom_id` on a message.
    pub async fn click(
        &self,
        (guild, user): (u64, u64),
        message: &str,
        custom_id: &str,
        values: &[&str],
    ) -> anyhow::Result<Interaction> {
        let body = json!({
            "guild_id": guild.to_string(), "user_id": user.to_string(), "component": custom_id,
            "message_id": message, "values": values,
        });
        self.0.call(Method::POST, "/interactions", &body).await
    }

    /// A member sends the form with this `custom_id`; `fields` by their own `custom_id`.
    pub async fn submit(
        &self,
        (guild, user): (u64, u64),
        custom_id: &str,
        fields: Value,
    ) -> anyhow::Result<Interaction> {
        let body = json!({
            "guild_id": guild.to_string(), "user_id": user.to_string(), "modal": custom_id, "fields": fields,
        });
        self.0.call(Method::POST, "/interactions", &body).await
    }

    /// A member is typing the option that is marked `"focused": true`; the choices are in the callback.
    pub async fn complete(
        &self,
        (guild, user): (u64, u64),
        command: &str,
        options: Value,
    ) -> anyhow::Result<Interaction> {
        let body = json!({
            "guild_id": guild.to_string(), "user_id": user.to_string(), "command": command,
            "options": options, "autocomplete": true,
        });
        self.0.call(Method::POST, "/interactions", &body).await
    }

    /// A text channel; `bot_denied` are permission bits that the bot lacks there.
    pub async fn create_channel(&self, guild: u64, name: &str, bot_denied: u64) -> anyhow::Result<u64> {
        let body = json!({ "name": name, "bot_denied": bot_denied.to_string() });
        self.create(&format!("/guilds/{guild}/channels"), &body).await
    }

    /// What everyone in a channel sees, oldest first.
    pub async fn channel_messages(&self, channel: u64) -> anyhow::Result<Vec<Message>> {
        self.0.get(&format!("/channels/{channel}/messages")).await
    }

    /// Somebody writes in a channel.
    pub async fn write(&self, channel: u64, user: u64, content: &str) -> anyhow::Result<u64> {
        let body = json!({ "user_id": user.to_string(), "content": content });
        self.create(&format!("/channels/{channel}/messages"), &body).await
    }

    /// What the bot wrote to a user directly, oldest first.
    pub async fn direct_messages(&self, user: u64) -> anyhow::Result<Vec<Message>> {
        self.0.get(&format!("/users/{user}/messages")).await
    }

    /// Whether a user takes direct messages.
    pub async fn set_direct(&self, user: u64, open: bool) -> anyhow::Result<()> {
        self.0.tell(Method::PUT, &format!("/users/{user}/direct"), &json!({ "open": open })).await
    }

    /// Lets the next matching REST calls go wrong.
    pub async fn fault(&self, fault: Fault) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/faults", &serde_json::to_value(&fault)?).await
    }

    /// Forgets the faults that have not happened yet.
    pub async fn clear_faults(&self) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, "/faults", &Value::Null).await
    }

    /// Sets all rate limits and opens fresh windows.
    pub async fn set_limits(&self, limits: Limits) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/limits", &serde_json::to_value(&limits)?).await
    }

    /// Every REST call since the last clearing, in order of arrival.
    pub async fn requests(&self) -> anyhow::Result<Vec<Request>> {
        self.0.get("/requests").await
    }

    /// Every REST call that arrived after this one.
    pub async fn requests_since(&self, seq: u64) -> anyhow::Result<Vec<Request>> {
        self.0.get(&format!("/requests?since={seq}")).await
    }

    /// The same with what was sent and answered.
    pub async fn transcripts(&self) -> anyhow::Result<Vec<Request>> {
        self.0.get("/requests?transcripts=true").await
    }

    /// Forgets the calls so far; numbering goes on.
    pub async fn clear_requests(&self) -> anyhow::Result<()> {
        self.0.tell(Method::DELETE, "/requests", &Value::Null).await
    }

    /// Breaks every gateway connection without a close frame; the sessions can be resumed.
    pub async fn drop_gateway(&self) -> anyhow::Result<()> {
        self.gateway_fault("drop", json!({ "resumable": true })).await
    }

    /// The same, and the sessions are forgotten with all that happens from now on.
    pub async fn forget_gateway(&self) -> anyhow::Result<()> {
        self.gateway_fault("drop", json!({ "resumable": false })).await
    }

    /// Tells every client to reconnect (opcode 7).
    pub async fn reconnect_gateway(&self) -> anyhow::Result<()> {
        self.gateway_fault("reconnect", Value::Null).await
    }

    /// Tells every client that its session is invalid (opcode 9).
    pub async fn invalidate_gateway(&self, resumable: bool) -> anyhow::Result<()> {
        self.gateway_fault("invalidate", json!({ "resumable": resumable })).await
    }

    /// Closes every gateway connection with this code.
    pub async fn close_gateway(&self, code: u16) -> anyhow::Result<()> {
        self.gateway_fault("close", json!({ "code": code })).await
    }

    /// Every gateway connection stays open, and neither hears nor says anything any more.
    pub async fn deafen_gateway(&self) -> anyhow::Result<()> {
        self.gateway_fault("deafen", Value::Null).await
    }

    /// Ends every gateway connection in one of the ways that the sandbox's README lists; the sessions can be resumed.
    pub async fn end_gateway(&self, how: &str) -> anyhow::Result<()> {
        self.gateway_fault("end", json!({ "how": how })).await
    }

    /// Says this text on every gateway connection, whatever it is.
    pub async fn say_on_gateway(&self, text: &str) -> anyhow::Result<()> {
        self.gateway_fault("say", json!({ "text": text })).await
    }

    /// The next `times` events of this kind have another value at this RFC 6901 pointer; `None` leaves the field out.
    pub async fn replace_field(
        &self,
        event: &str,
        pointer: &str,
        value: Option<Value>,
        times: u32,
    ) -> anyhow::Result<()> {
        let mut body = json!({ "event": event, "pointer": pointer, "times": times });
        // `null` is a value, too.
        if let Some(value) = value {
            body["value"] = value;
        }
        self.gateway_fault("replace-field", body).await
    }

    /// What clients meet that connect to the gateway from now on: `{"kind": "welcome"}`, or another of the README's.
    pub async fn greet_gateway(&self, greeting: Value) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/gateway", &json!({ "greeting": greeting })).await
    }

    /// What `GET /gateway/bot` says of the day's IDENTIFYs.
    pub async fn set_identifies_left(&self, remaining: u64, reset_after_ms: u64) -> anyhow::Result<()> {
        let left = json!({ "remaining": remaining, "reset_after_ms": reset_after_ms });
        self.0.tell(Method::POST, "/gateway", &json!({ "identifies_left": left })).await
    }

    /// How often clients that connect from now on must send a heartbeat.
    pub async fn set_heartbeat(&self, interval_ms: u64) -> anyhow::Result<()> {
        let body = json!({ "heartbeat_interval_ms": interval_ms });
        self.0.tell(Method::POST, "/gateway", &body).await
    }

    /// Whether the application may use the privileged member intent.
    pub async fn allow_members_intent(&self, allowed: bool) -> anyhow::Result<()> {
        self.0.tell(Method::POST, "/gateway", &json!({ "members_intent": allowed })).await
    }

    async fn gateway_fault(&self, what: &str, body: Value) -> anyhow::Result<()> {
        self.0.tell(Method::POST, &format!("/gateway/{what}"), &body).await
    }

    async fn create(&self, path: &str, body: &Value) -> anyhow::Result<u64> {
        Ok(self.0.call::<Created>(Method::POST, path, body).await?.id)
    }

    async fn guild(&self, guild: u64) -> anyhow::Result<Value> {
        let id = guild.to_string();
        let mut state = self.state().await?;
        let guilds = state["guilds"].as_array_mut().context("a state without guilds")?;
        let found = guilds.iter_mut().find(|guild| guild["id"] == id.as_str());
        Ok(found.with_context(|| format!("no guild {id}"))?.take())
    }
}

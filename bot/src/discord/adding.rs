//! Adding somebody to a server by their own token. In: who, the token, and roles to give in the same call. Out: whether they are there
//! now, as Discord says it.

use std::{collections::BTreeSet, time::Instant};

use serde::Deserialize;
use serde_json::json;
use serenity::{
    all as discord,
    http::{LightMethod, Request, Route},
};
use shared::{
    domain::{
        adding::AccessToken,
        delivery::outcome::{CallOutcome, Transient},
    },
    ids::{GuildId, RoleId, UserId},
};

use super::{
    client::{NoTime, RoleClient, discord_guild, with_reason},
    rate_limit::Bucket,
};

/// The status of an answer with a body: they were not in the server before.
const CREATED: u16 = 201;

/// Discord's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// They joined by this call.
    New(Newcomer),
    /// They were in the server before; what else the call asked for was not done.
    WasThere,
    No(CallOutcome),
}

/// A member as they came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    pub roles: BTreeSet<RoleId>,
    pub has_rules_to_accept: bool,
}

#[derive(Deserialize)]
struct WireMember {
    roles: Vec<String>,
    #[serde(default)]
    pending: Option<bool>,
}

impl RoleClient {
    pub async fn add_member(
        &self,
        guild: GuildId,
        user: UserId,
        token: &AccessToken,
        roles: &[RoleId],
        reason: &str,
        until: Instant,
    ) -> Result<Added, NoTime> {
        let user_id = discord::UserId::new(user.get());
        let route = Route::GuildMember { guild_id: discord_guild(guild), user_id };
        let mut body = json!({ "access_token": token.expose() });
        if !roles.is_empty() {
            body["roles"] = roles.iter().map(ToString::to_string).collect();
        }
        let body = Some(body.to_string().into_bytes());
        let request = Request::new(route, LightMethod::Put).body(body).headers(with_reason(reason));
        let answer = self.call(Bucket::Join(guild), "PUT", request, until).await?;
        Ok(match answer.outcome {
            CallOutcome::Done if answer.body.is_empty() => Added::WasThere,
            // With which roles they came in is not known then, nor that they did.
            CallOutcome::Done => newcomer(&answer.body)
                .map_or(Added::No(CallOutcome::Transient(Transient::Status(CREATED))), Added::New),
            no => Added::No(no),
        })
    }
}

fn newcomer(body: &[u8]) -> Option<Newcomer> {
    let member: WireMember = serde_json::from_slice(body).ok()?;
    let roles = member.roles.iter().map(|role| role.parse().ok()).collect::<Option<_>>()?;
    Some(Newcomer { roles, has_rules_to_accept: member.pending == Some(true) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_is_read_whole_or_nothing_of_them() {
        let read = |body: &str| newcomer(body.as_bytes());
        let roles = BTreeSet::from(["7".parse().unwrap()]);
        let whole = Newcomer { roles, has_rules_to_accept: true };
        assert_eq!(read(r#"{"roles":["7"],"pending":true,"user":{}}"#), Some(whole.clone()));
        let accepted = Newcomer { has_rules_to_accept: false, ..whole };
        assert_eq!(read(r#"{"roles":["7"]}"#), Some(accepted));
        for broken in ["", "{}", r#"{"roles":["x"]}"#, r#"{"roles":["7"#, "[]"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}

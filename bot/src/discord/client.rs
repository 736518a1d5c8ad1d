//! The three calls that the worker makes. In: ids and a reason. Out: what it came to, and how long the bucket is empty.
//!
//! Requests are serenity's own (`Request`, `Route`); they travel over our client, because serenity's `Http` drops the
//! headers of errors and its limiter sleeps while it holds a bucket's lock.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serenity::{
    all as discord,
    http::{LightMethod, Request, Route},
};
use shared::{
    domain::{
        outcome::{CallOutcome, LimitScope, Transient},
        plan::Member,
    },
    ids::{GuildId, RoleId, UserId},
};

use super::{
    outcome::{bucket_wait, classify, counts_as_invalid},
    pacing::{NotBefore, Pacer},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Discord's limit, in encoded characters.
const MAX_REASON: usize = 512;
const REASON: HeaderName = HeaderName::from_static("x-audit-log-reason");

/// What to do with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleCall {
    /// `PUT`
    Add,
    /// `DELETE`
    Remove,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// What it came to.
    pub outcome: CallOutcome,
    /// The guild must wait so long before the next call of this kind.
    pub bucket_wait: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    fn without_call(outcome: CallOutcome) -> Self {
        Self { outcome, bucket_wait: None, body: Vec::new() }
    }
}

/// Calls Discord.
pub struct RoleClient {
    http: reqwest::Client,
    authorization: SecretString,
    base: String,
    pacer: Pacer,
}

impl RoleClient {
    /// `api_url`: scheme and host only.
    pub fn new(token: &SecretString, api_url: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let authorization = SecretString::from(format!("Bot {}", token.expose_secret()));
        Ok(Self { http, authorization, base: api_url.to_owned(), pacer: Pacer::default() })
    }

    /// The member's roles, or that they are absent; anything else is an outcome.
    pub async fn member(
        &self,
        guild: GuildId,
        user: UserId,
        timeout: Duration,
    ) -> (Result<Member, CallOutcome>, Option<Duration>) {
        let route = Route::GuildMember { guild_id: discord_guild(guild), user_id: discord_user(user) };
        let answer = self.call(Request::new(route, LightMethod::Get), timeout).await;
        let member = match answer.outcome {
            CallOutcome::Done => {
                roles(&answer.body).map(Member::Present).ok_or(CallOutcome::Transient(Transient::Connection))
            }
            CallOutcome::MemberGone => Ok(Member::Absent),
            other => Err(other),
        };
        (member, answer.bucket_wait)
    }

    /// Adds or removes one role, with a reason for Discord's audit log.
    pub async fn change(
        &self,
        call: RoleCall,
        guild: GuildId,
        user: UserId,
        role: RoleId,
        reason: &str,
        timeout: Duration,
    ) -> Answer {
        let route = Route::GuildMemberRole {
            guild_id: discord_guild(guild),
            user_id: discord_user(user),
            role_id: discord::RoleId::new(role.get()),
        };
        let method = match call {
            RoleCall::Add => LightMethod::Put,
            RoleCall::Remove => LightMethod::Delete,
        };
        let headers = HeaderValue::from_str(&encode_reason(reason))
            .map(|value| HeaderMap::from_iter([(REASON, value)]));
        self.call(Request::new(route, method).headers(headers.ok()), timeout).await
    }

    async fn call(&self, request: Request<'_>, timeout: Duration) -> Answer {
        if let Err(NotBefore(after)) = self.pacer.permit().await {
            return Answer::without_call(CallOutcome::RateLimited { after, scope: LimitScope::Everything });
        }
        let built = request.build(&self.http, self.authorization.expose_secret(), Some(&self.base));
        let Ok(built) = built else {
            tracing::error!("a request to Discord cannot be built; is DISCORD_TOKEN a token?");
            return Answer::without_call(CallOutcome::TokenRejected);
        };
        let sent = async {
            let response = built.timeout(timeout).send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok((status, headers, response.bytes().await?))
        };
        match sent.await {
            Ok((status, headers, body)) => {
                if counts_as_invalid(status, &headers) {
                    self.pacer.count_invalid();
                }
                let outcome = classify(status, &headers, &body);
                if let CallOutcome::RateLimited { after, scope: LimitScope::Everything } = outcome {
                    self.pacer.pause(after);
                }
                Answer { outcome, bucket_wait: bucket_wait(&headers), body: body.to_vec() }
            }
            Err(error) => {
                let error: reqwest::Error = error;
                let cause = if error.is_timeout() { Transient::TimedOut } else { Transient::Connection };
                tracing::warn!(error = %error.without_url(), "Discord did not answer");
                Answer::without_call(CallOutcome::Transient(cause))
            }
        }
    }
}

fn discord_guild(guild: GuildId) -> discord::GuildId {
    discord::GuildId::new(guild.get())
}

fn discord_user(user: UserId) -> discord::UserId {
    discord::UserId::new(user.get())
}

/// The roles in a member object; `None` if it is not one. A truncated answer must not read as "has no roles".
fn roles(body: &[u8]) -> Option<std::collections::BTreeSet<RoleId>> {
    #[derive(Deserialize)]
    struct WireMember {
        roles: Vec<String>,
    }
    let member: WireMember = serde_json::from_slice(body).ok()?;
    member.roles.iter().map(|role| role.parse().ok()).collect()
}

/// Percent-encoded UTF-8, cut at a character so that the whole fits Discord's limit.
fn encode_reason(reason: &str) -> String {
    let mut encoded = String::new();
    for character in reason.chars() {
        let mut buffer = [0; 4];
        let next = match character {
            // Readable in raw logs too; everything else is encoded.
            ' ' | '-' | '_' | '.' | ':' | '(' | ')' => character.to_string(),
            _ => utf8_percent_encode(character.encode_utf8(&mut buffer), NON_ALPHANUMERIC).to_string(),
        };
        if encoded.len() + next.len() > MAX_REASON {
            break;
        }
        encoded.push_str(&next);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_encoded_and_cut_at_a_character() {
        assert_eq!(encode_reason("größe / job 7"), "gr%C3%B6%C3%9Fe %2F job 7");
        assert_eq!(encode_reason("a\r\nX-Evil: 1"), "a%0D%0AX-Evil: 1");
        let long = encode_reason(&"ü".repeat(300));
        assert_eq!(long.len(), 510, "85 characters of six bytes each");
        assert!(long.ends_with("%BC"));
    }

    #[test]
    fn a_truncated_member_is_no_member() {
        assert!(roles(br#"{"user":{}}"#).is_none());
        assert!(roles(br#"{"roles":["1","2""#).is_none());
        assert!(roles(br#"{"roles":["1","x"]}"#).is_none());
        assert_eq!(roles(br#"{"roles":["1","2"]}"#).unwrap().len(), 2);
    }
}

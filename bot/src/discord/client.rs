//! Our own calls: those of the worker, and the registration of commands. In: ids and a reason. Out: the outcome, and how long
//! the bucket is empty.
//!
//! Requests are serenity's own (`Request`, `Route`); they travel over our client, because serenity's `Http` drops the
//! headers of errors and its limiter sleeps while it holds a bucket's lock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use metrics::{counter, histogram};
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
        delivery::outcome::{CallOutcome, LimitScope, Transient},
        roles::{plan::Member, suspension::JudgedRoles},
    },
    ids::{GuildId, RoleId, UserId},
    metrics::{DISCORD_CALLS, DISCORD_SECONDS},
};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_util::sync::CancellationToken;

use super::{
    classify::{bucket_wait, classify, counts_as_invalid},
    rate_limit::{Bucket, NotBefore, Pacer},
    role_list::judged,
    server::{Server, server},
    session_budget::Budget,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
const LONGEST_CALL: Duration = Duration::from_secs(8);
/// A call that has less time than this is not begun.
const SHORTEST_CALL: Duration = Duration::from_millis(500);
/// Discord's limit, in encoded characters.
const MAX_REASON: usize = 512;
/// One serves about a thousand guilds: no bot has more, and an odd answer must not open a million connections.
const MOST_SHARDS: u32 = 4096;
const REASON: HeaderName = HeaderName::from_static("x-audit-log-reason");

/// What to do with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleCall {
    /// `PUT`
    Add,
    /// `DELETE`
    Remove,
}

#[derive(Debug)]
pub struct Answer {
    pub outcome: CallOutcome,
    /// The guild must wait so long before the next call of this kind.
    pub bucket_wait: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// An answer about a member.
#[derive(Debug)]
pub struct MemberAnswer {
    /// Who they are, or why that is not known.
    pub member: Result<Member, CallOutcome>,
    /// The guild must wait so long before the next call of this kind.
    pub bucket_wait: Option<Duration>,
}

/// How to connect to the Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayAdvice {
    pub url: String,
    pub shards: u32,
    /// What is left of the day's sessions, if Discord says so.
    pub budget: Option<Budget>,
}

/// The lease has too little time left for a call; none was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTime;

impl Answer {
    /// To a call that nobody waits for any more: it may have happened.
    pub fn missed() -> Self {
        Self::without_call(CallOutcome::Transient(Transient::TimedOut))
    }

    fn without_call(outcome: CallOutcome) -> Self {
        Self { outcome, bucket_wait: None, body: Vec::new() }
    }
}

pub struct RoleClient {
    http: reqwest::Client,
    authorization: SecretString,
    base: String,
    pacer: Pacer,
    rejected: CancellationToken,
}

impl RoleClient {
    /// `api_url`: scheme and host only.
    pub fn new(token: &SecretString, api_url: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let authorization = SecretString::from(format!("Bot {}", token.expose_secret()));
        Ok(Self {
            http,
            authorization,
            base: api_url.to_owned(),
            pacer: Pacer::default(),
            rejected: CancellationToken::new(),
        })
    }

    /// The member's roles, or that they are absent; anything else is an outcome.
    pub async fn member(&self, guild: GuildId, user: UserId, until: Instant) -> Result<MemberAnswer, NoTime> {
        let route = Route::GuildMember { guild_id: discord_guild(guild), user_id: discord_user(user) };
        let answer =
            self.call(Bucket::Member(guild), "GET", Request::new(route, LightMethod::Get), until).await?;
        let member = match answer.outcome {
            CallOutcome::Done => present(&answer.body).ok_or(CallOutcome::Transient(Transient::Connection)),
            CallOutcome::MemberGone => Ok(Member::Absent),
            other => Err(other),
        };
        Ok(MemberAnswer { member, bucket_wait: answer.bucket_wait })
    }

    /// How many members hold each role; a role that nobody holds may be left out. Needs no intent.
    pub async fn holders(
        &self,
        guild: GuildId,
        until: Instant,
    ) -> Result<BTreeMap<RoleId, i64>, CallOutcome> {
        let route = Route::GuildRoleMemberCounts { guild_id: discord_guild(guild) };
        let bucket = Bucket::Holders(guild);
        let answer = self.call(bucket, "GET", Request::new(route, LightMethod::Get), until).await;
        let answer = answer.map_err(|NoTime| CallOutcome::Transient(Transient::TimedOut))?;
        match answer.outcome {
            CallOutcome::Done => holders(&answer.body).ok_or(CallOutcome::Transient(Transient::Connection)),
            other => Err(other),
        }
    }

    /// Where the Gateway is, and how it may be connected to.
    pub async fn gateway(&self, until: Instant) -> Result<Result<GatewayAdvice, CallOutcome>, NoTime> {
        let answer = self
            .call(Bucket::Gateway, "GET", Request::new(Route::GatewayBot, LightMethod::Get), until)
            .await?;
        Ok(match answer.outcome {
            CallOutcome::Done => advice(&answer.body).ok_or(CallOutcome::Transient(Transient::Connection)),
            other => Err(other),
        })
    }

    /// A server's owner and what its roles permit; anything else is an outcome.
    pub async fn server(
        &self,
        guild: GuildId,
        until: Instant,
    ) -> Result<Result<Server, CallOutcome>, NoTime> {
        let request = Request::new(Route::Guild { guild_id: discord_guild(guild) }, LightMethod::Get);
        let answer = self.call(Bucket::Server(guild), "GET", request, until).await?;
        Ok(match answer.outcome {
            CallOutcome::Done => {
                server(guild, &answer.body).ok_or(CallOutcome::Transient(Transient::Connection))
            }
            other => Err(other),
        })
    }

    /// All roles of a guild, judged; anything else is an outcome.
    pub async fn roles(
        &self,
        guild: GuildId,
        until: Instant,
    ) -> Result<Result<JudgedRoles, CallOutcome>, NoTime> {
        let route = Route::GuildRoles { guild_id: discord_guild(guild) };
        let bucket = Bucket::Roles(guild);
        let answer = self.call(bucket, "GET", Request::new(route, LightMethod::Get), until).await?;
        Ok(match answer.outcome {
            CallOutcome::Done => {
                judged(guild, &answer.body).ok_or(CallOutcome::Transient(Transient::Connection))
            }
            other => Err(other),
        })
    }

    /// Adds or removes one role, with a reason for Discord's audit log.
    pub async fn change(
        &self,
        call: RoleCall,
        guild: GuildId,
        user: UserId,
        role: RoleId,
        reason: &str,
        until: Instant,
    ) -> Result<Answer, NoTime> {
        let route = Route::GuildMemberRole {
            guild_id: discord_guild(guild),
            user_id: discord_user(user),
            role_id: discord::RoleId::new(role.get()),
        };
        let (verb, method) = match call {
            RoleCall::Add => ("PUT", LightMethod::Put),
            RoleCall::Remove => ("DELETE", LightMethod::Delete),
        };
        let bucket = Bucket::Change(guild);
        self.call(bucket, verb, Request::new(route, method).headers(with_reason(reason)), until).await
    }

    /// Says which commands there are, in Discord's JSON. What Discord answers beside its yes does not matter.
    pub async fn set_commands(
        &self,
        application: discord::ApplicationId,
        commands: Vec<u8>,
        until: Instant,
    ) -> CallOutcome {
        let route = Route::Commands { application_id: application };
        let request = Request::new(route, LightMethod::Put).body(Some(commands));
        let answer = self.call(Bucket::Commands, "PUT", request, until).await;
        answer.map_or(CallOutcome::Transient(Transient::TimedOut), |answer| answer.outcome)
    }

    /// Ends when Discord has refused the token, whatever the call was for. From then on no call goes out.
    pub async fn token_rejected(&self) {
        self.rejected.cancelled().await;
    }

    pub(super) async fn call(
        &self,
        bucket: Bucket,
        verb: &'static str,
        request: Request<'_>,
        until: Instant,
    ) -> Result<Answer, NoTime> {
        let permit = self.pacer.permit(bucket).await;
        // Each would count towards a ban, and none can succeed.
        if self.rejected.is_cancelled() {
            return Ok(Answer::without_call(CallOutcome::TokenRejected));
        }
        if let Err(NotBefore { after, scope }) = permit {
            let limited = CallOutcome::RateLimited { after, scope };
            return Ok(Answer::without_call(limited));
        }
        // After the wait for our turn, which may have used up the time.
        let left = until.saturating_duration_since(Instant::now());
        if left < SHORTEST_CALL {
            return Err(NoTime);
        }
        let timeout = left.min(LONGEST_CALL);
        let built = request.build(&self.http, self.authorization.expose_secret(), Some(&self.base));
        let Ok(built) = built else {
            tracing::error!("a request to Discord cannot be built; is DISCORD_TOKEN a token?");
            return Ok(Answer::without_call(CallOutcome::TokenRejected));
        };
        let began = Instant::now();
        let sent = async {
            let response = built.timeout(timeout).send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok((status, headers, response.bytes().await?))
        };
        let answer = match sent.await {
            Ok((status, headers, body)) => {
                if counts_as_invalid(status, &headers) {
                    self.pacer.count_invalid();
                }
                let outcome = classify(status, &headers, &body);
                let bucket_wait = bucket_wait(&headers);
                match outcome {
                    CallOutcome::RateLimited { after, scope: LimitScope::Everything } => {
                        self.pacer.pause(after);
                    }
                    CallOutcome::RateLimited { after, scope: LimitScope::Guild } => {
                        self.pacer.pause_bucket(bucket, after);
                    }
                    // Where a person's token goes along, it may be that one.
                    CallOutcome::TokenRejected if !matches!(bucket, Bucket::Join(_)) => {
                        self.rejected.cancel();
                    }
                    _ => {}
                }
                if let Some(wait) = bucket_wait {
                    self.pacer.pause_bucket(bucket, wait);
                }
                Answer { outcome, bucket_wait, body: body.to_vec() }
            }
            Err(error) => {
                let error: reqwest::Error = error;
                let cause = if error.is_timeout() { Transient::TimedOut } else { Transient::Connection };
                tracing::warn!(error = %error.without_url(), "Discord did not answer");
                Answer::without_call(CallOutcome::Transient(cause))
            }
        };
        counter!(DISCORD_CALLS, "method" => verb, "outcome" => answer.outcome.word()).increment(1);
        histogram!(DISCORD_SECONDS, "method" => verb).record(began.elapsed().as_secs_f64());
        Ok(answer)
    }
}

/// For Discord's audit log.
pub(super) fn with_reason(reason: &str) -> Option<HeaderMap> {
    HeaderValue::from_str(&encode_reason(reason)).ok().map(|value| HeaderMap::from_iter([(REASON, value)]))
}

pub(super) fn discord_guild(guild: GuildId) -> discord::GuildId {
    discord::GuildId::new(guild.get())
}

fn discord_user(user: UserId) -> discord::UserId {
    discord::UserId::new(user.get())
}

/// The member in an answer; `None` if it is none. A truncated answer must not read as "has no roles".
fn present(body: &[u8]) -> Option<Member> {
    #[derive(Deserialize)]
    struct WireMember {
        roles: Vec<String>,
        #[serde(default)]
        joined_at: Option<String>,
    }
    let member: WireMember = serde_json::from_slice(body).ok()?;
    let roles = member.roles.iter().map(|role| role.parse().ok()).collect::<Option<_>>()?;
    let joined_at = member.joined_at.and_then(|at| OffsetDateTime::parse(&at, &Rfc3339).ok());
    Some(Member::Present { roles, joined_at })
}

/// The advice in an answer; `None` if it names no address.
fn advice(body: &[u8]) -> Option<GatewayAdvice> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let limit = &answer["session_start_limit"];
    let budget = (|| {
        let (total, remaining) = (limit["total"].as_u64()?, limit["remaining"].as_u64()?);
        let reset_after = Duration::from_millis(limit["reset_after"].as_u64()?);
        Some(Budget { total, remaining, reset_after })
    })();
    let shards = answer["shards"].as_u64().and_then(|shards| u32::try_from(shards).ok());
    let shards = shards.unwrap_or(1).clamp(1, MOST_SHARDS);
    Some(GatewayAdvice { url: answer["url"].as_str()?.to_owned(), shards, budget })
}

/// Role ids and counts; `None` if the answer is anything else.
/// `None`: no such answer, or an empty one. The bot itself has the role that lets it manage others, so that some are held.
fn holders(body: &[u8]) -> Option<BTreeMap<RoleId, i64>> {
    let counts: BTreeMap<String, i64> =
        serde_json::from_slice(body).ok().filter(|m: &BTreeMap<_, _>| !m.is_empty())?;
    counts.into_iter().map(|(role, count)| Some((role.parse().ok()?, count))).collect()
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
    fn who_holds_roles_is_known_only_from_an_answer_that_says_so() {
        assert_eq!(holders(br#"{"5":2,"7":1}"#).unwrap().values().sum::<i64>(), 3);
        for nothing in [&b"{}"[..], b"[]", b"", b"null", br#"{"x":1}"#, br#"{"5":"#] {
            assert!(holders(nothing).is_none(), "{}", String::from_utf8_lossy(nothing));
        }
    }

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
        for body in [r#"{"user":{}}"#, r#"{"roles":["1","2""#, r#"{"roles":["1","x"]}"#, r#"{"roles":null}"#]
        {
            assert_eq!(present(body.as_bytes()), None, "{body}");
        }
        let body = br#"{"roles":["1","2"],"joined_at":"2026-11-22T04:38:29.123000+00:00"}"#;
        let Some(Member::Present { roles, joined_at }) = present(body) else { panic!("a member") };
        assert_eq!((roles.len(), joined_at.unwrap().unix_timestamp()), (2, 1_795_322_309));
        let Some(Member::Present { joined_at: None, .. }) = present(br#"{"roles":[],"joined_at":null}"#)
        else {
            panic!("a member whose joining is not known")
        };
    }
}

//! Four reads with which an operator can be told what is wrong before it matters. In: a token and ids. Out: what Discord says
//! of the bot, and what time it is there. Nothing here changes anything, and no service calls it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::header::DATE;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use shared::{
    domain::{
        delivery::outcome::{CallOutcome, LimitScope, Transient},
        roles::safety::ManagedBy,
    },
    ids::{GuildId, RoleId, UserId},
};

use super::{
    classify::classify,
    role_list::{Tags, managed_by},
};

const TIMEOUT: Duration = Duration::from_secs(8);
/// An operator waits so long for an answer; what Discord wants to wait for longer is said instead.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is called here, beside [`super::ROUTES`], spelt as Discord's own description spells it.
pub const ROUTES: [(&str, &str); 4] = [
    ("GET", "/users/@me"),
    ("GET", "/applications/@me"),
    ("GET", "/guilds/{guild_id}/roles"),
    ("GET", "/guilds/{guild_id}/members/{user_id}"),
];

/// May do everything (<https://discord.com/developers/docs/topics/permissions>).
pub const ADMINISTRATOR: u64 = 1 << 3;
/// May give and take roles below its own.
pub const MANAGE_ROLES: u64 = 1 << 28;
/// Of an application: may be told of members (<https://discord.com/developers/docs/resources/application>); the second for
/// fewer than 100 servers.
const MEMBERS_INTENT: u64 = 1 << 14 | 1 << 15;

/// An answer, and the clock of whoever gave it.
#[derive(Debug)]
pub struct Seen<T> {
    /// The parsed body.
    pub value: T,
    /// The `Date` header.
    pub date: Option<String>,
}

/// Who the bot is.
#[derive(Debug, Deserialize)]
pub struct Myself {
    /// As a member of guilds.
    #[serde(deserialize_with = "parsed")]
    pub id: UserId,
    /// As people see it.
    pub username: String,
}

#[derive(Debug, Deserialize)]
pub struct Application {
    /// The client id of its invitation link.
    pub id: String,
    flags: u64,
    /// Where logins may lead back to.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
}

impl Application {
    /// Whether the Server Members intent is switched on.
    pub fn may_hear_of_members(&self) -> bool {
        self.flags & MEMBERS_INTENT != 0
    }
}

/// A role of a guild.
#[derive(Debug, Clone, Deserialize)]
pub struct Role {
    #[serde(deserialize_with = "parsed")]
    pub id: RoleId,
    /// As people see it.
    pub name: String,
    /// Higher is more.
    pub position: i64,
    /// What its holders may do.
    #[serde(deserialize_with = "parsed")]
    pub permissions: u64,
    /// Belongs to an integration, which alone gives it.
    pub managed: bool,
    #[serde(default)]
    tags: Option<Tags>,
}

impl Role {
    /// Who gives it, if not people and bots.
    pub fn managed_by(&self) -> Option<ManagedBy> {
        managed_by(self.managed, self.tags.as_ref())
    }
}

#[derive(Debug, Deserialize)]
struct Held {
    roles: Vec<String>,
}

fn parsed<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| de::Error::custom("no id"))
}

/// Checks, and does nothing else.
pub struct Inspector {
    http: reqwest::Client,
    token: SecretString,
    base: String,
    /// What no further call would change: until when Discord told us to wait, or that it refuses the token.
    settled: Mutex<Settled>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Settled {
    #[default]
    Nothing,
    NotBefore(Instant),
    TokenRejected,
}

impl Inspector {
    /// `api_url`: scheme and host only.
    pub fn new(token: &SecretString, api_url: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("DiscordBot (Nexrole, ", env!("CARGO_PKG_VERSION"), ")"))
            .build()?;
        Ok(Self { http, token: token.clone(), base: format!("{api_url}/api/v10"), settled: Mutex::default() })
    }

    /// Whose token it is.
    pub async fn myself(&self) -> Result<Seen<Myself>, CallOutcome> {
        self.get("/users/@me").await
    }

    /// What the bot's application may do.
    pub async fn application(&self) -> Result<Application, CallOutcome> {
        Ok(self.get("/applications/@me").await?.value)
    }

    /// All roles of a guild.
    pub async fn roles(&self, guild: GuildId) -> Result<Vec<Role>, CallOutcome> {
        Ok(self.get(&format!("/guilds/{guild}/roles")).await?.value)
    }

    /// The roles that a member holds.
    pub async fn held(&self, guild: GuildId, user: UserId) -> Result<BTreeSet<RoleId>, CallOutcome> {
        let held: Held = self.get(&format!("/guilds/{guild}/members/{user}")).await?.value;
        let roles = held.roles.iter().map(|role| role.parse().ok()).collect::<Option<_>>();
        roles.ok_or(CallOutcome::Transient(Transient::Connection))
    }

    /// Waits as told, once, if that is not for long; whoever asks next waits too.
    async fn get<T: de::DeserializeOwned>(&self, path: &str) -> Result<Seen<T>, CallOutcome> {
        self.permit().await?;
        match self.ask(path).await {
            Err(CallOutcome::RateLimited { after, .. }) if after <= PATIENCE => {
                self.permit().await?;
                self.ask(path).await
            }
            answer => answer,
        }
    }

    async fn permit(&self) -> Result<(), CallOutcome> {
        let settled = *self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let until = match settled {
            Settled::Nothing => return Ok(()),
            Settled::TokenRejected => return Err(CallOutcome::TokenRejected),
            Settled::NotBefore(until) => until,
        };
        let after = until.saturating_duration_since(Instant::now());
        if after > PATIENCE {
            return Err(CallOutcome::RateLimited { after, scope: LimitScope::Everything });
        }
        tokio::time::sleep(after).await;
        Ok(())
    }

    fn settle(&self, outcome: &CallOutcome) {
        let settled = match outcome {
            CallOutcome::RateLimited { after, .. } => Settled::NotBefore(Instant::now() + *after),
            CallOutcome::TokenRejected => Settled::TokenRejected,
            _ => return,
        };
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = settled;
    }

    async fn ask<T: de::DeserializeOwned>(&self, path: &str) -> Result<Seen<T>, CallOutcome> {
        let asked = async {
            let authorization = format!("Bot {}", self.token.expose_secret());
            let url = format!("{}{path}", self.base);
            let answer =
                self.http.get(url).header(reqwest::header::AUTHORIZATION, authorization).send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
        };
        let (status, headers, body) = asked.await.map_err(|error| {
            let cause = if error.is_timeout() { Transient::TimedOut } else { Transient::Connection };
            CallOutcome::Transient(cause)
        })?;
        match classify(status, &headers, &body) {
            CallOutcome::Done => {}
            other => {
                self.settle(&other);
                return Err(other);
            }
        }
        let date = headers.get(DATE).and_then(|date| Some(date.to_str().ok()?.to_owned()));
        let value = serde_json::from_slice(&body);
        let value = value.map_err(|_| CallOutcome::Transient(Transient::Connection))?;
        Ok(Seen { value, date })
    }
}

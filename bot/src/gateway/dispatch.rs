//! What all shards have in common. In: what each of them hears. Out: who we are, commands to answer, events to take up.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, value::RawValue};
use serenity::{
    all::{GatewayIntents, HttpBuilder},
    http::Http,
};
use shared::db::pool::Pool;
use tokio_util::sync::CancellationToken;

use super::{events::Events, interactions::Interactions, state::Connected};
use crate::{
    commands::{self, Data},
    discord::client::RoleClient,
};

const REST_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Gateway {
    pub pool: Pool,
    pub token: SecretString,
    /// Scheme and host.
    pub api_url: String,
    /// Asks where the Gateway is, at the pace of all our calls.
    pub discord: Arc<RoleClient>,
    /// Whether it is up, for whoever wants to know.
    pub connected: Connected,
}

/// What all shards have in common.
pub(super) struct Dispatch {
    pub(super) stop: CancellationToken,
    pub(super) token: SecretString,
    pub(super) api_url: String,
    pub(super) discord: Arc<RoleClient>,
    pub(super) connected: Connected,
    http: Arc<Http>,
    events: Arc<Events>,
    interactions: Arc<Interactions>,
    members_intent: AtomicBool,
    bot: OnceLock<serenity::all::UserId>,
    registering: AtomicBool,
    pub(super) identified: tokio::sync::Mutex<Option<Instant>>,
}

impl Dispatch {
    pub(super) fn new(gateway: Gateway, stop: CancellationToken) -> anyhow::Result<Self> {
        let Gateway { pool, token, api_url, discord, connected } = gateway;
        let rest = reqwest::Client::builder()
            .timeout(REST_TIMEOUT)
            .build()
            .context("the HTTP client cannot be built")?;
        // A base address is honoured only with the built-in limiter off, which we do not want anyway: it retries for ever.
        let http = HttpBuilder::new(token.expose_secret()).client(rest).proxy(&api_url);
        let http = Arc::new(http.ratelimiter_disabled(true).build());
        let interactions = Interactions::new(Data { pool: pool.clone() }, Arc::clone(&http));
        Ok(Self {
            stop,
            token,
            api_url,
            discord,
            connected,
            http,
            events: Arc::new(Events::new(pool)),
            interactions: Arc::new(interactions),
            members_intent: AtomicBool::new(true),
            bot: OnceLock::new(),
            registering: AtomicBool::new(false),
            identified: tokio::sync::Mutex::default(),
        })
    }

    pub(super) fn intents(&self) -> u64 {
        let members = self.members_intent.load(Ordering::Relaxed);
        let members = if members { GatewayIntents::GUILD_MEMBERS } else { GatewayIntents::empty() };
        (GatewayIntents::GUILDS | members).bits()
    }

    /// Whether there was anything to forgo.
    pub(super) fn forgo_members_intent(&self) -> bool {
        let had = self.members_intent.swap(false, Ordering::Relaxed);
        if had {
            tracing::warn!(
                "the Server Members intent is off (Developer Portal, Bot, Privileged Gateway Intents): members who \
                 join are noticed within 6 hours instead of at once"
            );
        }
        had
    }

    /// READY says who we are.
    pub(super) fn is_known_as(&self, ready: &Value) {
        let id = |of: &str| ready[of]["id"].as_str().and_then(|id| id.parse::<std::num::NonZeroU64>().ok());
        if let Some(user) = id("user") {
            self.bot.get_or_init(|| user.get().into());
        }
        // They are equal, but for the oldest applications.
        let Some(application) = id("application").or_else(|| id("user")) else {
            tracing::error!("READY does not say who we are: no command can be registered or answered");
            return;
        };
        self.http.set_application_id(application.get().into());
        if !self.registering.swap(true, Ordering::Relaxed) {
            let discord = Arc::clone(&self.discord);
            tokio::spawn(commands::register(discord, application.get().into(), self.stop.clone()));
        }
    }

    /// Hands an event on, and waits for nothing.
    pub(super) fn take(&self, kind: &str, data: Box<RawValue>) {
        let bot = self.bot.get().copied();
        if kind == "INTERACTION_CREATE" {
            let interactions = Arc::clone(&self.interactions);
            // Without an id of ours no command could be answered; poise needs it to tell our messages from others'.
            let bot = bot.unwrap_or_default();
            tokio::spawn(async move { interactions.take(bot, &data).await });
        } else if let Some(event) = Events::read(bot.map(serenity::all::UserId::get), kind, &data) {
            let (events, heard) = (Arc::clone(&self.events), self.events.heard(event));
            tokio::spawn(async move {
                if let Err(error) = events.receive(heard).await {
                    tracing::error!(error = format!("{error:#}"), "an event could not be taken up");
                }
            });
        }
    }
}

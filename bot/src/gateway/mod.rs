//! The connection to Discord's Gateway: commands and hints. Kept up beside the worker, which does not need it.
//!
//! The loop is ours, and ends a connection at every end that a WebSocket can have. serenity 0.12.5's own waits for the next
//! heartbeat after some of them, busy meanwhile, and begins a refused session again every five seconds.

mod connection;
pub mod debounce;
mod end;
pub mod events;
pub mod in_order;
mod interactions;
mod pace;
mod shard;
mod state;

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
use shared::{clock, db::pool::Pool};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    commands::{self, Data},
    discord::client::RoleClient,
};
use events::Events;
use interactions::Interactions;
use pace::{Pace, Way};
use shard::{Ended, Shard};

pub use pace::Budget;
pub use state::Connected;

const REST_TIMEOUT: Duration = Duration::from_secs(10);

/// What the connection needs.
pub struct Gateway {
    /// The database.
    pub pool: Pool,
    /// The bot token.
    pub token: SecretString,
    /// Scheme and host.
    pub api_url: String,
    /// Asks where the Gateway is, at the pace of all our calls.
    pub discord: Arc<RoleClient>,
    /// Whether it is up, for whoever wants to know.
    pub connected: Connected,
}

/// What all shards have in common.
struct Shared {
    stop: CancellationToken,
    token: SecretString,
    api_url: String,
    discord: Arc<RoleClient>,
    connected: Connected,
    http: Arc<Http>,
    events: Arc<Events>,
    interactions: Arc<Interactions>,
    members_intent: AtomicBool,
    bot: OnceLock<serenity::all::UserId>,
    registering: AtomicBool,
    /// The last IDENTIFY.
    identified: tokio::sync::Mutex<Option<Instant>>,
}

/// Stays connected until `stop`.
pub async fn run(gateway: Gateway, stop: CancellationToken) {
    let shared = match Shared::new(gateway, stop) {
        Ok(shared) => Arc::new(shared),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "no Gateway connection; role changes go on");
            return;
        }
    };
    connected(&shared).await;
}

/// As many shards as Discord advises; asked for again when that is not right any more.
async fn connected(shared: &Arc<Shared>) {
    let mut pace = Pace::new(Instant::now());
    while !shared.stop.is_cancelled() {
        let wait = pace.wait(Way::Identify, Instant::now(), clock::jitter());
        let asked = async {
            sleep(wait).await;
            shard::ask(shared, 0).await
        };
        let Some(advice) = shared.stop.run_until_cancelled(asked).await.flatten() else {
            pace.unreachable();
            continue;
        };
        let mut shards = JoinSet::new();
        for index in 0..advice.shards {
            let shared = Arc::clone(shared);
            let (total, known) = (advice.shards, (index == 0).then(|| advice.clone()));
            shards.spawn(async move { Shard::new(&shared, index, total, known).run().await });
        }
        while let Some(ended) = shards.join_next().await {
            match ended {
                Ok(Ended::Stopped) => {}
                // With one shard gone the others are, too: their number is part of what each of them hears.
                Ok(Ended::Reshard) => break,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        shards.shutdown().await;
        shared.connected.all_down("Discord wants another number of Gateway connections");
        pace.refused();
    }
}

impl Shared {
    fn new(gateway: Gateway, stop: CancellationToken) -> anyhow::Result<Self> {
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

    fn intents(&self) -> u64 {
        let members = self.members_intent.load(Ordering::Relaxed);
        let members = if members { GatewayIntents::GUILD_MEMBERS } else { GatewayIntents::empty() };
        (GatewayIntents::GUILDS | members).bits()
    }

    /// Whether there was anything to forgo.
    fn forgo_members_intent(&self) -> bool {
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
    fn is_known_as(&self, ready: &Value) {
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
    fn take(&self, kind: &str, data: Box<RawValue>) {
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

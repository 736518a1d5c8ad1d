//! The connection to Discord's Gateway: commands and hints. Kept up beside the worker, which does not need it.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use poise::{Framework, FrameworkOptions};
use secrecy::{ExposeSecret, SecretString};
use serenity::{
    all::{ClientBuilder, GatewayIntents, HttpBuilder},
    gateway::GatewayError,
};
use shared::store::database::Pool;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::{self, Data},
    events::Events,
};

/// Waits between connections. Every connection costs one IDENTIFY of 1,000 a day: at the longest wait, 288.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
const REST_TIMEOUT: Duration = Duration::from_secs(10);

/// What the connection needs.
pub struct Gateway {
    /// The database.
    pub pool: Pool,
    /// The bot token.
    pub token: SecretString,
    /// Scheme and host.
    pub api_url: String,
}

/// Stays connected until `stop`.
pub async fn run(gateway: Gateway, stop: CancellationToken) {
    let mut intents = GatewayIntents::GUILDS | GatewayIntents::GUILD_MEMBERS;
    let mut wait = FIRST_WAIT;
    while !stop.is_cancelled() {
        let connected = std::time::Instant::now();
        match connect(&gateway, intents, &stop).await {
            Ok(()) => {}
            Err(error) if is_intent_refused(&error) && intents.contains(GatewayIntents::GUILD_MEMBERS) => {
                tracing::warn!(
                    "the Server Members intent is off (Developer Portal, Bot, Privileged Gateway Intents): members who \
                     join are noticed within 6 hours instead of at once"
                );
                intents.remove(GatewayIntents::GUILD_MEMBERS);
                continue;
            }
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "the Gateway connection ended; role changes go on"
            ),
        }
        wait = if connected.elapsed() > LONGEST_WAIT { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
        stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

async fn connect(gateway: &Gateway, intents: GatewayIntents, stop: &CancellationToken) -> anyhow::Result<()> {
    let rest = reqwest::Client::builder().timeout(REST_TIMEOUT).build()?;
    let token = gateway.token.expose_secret();
    // A base address is honoured only with the built-in limiter off, which we do not want anyway: it retries for ever.
    let http =
        HttpBuilder::new(token).client(rest).proxy(&gateway.api_url).ratelimiter_disabled(true).build();
    // serenity falls back to Discord's own address when this call fails inside it: fail here instead.
    http.get_gateway().await.context("GET /gateway")?;
    let mut client = ClientBuilder::new_with_http(http, intents).framework(framework(&gateway.pool)).await?;
    let shards = Arc::clone(&client.shard_manager);
    // Not a task that waits for `stop` beside it: while no shard is up, `shutdown_all` does nothing, and `start` goes on.
    let ended = tokio::select! {
        ended = client.start_autosharded() => ended,
        () = stop.cancelled() => Ok(()),
    };
    // Also after an error: with several shards, one that ends leaves the others running.
    if tokio::time::timeout(CLOSE_WITHIN, shards.shutdown_all()).await.is_err() {
        tracing::debug!("the Gateway connection did not close in time");
    }
    Ok(ended?)
}

fn framework(pool: &Pool) -> Framework<Data, anyhow::Error> {
    let data = Data { pool: pool.clone(), events: Events::new(pool.clone()) };
    Framework::builder()
        .options(FrameworkOptions {
            commands: commands::all(),
            on_error: commands::on_error,
            event_handler: |context, event| {
                Box::pin(async move {
                    // Not passed on: poise would treat it as a command's failure.
                    if let Err(error) = context.user_data.events.receive(context.bot_id, event).await {
                        tracing::error!(error = format!("{error:#}"), "an event could not be taken up");
                    }
                    Ok(())
                })
            },
            ..FrameworkOptions::default()
        })
        .initialize_owners(false)
        // Must not fail: poise would never become ready, and leak a task for every event.
        .setup(|context, _ready, _framework| {
            Box::pin(async move {
                tokio::spawn(commands::register(context.http.clone()));
                Ok(data)
            })
        })
        .build()
}

fn is_intent_refused(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<serenity::Error>();
    matches!(refused, Some(serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents)))
}

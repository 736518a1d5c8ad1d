//! Slash commands, one file each.

use std::{sync::Arc, time::Duration};

use poise::{CreateReply, FrameworkError};
use serenity::http::Http;
use shared::store::database::Pool;

mod status;

/// What every command gets.
pub struct Data {
    /// The database.
    pub pool: Pool,
}

type Context<'a> = poise::Context<'a, Data, anyhow::Error>;

const REGISTER_AGAIN: Duration = Duration::from_secs(30);

/// Every command.
pub fn all() -> Vec<poise::Command<Data, anyhow::Error>> {
    vec![status::status()]
}

/// Tells Discord which commands there are; again until it listens.
pub async fn register(http: Arc<Http>) {
    let commands = poise::builtins::create_application_commands(&all());
    while let Err(error) = http.create_global_commands(&commands).await {
        tracing::warn!(%error, "the slash commands could not be registered; trying again");
        tokio::time::sleep(REGISTER_AGAIN).await;
    }
    tracing::info!(commands = commands.len(), "slash commands are registered");
}

/// A command failed: log it once, and tell the person what that means for them.
pub fn on_error(error: FrameworkError<'_, Data, anyhow::Error>) -> poise::BoxFuture<'_, ()> {
    Box::pin(async move {
        let Some(context) = error.ctx() else {
            tracing::error!(%error, "poise reports an error");
            return;
        };
        let cause = match &error {
            FrameworkError::Command { error, .. } => format!("{error:#}"),
            other => other.to_string(),
        };
        tracing::error!(command = %context.command().name, cause, "a command failed");
        let reply = "Something went wrong on our side, and nothing was changed. Please try again in a minute; \
                     if it stays, the bot's operator finds the cause in its log.";
        if let Err(error) = context.send(CreateReply::default().content(reply).ephemeral(true)).await {
            tracing::warn!(%error, "the failed command could not be answered");
        }
    })
}

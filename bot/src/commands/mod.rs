//! Slash commands, one file each.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use poise::{CreateReply, FrameworkError};
use serenity::all::ApplicationId;
use shared::{
    background,
    domain::delivery::{
        backoff::{Schedule, doubling},
        outcome::CallOutcome,
    },
};
use tokio_util::sync::CancellationToken;

use crate::discord::client::RoleClient;

mod context;
mod render;
mod status;

pub use context::Data;

/// Waits after failure 1, 2, …: 30s, 1m, 2m, … 32m, 1h, unless Discord says for how long.
const REGISTER_AGAIN: Schedule =
    Schedule { first: &doubling::<7>(Duration::from_secs(30)), then: Duration::from_secs(3600) };
/// How long a call may wait for its turn and for Discord.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn all() -> Vec<poise::Command<Data, anyhow::Error>> {
    vec![status::status()]
}

/// Tells Discord which commands there are; again until it says yes, or refuses the token. Once for each process: Discord keeps them.
pub async fn register(discord: Arc<RoleClient>, application: ApplicationId, stop: CancellationToken) {
    let commands = poise::builtins::create_application_commands(&all());
    let count = commands.len();
    let Ok(commands) = serde_json::to_vec(&commands) else {
        tracing::error!("the slash commands cannot be written as JSON");
        return;
    };
    for failures in 0.. {
        let attempt = discord.set_commands(application, commands.clone(), Instant::now() + PATIENCE);
        let Some(outcome) = stop.run_until_cancelled(attempt).await else { return };
        let Some(wait) = again(&outcome, failures) else {
            match outcome {
                CallOutcome::Done => tracing::info!(commands = count, "slash commands are registered"),
                other => tracing::error!(outcome = ?other, "the slash commands are not registered"),
            }
            return;
        };
        tracing::warn!(
            ?outcome,
            again_in_s = wait.as_secs(),
            "the slash commands could not be registered yet"
        );
        background::pause(&stop, wait).await;
    }
}

/// When to try again after so many failures before; `None`: not at all.
fn again(outcome: &CallOutcome, failures: u32) -> Option<Duration> {
    match outcome {
        CallOutcome::Done | CallOutcome::TokenRejected => None,
        CallOutcome::RateLimited { after, .. } => Some(*after),
        CallOutcome::MemberGone
        | CallOutcome::RoleGone
        | CallOutcome::Forbidden { .. }
        | CallOutcome::GuildGone { .. }
        | CallOutcome::Refused { .. }
        | CallOutcome::Transient(_) => Some(REGISTER_AGAIN.wait(failures)),
    }
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

#[cfg(test)]
mod tests {
    use shared::domain::delivery::outcome::{LimitScope, Transient};

    use super::*;

    #[test]
    fn registration_waits_as_told_longer_after_each_failure_and_ends_with_a_yes_or_without_a_token() {
        let told = CallOutcome::RateLimited { after: Duration::from_secs(600), scope: LimitScope::Guild };
        let refused = CallOutcome::Refused { status: 400, code: 50035 };
        for (outcome, failures, expected) in [
            (CallOutcome::Done, 0, None),
            (CallOutcome::TokenRejected, 3, None),
            (told, 9, Some(600)),
            (CallOutcome::Transient(Transient::Status(502)), 0, Some(30)),
            (refused.clone(), 1, Some(60)),
            (refused.clone(), 6, Some(1920)),
            (refused.clone(), 7, Some(3600)),
            (refused, u32::MAX, Some(3600)),
        ] {
            let wait = again(&outcome, failures).map(|wait| wait.as_secs());
            assert_eq!(wait, expected, "{outcome:?} after {failures}");
        }
    }
}

//! Checks roles that no payment asks for. In: newly mapped roles, and servers whose roles changed. Out: whether each new role is
//! enforced, or only observed; and what a server's roles may do.
//!
//! First contact changes nothing: who holds a role already has it for reasons that we do not know.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::db::pool::Pool;
use shared::{
    background::{self, Next},
    db::{pool::within, tenant},
    domain::{delivery::outcome::CallOutcome, roles::enforcement::first_check},
    ids::GuildId,
    store::{guild_roles, mapped_roles},
};
use tokio_util::sync::CancellationToken;

use super::role_safety::{self, Reading};
use crate::discord::client::RoleClient;

/// After a check that failed, or was cut off.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a check may wait for its turn and for Discord.
const PATIENCE: Duration = Duration::from_secs(8);

/// Checks until `stop`.
pub async fn run(pool: Pool, discord: Arc<RoleClient>, poll: Duration, stop: CancellationToken) {
    background::repeat(&stop, || async {
        match one_guild(&pool, &discord).await {
            Ok(true) => Next::After(Duration::ZERO),
            Ok(false) => Next::After(poll),
            Err(error) => {
                tracing::warn!(%error, "roles cannot be checked");
                Next::After(poll)
            }
        }
    })
    .await;
}

/// Checks one guild's roles, if any are new, or may have changed.
async fn one_guild(pool: &Pool, discord: &RoleClient) -> Result<bool, sqlx::Error> {
    let taken = within(async { mapped_roles::take_unseen(&mut pool.across().await?, AGAIN).await });
    let Some((guild, unseen)) = taken.await? else { return one_reading(pool, discord).await };
    // First what it may do: a role that is enforced already could be given in between.
    if !reads(pool, discord, guild).await? {
        return Ok(true);
    }
    let counted = match discord.holders(guild, Instant::now() + PATIENCE).await {
        Ok(counted) => counted,
        Err(outcome) => {
            tracing::warn!(guild.id = %guild, ?outcome,
                "Discord does not say who holds the newly mapped roles; they stay as they are until it does");
            put_off(pool, guild, &outcome).await?;
            return Ok(true);
        }
    };
    let decided = within(async {
        let mut tenant = tenant::begin(pool, guild).await?;
        for role in &unseen {
            // A role that nobody holds may be left out.
            let holders = counted.get(&role.role_id).copied().unwrap_or(0);
            let enforcement = first_check(holders, role.ours);
            tracing::info!(guild.id = %guild, role.id = %role.role_id, holders, ?enforcement, "a newly mapped role");
            let others = holders - role.ours;
            mapped_roles::record_first_check(&mut tenant, role.role_id, enforcement, others.max(0)).await?;
        }
        tenant.commit().await
    });
    decided.await?;
    Ok(true)
}

/// Reads the roles of one guild, if some may have changed.
async fn one_reading(pool: &Pool, discord: &RoleClient) -> Result<bool, sqlx::Error> {
    let taken = within(async { guild_roles::take_due(&mut pool.across().await?, AGAIN).await });
    let Some(guild) = taken.await? else { return Ok(false) };
    reads(pool, discord, guild).await?;
    Ok(true)
}

/// Whether what the guild's roles may do could be read.
async fn reads(pool: &Pool, discord: &RoleClient, guild: GuildId) -> Result<bool, sqlx::Error> {
    let outcome = match role_safety::read(pool, discord, guild, Instant::now() + PATIENCE).await? {
        Reading::Done => return Ok(true),
        Reading::Failed(outcome) => Some(outcome),
        Reading::NoTime => None,
    };
    if let Some(outcome) = &outcome {
        put_off(pool, guild, outcome).await?;
    }
    tracing::warn!(guild.id = %guild, ?outcome,
        "Discord does not say what roles may do; none is given on what is not known");
    Ok(false)
}

/// The next check of a guild comes when Discord told us to, or when a refusal may be over; after an outage it comes soon.
async fn put_off(pool: &Pool, guild: GuildId, outcome: &CallOutcome) -> Result<(), sqlx::Error> {
    match outcome {
        CallOutcome::RateLimited { after, .. } => {
            within(async {
                let mut tenant = tenant::begin(pool, guild).await?;
                guild_roles::leave_alone(&mut tenant, *after).await?;
                tenant.commit().await
            })
            .await
        }
        // Each is counted, and Discord bans for many of those.
        CallOutcome::GuildGone { code }
        | CallOutcome::Forbidden { code }
        | CallOutcome::Refused { status: 403, code } => {
            within(async {
                let mut tenant = tenant::begin(pool, guild).await?;
                guild_roles::refused(&mut tenant, *code).await?;
                tenant.commit().await
            })
            .await
        }
        _ => Ok(()),
    }
}

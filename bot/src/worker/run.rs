//! The loop around turns: lease guilds that have work, take a turn with each, many at once, one per guild.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    db::pool::{Pool, within},
    domain::delivery::update::GuildGate,
    store::{guild_gates::Release, members, role_grants, role_jobs},
};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    claim::{self, Positions},
    context::{Context, Lease},
    reminders,
    stopping::after,
    turn,
};
use crate::discord::client::RoleClient;

/// Each role that is due to a member is compared with Discord at least this often: the Gateway may have kept silent.
const CHECK_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Roles per search: a check costs Discord one call.
const SWEEP: i64 = 500;
/// Polls between two searches for grants that are to be checked once more: a minute after a role was taken, five after Discord said
/// that somebody is not there.
const RECHECK_POLLS: u32 = 5;
/// Grants per such search; those of one member cost one call together.
const RECHECK: i64 = 500;
/// Beyond a lease, for a database that does not answer.
const DATABASE_SILENT: Duration = Duration::from_secs(30);
/// At the end, for leases that are just being asked for: nobody would give them back.
const LAST_LEASES: Duration = Duration::from_secs(1);
/// At the end, for turns: settling takes milliseconds, unless the database is silent.
const LAST_TURNS: Duration = Duration::from_secs(2);

pub struct Worker {
    pub pool: Pool,
    pub discord: Arc<RoleClient>,
    /// Guilds at the same time.
    pub concurrency: usize,
    /// How long a guild is leased.
    pub lease: Duration,
    /// How often to check without being woken.
    pub poll: Duration,
    /// How often to look for roles that Discord was not asked about for long, and for owners to be reminded.
    pub search: Duration,
}

/// Discord does not accept the bot token.
#[derive(Debug, thiserror::Error)]
#[error(
    "Discord refused the bot token (401): set DISCORD_TOKEN to a valid one (Developer Portal, Bot, Reset Token)"
)]
pub struct TokenRejected;

/// Works until `stop`; then finishes the turns it holds, which gives their leases back.
pub async fn run(
    worker: Arc<Worker>,
    wake: Arc<Notify>,
    stop: CancellationToken,
) -> Result<(), TokenRejected> {
    let mut turns: JoinSet<Result<(), TokenRejected>> = JoinSet::new();
    let mut positions = Positions::default();
    let (mut searched, mut rechecked) = (Instant::now(), Instant::now());
    let mut result = Ok(());
    while result.is_ok() {
        if searched.elapsed() >= worker.search {
            stop.run_until_cancelled(recheck_overdue(&worker.pool)).await;
            stop.run_until_cancelled(remind(&worker.pool)).await;
            searched = Instant::now();
        }
        if rechecked.elapsed() >= worker.poll * RECHECK_POLLS {
            stop.run_until_cancelled(recheck(&worker.pool)).await;
            rechecked = Instant::now();
        }
        let free = worker.concurrency.saturating_sub(turns.len());
        let leases = if free == 0 {
            Vec::new()
        } else {
            tokio::select! {
                leases = claim::guilds(&worker.pool, worker.lease, &mut positions, free) => leases,
                () = after(&stop, LAST_LEASES) => Vec::new(),
            }
        };
        let found = !leases.is_empty();
        for lease in leases {
            let (worker, stop) = (Arc::clone(&worker), stop.clone());
            let span = tracing::info_span!("turn", guild.id = %lease.guild);
            turns.spawn(async move { worker.take(lease, &stop).await }.instrument(span));
        }
        if found && turns.len() < worker.concurrency {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = wake.notified(), if turns.len() < worker.concurrency => {}
            Some(ended) = turns.join_next() => result = judge(ended),
            () = worker.discord.token_rejected() => result = Err(TokenRejected),
            () = tokio::time::sleep(worker.poll) => {}
        }
    }
    let last_turns = async {
        let mut result = Ok(());
        while let Some(ended) = turns.join_next().await {
            result = result.and(judge(ended));
        }
        result
    };
    let Ok(ended) = tokio::time::timeout(LAST_TURNS, last_turns).await else {
        tracing::error!("turns could not be settled; their leases run out by themselves");
        return result;
    };
    result.and(ended)
}

fn judge(ended: Result<Result<(), TokenRejected>, tokio::task::JoinError>) -> Result<(), TokenRejected> {
    ended.unwrap_or_else(|error| {
        // The lease runs out, and the guild's jobs are taken up again.
        tracing::error!(%error, "a turn ended by a panic");
        Ok(())
    })
}

impl Worker {
    async fn take(&self, lease: Lease, stop: &CancellationToken) -> Result<(), TokenRejected> {
        let cx = Context { pool: &self.pool, discord: &self.discord, lease, stop };
        // A connection that died without a word would keep the turn, and its slot, for ever.
        match tokio::time::timeout(self.lease + DATABASE_SILENT, turn::take(&cx)).await {
            Ok(Ok((_, GuildGate::Shutdown))) => return Err(TokenRejected),
            Ok(Ok((Release::FencedOut, _))) => {
                tracing::warn!(guild.id = %lease.guild, "a lease ran out during its turn; the guild is checked again");
            }
            Ok(Ok((Release::Released, _))) => {}
            Ok(Err(error)) => {
                tracing::warn!(guild.id = %lease.guild, %error, "a turn failed; its lease runs out by itself");
            }
            Err(_) => {
                tracing::error!(guild.id = %lease.guild, "a turn did not end; its lease has run out");
            }
        }
        Ok(())
    }
}

/// Grants about which one answer of Discord's is not enough.
async fn recheck(pool: &Pool) {
    let rechecked = async { role_grants::recheck(&mut pool.across().await?, RECHECK).await };
    match within(rechecked).await {
        Ok(0) => {}
        Ok(jobs) => tracing::debug!(jobs, "grants are checked once more"),
        Err(error) => tracing::warn!(%error, "grants cannot be checked once more"),
    }
}

/// Owners who were asked about what is held, and did not answer.
async fn remind(pool: &Pool) {
    if let Err(error) = reminders::remind(pool).await {
        tracing::warn!(%error, "nobody can be reminded of what is held");
    }
}

/// Parked jobs whose time has come, and members nobody checked for long.
async fn recheck_overdue(pool: &Pool) {
    let rechecked = async {
        let mut across = pool.across().await?;
        let released = role_jobs::release_parked(&mut across).await?;
        Ok::<_, sqlx::Error>(released + members::sweep_all(&mut across, CHECK_EVERY, SWEEP).await?)
    };
    match within(rechecked).await {
        Ok(0) => {}
        Ok(jobs) => tracing::info!(jobs, "roles are checked again"),
        Err(error) => tracing::warn!(%error, "roles that wait cannot be checked"),
    }
}

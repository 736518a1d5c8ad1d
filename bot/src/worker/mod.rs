//! The loop around turns: lease guilds that have work, take a turn with each, many at once, one per guild.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    ids::GuildId,
    store::{gates, role_jobs},
};
use sqlx::PgPool;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::discord::client::RoleClient;

mod books;
mod turn;

use turn::{Lease, Turned, turn};

/// How often parked jobs are looked at.
const RELEASE_EVERY: Duration = Duration::from_secs(60);

/// What the worker needs.
pub struct Worker {
    /// The database.
    pub pool: PgPool,
    /// Discord.
    pub discord: RoleClient,
    /// Guilds at the same time.
    pub concurrency: usize,
    /// How long a guild is leased.
    pub lease: Duration,
    /// How often to look without being woken.
    pub poll: Duration,
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
    let mut turns: JoinSet<Option<Turned>> = JoinSet::new();
    let mut ring = None;
    let mut released = Instant::now();
    let mut result = Ok(());
    while result.is_ok() {
        if released.elapsed() >= RELEASE_EVERY {
            release_parked(&worker.pool).await;
            released = Instant::now();
        }
        let free = worker.concurrency.saturating_sub(turns.len());
        let leases = if free == 0 { Vec::new() } else { lease(&worker, &mut ring, free).await };
        let found = !leases.is_empty();
        for lease in leases {
            let worker = Arc::clone(&worker);
            turns.spawn(async move { worker.take(lease).await });
        }
        if found && turns.len() < worker.concurrency {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = wake.notified(), if turns.len() < worker.concurrency => {}
            Some(ended) = turns.join_next() => result = judge(ended),
            () = tokio::time::sleep(worker.poll) => {}
        }
    }
    while let Some(ended) = turns.join_next().await {
        result = result.and(judge(ended));
    }
    result
}

fn judge(ended: Result<Option<Turned>, tokio::task::JoinError>) -> Result<(), TokenRejected> {
    match ended {
        Ok(Some(Turned::TokenRejected)) => Err(TokenRejected),
        Ok(_) => Ok(()),
        Err(error) => {
            // The lease runs out, and the guild's jobs are taken up again.
            tracing::error!(%error, "a turn ended by a panic");
            Ok(())
        }
    }
}

/// Leases guilds behind the ring's position, and moves it; at the ring's end it starts again.
async fn lease(worker: &Worker, ring: &mut Option<GuildId>, limit: usize) -> Vec<Lease> {
    let (owner, until) = (Uuid::new_v4(), Instant::now() + worker.lease);
    let leased = async {
        let mut db = worker.pool.acquire().await?;
        let mut guilds = gates::lease(&mut db, *ring, limit, owner, worker.lease).await?;
        if guilds.is_empty() && ring.is_some() {
            guilds = gates::lease(&mut db, None, limit, owner, worker.lease).await?;
        }
        Ok::<_, sqlx::Error>(guilds)
    };
    match leased.await {
        Ok(guilds) => {
            *ring = if guilds.len() < limit { None } else { guilds.iter().max().copied() };
            guilds.into_iter().map(|guild| Lease { guild, owner, until }).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "guilds cannot be leased; trying again");
            Vec::new()
        }
    }
}

impl Worker {
    async fn take(&self, lease: Lease) -> Option<Turned> {
        match turn(&self.pool, &self.discord, lease).await {
            Ok(Turned::FencedOut) => {
                tracing::warn!(guild.id = %lease.guild, "a lease ran out during its turn; the guild is looked at again");
                Some(Turned::FencedOut)
            }
            Ok(turned) => Some(turned),
            Err(error) => {
                tracing::warn!(guild.id = %lease.guild, %error, "a turn failed; its lease runs out by itself");
                None
            }
        }
    }
}

async fn release_parked(pool: &PgPool) {
    let released = async { role_jobs::release_parked(&mut *pool.acquire().await?).await };
    match released.await {
        Ok(0) => {}
        Ok(jobs) => tracing::info!(jobs, "parked jobs are looked at again"),
        Err(error) => tracing::warn!(%error, "parked jobs cannot be looked at"),
    }
}

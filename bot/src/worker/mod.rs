//! The loop around turns: lease guilds that have work, take a turn with each, many at once, one per guild.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::db::pool::Pool;
use shared::{
    db::pool::within,
    ids::GuildId,
    store::{
        guild_gates::{self, Ring},
        members, role_grants, role_jobs,
    },
};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::discord::client::RoleClient;

mod books;
pub mod first_look;
mod role_safety;
mod turn;

use turn::{Lease, Turn, Turned};

/// Of the searches for guilds, those that ask not first for what members asked for: where buyers fill every place, other guilds
/// have theirs too.
const OTHERS_FIRST: f64 = 0.2;
/// Polls between two searches for what waits: a minute, as a rule.
const SEARCH_POLLS: u32 = 60;
/// Each role that is due to a member is compared with Discord at least this often: the Gateway may have kept silent.
const LOOK_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Roles per search: a look costs Discord one call.
const SWEEP: i64 = 500;
/// Polls between two searches for grants that are to be looked at once more: a minute after a role was taken, five after Discord said
/// that somebody is not there.
const RECHECK_POLLS: u32 = 5;
/// Grants per such search; those of one member cost one call together.
const RECHECK: i64 = 500;
/// Beyond a lease, for a database that does not answer.
const DATABASE_SILENT: Duration = Duration::from_secs(30);
/// At the end, for leases that are just being asked for: nobody would give them back.
const LAST_LEASES: Duration = Duration::from_secs(1);
/// At the end, for a call under way: then it counts as one whose answer was missed. Platforms kill after three seconds.
const LAST_CALL: Duration = Duration::from_secs(1);
/// At the end, for turns: settling takes milliseconds, unless the database is silent.
const LAST_TURNS: Duration = Duration::from_secs(2);

/// What the worker needs.
pub struct Worker {
    /// The database.
    pub pool: Pool,
    /// Discord.
    pub discord: Arc<RoleClient>,
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
    let mut positions = Positions::default();
    let (mut searched, mut rechecked) = (Instant::now(), Instant::now());
    let mut result = Ok(());
    while result.is_ok() {
        if searched.elapsed() >= worker.poll * SEARCH_POLLS {
            stop.run_until_cancelled(look_again(&worker.pool)).await;
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
                leases = lease(&worker, &mut positions, free) => leases,
                () = after(&stop, LAST_LEASES) => Vec::new(),
            }
        };
        let found = !leases.is_empty();
        for lease in leases {
            let (worker, stop) = (Arc::clone(&worker), stop.clone());
            turns.spawn(async move { worker.take(lease, &stop).await });
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

/// Some time after `stop`.
async fn after(stop: &CancellationToken, wait: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(wait).await;
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

/// Where the next walk of each ring begins; `None`: at its beginning.
#[derive(Default)]
struct Positions {
    urgent: Option<GuildId>,
    all: Option<GuildId>,
}

/// Leases guilds: those where a member asked for something, then any; now and then the other way round.
async fn lease(worker: &Worker, positions: &mut Positions, limit: usize) -> Vec<Lease> {
    let Positions { urgent, all } = positions;
    let mut rings = [(Ring::Urgent, urgent), (Ring::All, all)];
    if shared::clock::jitter() < OTHERS_FIRST {
        rings.reverse();
    }
    let mut leases = Vec::new();
    for (ring, position) in rings {
        if leases.len() < limit {
            leases.extend(walk(worker, ring, position, limit - leases.len()).await);
        }
    }
    leases
}

/// Leases guilds behind the ring's position, and moves it; at the ring's end it starts again.
async fn walk(worker: &Worker, ring: Ring, position: &mut Option<GuildId>, limit: usize) -> Vec<Lease> {
    let (owner, until) = (Uuid::new_v4(), Instant::now() + worker.lease);
    let walked = async {
        let mut across = worker.pool.across().await?;
        let walk = guild_gates::lease(&mut across, ring, *position, limit, owner, worker.lease).await?;
        // The end of the ring, with nothing behind the position: what is before it may have work.
        let ended = walk.leased.is_empty() && walk.position.is_none() && position.is_some();
        if ended {
            guild_gates::lease(&mut across, ring, None, limit, owner, worker.lease).await
        } else {
            Ok(walk)
        }
    };
    match within(walked).await {
        Ok(walk) => {
            *position = walk.position;
            walk.leased.into_iter().map(|guild| Lease { guild, owner, until }).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "guilds cannot be leased; trying again");
            Vec::new()
        }
    }
}

impl Worker {
    async fn take(&self, lease: Lease, stop: &CancellationToken) -> Option<Turned> {
        let turn = Turn { pool: &self.pool, discord: &self.discord, lease, stop };
        // A connection that died without a word would keep the turn, and its slot, for ever.
        match tokio::time::timeout(self.lease + DATABASE_SILENT, turn.take()).await {
            Ok(Ok(turned)) => {
                if turned == Turned::FencedOut {
                    tracing::warn!(guild.id = %lease.guild, "a lease ran out during its turn; the guild is looked at again");
                }
                Some(turned)
            }
            Ok(Err(error)) => {
                tracing::warn!(guild.id = %lease.guild, %error, "a turn failed; its lease runs out by itself");
                None
            }
            Err(_) => {
                tracing::error!(guild.id = %lease.guild, "a turn did not end; its lease has run out");
                None
            }
        }
    }
}

/// Grants about which one answer of Discord's is not enough.
async fn recheck(pool: &Pool) {
    let looked = async { role_grants::recheck(&mut pool.across().await?, RECHECK).await };
    match within(looked).await {
        Ok(0) => {}
        Ok(jobs) => tracing::debug!(jobs, "grants are looked at once more"),
        Err(error) => tracing::warn!(%error, "grants cannot be looked at once more"),
    }
}

/// Parked jobs whose time has come, and members nobody looked at for long.
async fn look_again(pool: &Pool) {
    let looked = async {
        let mut across = pool.across().await?;
        let released = role_jobs::release_parked(&mut across).await?;
        Ok::<_, sqlx::Error>(released + members::sweep_all(&mut across, LOOK_EVERY, SWEEP).await?)
    };
    match within(looked).await {
        Ok(0) => {}
        Ok(jobs) => tracing::info!(jobs, "roles are looked at again"),
        Err(error) => tracing::warn!(%error, "roles that wait cannot be looked at"),
    }
}

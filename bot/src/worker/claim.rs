//! Stage 1: which guilds, and which of their members. In: where the last scan of guilds ended. Out: leases; and the work that is due
//! under one.

use std::time::{Duration, Instant};

use shared::{
    db::{
        pool::{Pool, within},
        tenant,
    },
    domain::{delivery::without_call, roles::work::MemberWork},
    ids::GuildId,
    store::{
        guild_gates::{self, Scan},
        role_jobs,
    },
};
use uuid::Uuid;

use super::{
    context::{Context, Lease},
    progress::{Ended, Progress},
};

/// Of the scans for guilds, those that ask not first for what members asked for: where buyers fill every place, other guilds have
/// theirs too.
const OTHERS_FIRST: f64 = 0.2;
/// Members per turn: as many as fit a lease at Discord's usual speed.
const MEMBERS: usize = 10;

/// Where the next scan of each kind begins; `None`: at its beginning.
#[derive(Default)]
pub(super) struct Positions {
    urgent: Option<GuildId>,
    all: Option<GuildId>,
}

/// Leases guilds: those where a member asked for something, then any; now and then the other way round.
pub(super) async fn guilds(
    pool: &Pool,
    lease: Duration,
    positions: &mut Positions,
    limit: usize,
) -> Vec<Lease> {
    let Positions { urgent, all } = positions;
    let mut scans = [(Scan::Urgent, urgent), (Scan::All, all)];
    if shared::clock::jitter() < OTHERS_FIRST {
        scans.reverse();
    }
    let mut leases = Vec::new();
    for (which, position) in scans {
        if leases.len() < limit {
            leases.extend(scan(pool, lease, which, position, limit - leases.len()).await);
        }
    }
    leases
}

/// Leases guilds behind the position, and moves it; at the end it starts again.
async fn scan(
    pool: &Pool,
    lease: Duration,
    which: Scan,
    position: &mut Option<GuildId>,
    limit: usize,
) -> Vec<Lease> {
    let (owner, until) = (Uuid::new_v4(), Instant::now() + lease);
    let scanning = async {
        let mut across = pool.across().await?;
        let scanned = guild_gates::lease(&mut across, which, *position, limit, owner, lease).await?;
        // The end, with nothing behind the position: what is before it may have work.
        let ended = scanned.leased.is_empty() && scanned.position.is_none() && position.is_some();
        if ended {
            guild_gates::lease(&mut across, which, None, limit, owner, lease).await
        } else {
            Ok(scanned)
        }
    };
    match within(scanning).await {
        Ok(scanned) => {
            *position = scanned.position;
            scanned.leased.into_iter().map(|guild| Lease { guild, owner, until }).collect()
        }
        Err(error) => {
            tracing::warn!(%error, "guilds cannot be leased; trying again");
            Vec::new()
        }
    }
}

/// What is due in the leased guild.
pub(super) async fn due(cx: &Context<'_>) -> Result<Vec<MemberWork>, sqlx::Error> {
    within(async {
        let mut tenant = tenant::begin(cx.pool, cx.lease.guild).await?;
        role_jobs::due(&mut tenant, MEMBERS, shared::clock::jitter()).await
    })
    .await
}

/// What may be changed of a member's work; about the rest it is decided.
pub(super) fn enforced(work: MemberWork, progress: &mut Progress) -> Result<MemberWork, Ended> {
    let mut roles = Vec::new();
    for role in work.roles {
        match without_call::not_enforced(&role) {
            Some(decision) => progress.add(decision)?,
            None => roles.push(role),
        }
    }
    if roles.is_empty() { Err(Ended::Member) } else { Ok(MemberWork { roles, ..work }) }
}

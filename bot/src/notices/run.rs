//! The loop: takes notices that are due, one after the other, and settles each.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    background::{self, Next},
    db::{
        pool::{Pool, within},
        tenant,
    },
    domain::notices::delivery::{Judgement, Settled, judge},
    store::member_notices::{self, Opened, Taken},
};
use tokio_util::sync::CancellationToken;

use super::{
    attempt::{NotOurs, attempt},
    context::Context,
    names::KnownNames,
};
use crate::discord::client::RoleClient;

/// Between two notices. Discord limits how fast a bot opens conversations, and does not say how far.
const APART: Duration = Duration::from_secs(1);
/// Kept of the lease for settling.
const FOR_SETTLING: Duration = Duration::from_secs(1);

/// Sends what is due, until `stop`. `lease`: how long one notice is ours; `every`: how long to wait after a search that found nothing.
pub async fn run(
    pool: Pool,
    discord: Arc<RoleClient>,
    lease: Duration,
    every: Duration,
    stop: CancellationToken,
) {
    let cx = Context { pool, discord, names: KnownNames::default() };
    background::repeat(&stop, || async {
        match one(&cx, lease).await {
            Ok(Taking::Called) => Next::After(APART),
            Ok(Taking::Decided) => Next::After(Duration::ZERO),
            Ok(Taking::Nothing) => Next::After(every),
            Err(error) => {
                tracing::warn!(%error, "members cannot be told of payments that failed");
                Next::After(every)
            }
        }
    })
    .await;
}

/// What was done about one notice.
enum Taking {
    /// None was due.
    Nothing,
    /// Without a call.
    Decided,
    /// Discord was called.
    Called,
}

/// Takes one notice, if one is due, and does what is to be done with it.
async fn one(cx: &Context, lease: Duration) -> Result<Taking, sqlx::Error> {
    let asked = Instant::now();
    let taken = within(async { member_notices::take_due(&mut cx.pool.across().await?, lease).await });
    let Some(taken) = taken.await? else { return Ok(Taking::Nothing) };
    let Some(opened) = open(cx, &taken).await? else { return Ok(Taking::Decided) };
    let (settled, taking) = match judge(&opened.situation) {
        Judgement::Wait(wait, why) => {
            let again = Settled::Again { wait, why: why.to_owned(), failed: false, is_tried: false };
            (again, Taking::Decided)
        }
        Judgement::Close(state, why) => (Settled::Close(state, why.to_owned()), Taking::Decided),
        Judgement::Send(roles) => {
            let until = (asked + lease).checked_sub(FOR_SETTLING).unwrap_or(asked);
            match attempt(cx, &taken, &opened, roles, until).await? {
                Ok(settled) => (settled, Taking::Called),
                // The lease runs out by itself, or somebody else has it.
                Err(NotOurs) => return Ok(Taking::Called),
            }
        }
    };
    tracing::debug!(guild.id = %taken.guild, notice.id = %taken.id, kind = opened.situation.kind.as_str(), ?settled,
        "what came of a notice");
    settle(cx, &taken, &settled).await?;
    Ok(taking)
}

async fn open(cx: &Context, taken: &Taken) -> Result<Option<Opened>, sqlx::Error> {
    within(async {
        let mut tenant = tenant::begin(&cx.pool, taken.guild).await?;
        member_notices::open(&mut tenant, taken).await
    })
    .await
}

async fn settle(cx: &Context, taken: &Taken, settled: &Settled) -> Result<(), sqlx::Error> {
    let is_ours = within(async {
        let mut tenant = tenant::begin(&cx.pool, taken.guild).await?;
        let is_ours = member_notices::settle(&mut tenant, taken, settled).await?;
        tenant.commit().await?;
        Ok(is_ours)
    });
    if !is_ours.await? {
        tracing::warn!(guild.id = %taken.guild, notice.id = %taken.id, ?settled,
            "the lease of a notice ran out; what came of it is found out again");
    }
    Ok(())
}

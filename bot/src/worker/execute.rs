//! Stage 4: makes a member's calls. In: the calls. Out: a decision for each. What a call may change is durable before it is made, so
//! that a crash after it leaves a trace.

use shared::{
    db::{pool::within, tenant},
    domain::delivery::{decision::answered, update::GrantChange},
    ids::UserId,
    store::role_grants::{self, Fence},
};

use super::{
    context::{Clock, Context},
    plan::Call,
    progress::{Ended, Progress},
};
use crate::discord::client::{Answer, NoTime};

pub(super) async fn calls(
    cx: &Context<'_>,
    user: UserId,
    calls: Vec<Call<'_>>,
    clock: Clock,
    progress: &mut Progress,
) -> Result<(), Ended> {
    let intentions: Vec<_> = calls.iter().filter_map(|call| intention(user, call)).collect();
    if intend(cx, &intentions).await? == Fence::Lost {
        return Err(Ended::Turn);
    }
    for call in calls {
        one(cx, user, call, clock, progress).await?;
    }
    Ok(())
}

fn intention(user: UserId, call: &Call<'_>) -> Option<GrantChange> {
    let view = call.work.view;
    GrantChange::new(user, view.role, view.grant, call.planned.known, call.work.cause())
}

async fn intend(cx: &Context<'_>, changes: &[GrantChange]) -> Result<Fence, sqlx::Error> {
    if changes.is_empty() {
        return Ok(Fence::Held);
    }
    within(async {
        let mut tenant = tenant::begin(cx.pool, cx.lease.guild).await?;
        let fence = role_grants::intend(&mut tenant, cx.lease.owner, changes).await?;
        tenant.commit().await?;
        Ok(fence)
    })
    .await
}

async fn one(
    cx: &Context<'_>,
    user: UserId,
    Call { work, planned, call }: Call<'_>,
    clock: Clock,
    progress: &mut Progress,
) -> Result<(), Ended> {
    let (guild, role) = (cx.lease.guild, work.view.role);
    if cx.stop.is_cancelled() {
        return Err(Ended::Turn);
    }
    let reason = format!("Nexrole: {}", work.cause());
    let changing = cx.discord.change(call, guild, user, role, &reason, cx.lease.calls_until());
    let Answer { outcome, bucket_wait, .. } = match cx.unless_stopped(changing).await {
        Some(Ok(answer)) => answer,
        Some(Err(NoTime)) => return Err(Ended::Turn),
        None => Answer::missed(),
    };
    progress.called.push((user, role));
    let decision = answered(user, work, planned, &outcome, bucket_wait, shared::clock::jitter(), clock.now());
    tracing::info!(guild.id = %guild, user.id = %user, role.id = %role, cause = work.cause(), ?call, ?outcome,
        guild.gate = ?decision.guild, "role call");
    progress.add(decision)
}

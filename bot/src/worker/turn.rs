//! One turn with one guild, under its lease. Each member passes the stages by itself; then all that was decided is settled.

use std::time::Instant;

use shared::{
    domain::{delivery::update::GuildGate, roles::work::MemberWork},
    store::guild_gates::Release,
};

use super::{
    breaker, claim,
    context::{Clock, Context},
    execute, observe, plan,
    progress::{Ended, Progress},
    settle,
};

/// Answers whether the lease still held, and how the guild is left.
pub(super) async fn take(cx: &Context<'_>) -> Result<(Release, GuildGate), sqlx::Error> {
    let mut progress = Progress::default();
    let at = Instant::now();
    for work in claim::due(cx).await? {
        let clock = Clock { read: work.read_at, at };
        match one_member(cx, work, clock, &mut progress).await {
            Ok(()) | Err(Ended::Member) => {}
            Err(Ended::Turn) => break,
            Err(Ended::Database(error)) => return Err(error),
        }
    }
    let guild = progress.guild;
    Ok((settle::write(cx, progress).await?, guild))
}

async fn one_member(
    cx: &Context<'_>,
    work: MemberWork,
    clock: Clock,
    progress: &mut Progress,
) -> Result<(), Ended> {
    let work = claim::enforced(work, progress)?;
    let observed = observe::member(cx, &work, clock, progress).await?;
    let calls = plan::calls(cx, &work, &observed.member, clock, progress).await?;
    let calls = breaker::pass(cx, work.user, calls, progress).await?;
    execute::calls(cx, work.user, calls, clock, progress).await?;
    progress.close(observed.bucket_wait.map_or(GuildGate::Open, GuildGate::Paused))
}

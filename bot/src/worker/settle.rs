//! Stage 5: writes what a turn decided, in one transaction that gives the lease back. In: the turn's progress. Out: whether the lease
//! still held; if not, nothing is written.

use shared::{
    db::{pool::within, tenant},
    domain::delivery::update::Settlement,
    metrics::ROLE_JOBS,
    store::{guild_gates::Release, settle},
};

use super::{context::Context, progress::Progress};

pub(super) async fn write(cx: &Context<'_>, progress: Progress) -> Result<Release, sqlx::Error> {
    let Progress { guild, decisions, called, reached, .. } = progress;
    let settlement = Settlement { owner: cx.lease.owner, guild, decisions, called, reached };
    let release = within(async {
        let mut tenant = tenant::begin(cx.pool, cx.lease.guild).await?;
        let release = settle::settle(&mut tenant, &settlement).await?;
        tenant.commit().await?;
        Ok(release)
    });
    let release = release.await?;
    if release == Release::Released {
        for job in settlement.decisions.iter().flat_map(|decision| &decision.jobs) {
            metrics::counter!(ROLE_JOBS, "state" => job.state.as_str()).increment(1);
        }
    }
    Ok(release)
}

//! What a worker's turn with one guild decided, written in one transaction: lease, jobs, `role_grants`, questions, role health, logs.

use super::{
    activity_log, follow_questions,
    guild_gates::{self, Release},
    guild_roles, role_grants, role_health, role_jobs,
};
use crate::{
    db::tenant::Tenant,
    domain::{
        activity::Activity,
        delivery::update::{GuildGate, RoleHealth, Settlement},
        job::{JobAction, JobOrigin, JobState},
    },
};

/// Writes a turn's result; the caller commits. Fenced out: nothing of it is written, and what may have been changed at
/// Discord is checked again by whoever comes next.
pub async fn settle(tenant: &mut Tenant, turn: &Settlement) -> Result<Release, sqlx::Error> {
    let is_away = matches!(turn.guild, GuildGate::Away(_));
    let left = is_away && !guild_gates::is_away(tenant).await?;
    // Also if one call was refused for a reason of its own: that call waits longer each time, the guild does not.
    let back = turn.reached && !is_away && guild_gates::reached(tenant, turn.owner).await?;
    if guild_gates::release(tenant, turn.owner, turn.guild).await? == Release::FencedOut {
        // A grant job, not a mere check: it is to be given back if our call took it away.
        for &(user, role) in &turn.called {
            let cause = "a worker lost its lease";
            role_jobs::enqueue(tenant, user, role, JobAction::Grant, JobOrigin::Command, cause).await?;
        }
        return Ok(Release::FencedOut);
    }
    if left {
        activity_log::record(tenant, Activity::BotAway).await?;
    }
    if back {
        activity_log::record(tenant, Activity::BotBack).await?;
    }
    let roles = || turn.decisions.iter().filter_map(|decision| decision.role.as_ref());
    // Before the jobs: who writes what was heard, or read, of a guild's roles locks them in that order, and frees a role's jobs.
    if roles().any(|role| matches!(role, RoleHealth::Gone(_))) {
        // Perhaps nobody heard of it: people are told by the list of roles.
        guild_roles::hint(tenant).await?;
        guild_roles::request_read(tenant).await?;
    }
    let jobs: Vec<_> = turn.decisions.iter().flat_map(|decision| &decision.jobs).collect();
    role_jobs::settle(tenant, &jobs).await?;
    if jobs.iter().any(|job| job.state == JobState::Applied) {
        role_jobs::shorten_backoff(tenant).await?;
    }
    for change in turn.decisions.iter().filter_map(|decision| decision.grant.as_ref()) {
        role_grants::apply(tenant, change).await?;
    }
    for question in turn.decisions.iter().filter_map(|decision| decision.question) {
        follow_questions::apply(tenant, question).await?;
    }
    for role in roles() {
        match role {
            RoleHealth::Works(role) | RoleHealth::Gone(role) => role_health::clear(tenant, *role).await?,
            RoleHealth::Parked { role, probe_in, code } => {
                role_health::refused(tenant, *role, *probe_in, *code).await?;
            }
        }
    }
    Ok(Release::Released)
}

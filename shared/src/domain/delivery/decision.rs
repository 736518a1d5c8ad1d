//! What an answer of Discord's means for jobs, row, role and guild. Pure.
//!
//! In: the work for one role of a member, the step, and the outcome of its call, or of the read that had to come before. Out: a
//! [`Decision`]. Steps without a call are in [`super::without_call`].

use std::time::Duration;

use super::{
    absence,
    backoff::{PARKED, REFUSED, ROLE_PROBE, UNANSWERED},
    job_updates::{JobEnd, direction, update},
    outcome::{CallOutcome, Transient},
    update::{Decision, GrantChange, GuildGate, JobUpdate, RoleHealth},
};
use crate::{
    clock::Timestamp,
    domain::roles::{
        grant::{self, GrantState, Step},
        joining,
        plan::Planned,
        work::{Manageability, RoleWork},
    },
    ids::UserId,
};

pub(super) const NOT_MANAGEABLE: &str = "parked: Discord does not let the bot manage this role (most often it lacks Manage Roles, or the role is not below its own)";
const NEEDS_TWO_FACTOR: &str = "parked: this server wants two-factor authentication of its moderators; the owner of the bot's application must turn it on";

/// A call was made, or tried. `planned`: with the row as it was written before the call. `bucket_wait`: how long no other call of
/// this kind may be made for the guild.
pub fn answered(
    user: UserId,
    work: &RoleWork,
    planned: Planned,
    outcome: &CallOutcome,
    bucket_wait: Option<Duration>,
    jitter: f64,
    now: Timestamp,
) -> Decision {
    let outcome = &joining::despite_absence(outcome, joining::heard(&work.jobs));
    let Planned { step, known: before } = planned;
    let known = grant::settle(before.grant, step, work.view.grant.is_some(), outcome, now);
    let jobs = |end| update(work, direction(step), end);
    let role = work.view.role;
    let (jobs, role) = match outcome {
        CallOutcome::Done => {
            let works = work.manageability == Manageability::ProbeDue;
            (jobs(JobEnd::applied(done(step, work))), works.then_some(RoleHealth::Works(role)))
        }
        // The guild is left alone; jobs keep their place, and no attempt is spent.
        CallOutcome::RateLimited { .. } | CallOutcome::GuildGone { .. } | CallOutcome::TokenRejected => {
            (Vec::new(), None)
        }
        CallOutcome::Transient(cause) => {
            let again = format!("will be tried again: {cause}");
            (jobs(JobEnd::pending(wait(*cause, work.failures(), jitter), again).failed()), None)
        }
        CallOutcome::Refused { status: 403, code } => {
            let again = format!("will be tried again: Discord refused with status 403, code {code}");
            (jobs(JobEnd::pending(REFUSED.wait(work.failures()), again).failed()), None)
        }
        CallOutcome::Refused { status, code } => {
            let parked = format!("parked: Discord refused with status {status}, code {code}");
            (jobs(JobEnd::parked(PARKED, parked).failed()), None)
        }
        CallOutcome::MemberGone => (absence::of_member(work, step, known, now), None),
        CallOutcome::Forbidden { code } => {
            let parked = RoleHealth::Parked { role, probe_in: ROLE_PROBE, code: *code };
            (jobs(JobEnd::parked(ROLE_PROBE, forbidden(*code))), Some(parked))
        }
        CallOutcome::RoleGone => (absence::of_role(work, step, known, now), Some(RoleHealth::Gone(role))),
    };
    let grant = GrantChange::new(user, work.view.role, before.grant, known, work.cause());
    Decision { jobs, grant, question: None, role, guild: guild(outcome, bucket_wait) }
}

fn done(step: Step, work: &RoleWork) -> &'static str {
    match (step, work.view.grant.map(|row| row.state)) {
        (Step::Revoke, Some(GrantState::Ending)) => "revoked once more: it was there again",
        (Step::Revoke, _) => "revoked",
        (_, Some(GrantState::Confirmed)) => "granted again",
        _ => "granted",
    }
}

fn forbidden(code: u32) -> String {
    match code {
        50013 => NOT_MANAGEABLE.to_owned(),
        60003 => NEEDS_TWO_FACTOR.to_owned(),
        code => format!("parked: Discord does not let the bot manage this role (status 403, code {code})"),
    }
}

fn wait(cause: Transient, failures: u32, jitter: f64) -> Duration {
    match cause {
        Transient::NotYetKnown { wait } => wait,
        Transient::Status(_) | Transient::TimedOut | Transient::Connection => {
            UNANSWERED.spread_wait(failures, jitter)
        }
    }
}

fn guild(outcome: &CallOutcome, bucket_wait: Option<Duration>) -> GuildGate {
    match outcome {
        CallOutcome::RateLimited { after, .. } => GuildGate::Paused(*after),
        CallOutcome::GuildGone { code } => GuildGate::Away(*code),
        CallOutcome::Refused { status: 403, code } => GuildGate::Refused(*code),
        CallOutcome::TokenRejected => GuildGate::Shutdown,
        CallOutcome::Done
        | CallOutcome::MemberGone
        | CallOutcome::RoleGone
        | CallOutcome::Forbidden { .. }
        | CallOutcome::Refused { .. }
        | CallOutcome::Transient(_) => bucket_wait.map_or(GuildGate::Open, GuildGate::Paused),
    }
}

/// What had to be read before anything could be planned, or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    Member,
    /// What the server's roles may do.
    Roles,
}

/// What had to be read for these roles of a member could not be: nothing is done about them.
pub fn unread(roles: &[&RoleWork], what: Unread, outcome: &CallOutcome, jitter: f64) -> Decision {
    let heard = joining::heard(roles.iter().flat_map(|role| &role.jobs));
    let outcome = &joining::despite_absence(outcome, heard);
    // They are read together, and wait together.
    let failures = roles.iter().map(|role| role.failures()).max().unwrap_or(0);
    let jobs = roles.iter().flat_map(|role| unread_jobs(role, what, outcome, failures, jitter)).collect();
    let guild = match outcome {
        // No role is concerned: it is about the guild.
        CallOutcome::Forbidden { code } => GuildGate::Refused(*code),
        _ => guild(outcome, None),
    };
    Decision { jobs, guild, ..Decision::default() }
}

fn unread_jobs(
    work: &RoleWork,
    what: Unread,
    outcome: &CallOutcome,
    failures: u32,
    jitter: f64,
) -> Vec<JobUpdate> {
    let what = match what {
        Unread::Member => "the member",
        Unread::Roles => "the list of roles",
    };
    let not_read = |why: &str| format!("{what} could not be read: {why}");
    let end = match outcome {
        CallOutcome::Transient(cause) => {
            JobEnd::pending(wait(*cause, failures, jitter), not_read(&cause.to_string()))
        }
        CallOutcome::Refused { status: 403, code } => {
            let why = format!("Discord refused with status 403, code {code}");
            JobEnd::pending(REFUSED.wait(failures), not_read(&why))
        }
        CallOutcome::Refused { status, code } => {
            JobEnd::parked(PARKED, not_read(&format!("Discord refused with status {status}, code {code}")))
        }
        // No answer to such a read; but if it were one, it must not be asked for again at once.
        CallOutcome::RoleGone | CallOutcome::Done | CallOutcome::MemberGone => {
            JobEnd::parked(PARKED, not_read("Discord's answer was about something else"))
        }
        // About the guild or about everything: jobs keep their place.
        CallOutcome::Forbidden { .. }
        | CallOutcome::RateLimited { .. }
        | CallOutcome::GuildGone { .. }
        | CallOutcome::TokenRejected => return Vec::new(),
    };
    update(work, None, end.failed())
}

#[cfg(test)]
mod tests;

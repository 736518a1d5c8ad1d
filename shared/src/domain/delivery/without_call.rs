//! What becomes of a role for which no call is made. In: the work for it, and why none is made. Out: a [`Decision`]. Pure.

use std::time::Duration;

use super::{
    absence,
    backoff::{ROLE_PROBE, ROLES_CHANGING, SUSPENDED, UNCHECKED_ROLE},
    decision::NOT_MANAGEABLE,
    job_updates::{JobEnd, direction, update},
    outcome::CallOutcome,
    update::{Decision, GrantChange, JobUpdate, RoleHealth},
};
use crate::{
    clock::Timestamp,
    domain::{
        job::JobAction,
        roles::{
            enforcement::Enforcement,
            grant::{self, GrantState, Known, Step},
            plan::Planned,
            safety::remedy,
            work::{MemberWork, RoleWork},
        },
    },
    ids::UserId,
};

/// How an outcome begins where a role is somebody else's.
pub(in crate::domain) const LEFT_TO_PERSON: &str = "left alone: a person gave this role";

/// A role that is not turned on: nothing is changed, not even planned. `None`: it is.
pub fn not_enforced(work: &RoleWork) -> Option<Decision> {
    let end = match work.enforcement {
        Enforcement::On => return None,
        Enforcement::Unseen => {
            JobEnd::pending(UNCHECKED_ROLE, "waits for the first check of who holds this role")
        }
        Enforcement::Observe => JobEnd::noop("only observed: this role is not turned on"),
    };
    Some(jobs_alone(update(work, None, end)))
}

/// A member of whom nothing can be done: not even reading their roles is worth a call. But what we may have given is checked.
/// `is_refused`: Discord does not let the bot manage the role. `None`: the member is to be read.
pub fn unread_member(
    work: &MemberWork,
    is_refused: impl Fn(&RoleWork) -> bool,
    now: Timestamp,
) -> Option<Vec<Decision>> {
    let is_moot = |role: &RoleWork| suspension(role).is_some() && role.view.grant.is_none();
    // Nor is the last check of what was taken put off: what is given by hand after it is not ours.
    let is_ending = |role: &RoleWork| role.view.grant.is_some_and(|row| row.state == GrantState::Ending);
    let nothing = work.roles.iter().all(|role| is_refused(role) && !is_ending(role) || is_moot(role));
    let decision = |role: &RoleWork| match suspension(role) {
        Some(danger) => suspended(work.user, role, None, danger, now),
        None => not_manageable(role),
    };
    nothing.then(|| work.roles.iter().map(decision).collect())
}

/// Why a role will not be given, whatever the member's own state is: it is to be, and we never gave it.
fn suspension(role: &RoleWork) -> Option<&str> {
    let waits = role.view.wanted.desired && role.view.grant.is_none();
    role.danger.as_deref().filter(|_| waits)
}

/// The role was to be given along with something else, and certainly was not: the intention is taken back, and the jobs are as due as
/// before.
pub fn not_given(user: UserId, work: &RoleWork, planned: Planned, now: Timestamp) -> Decision {
    // As if Discord had refused it.
    let refused = CallOutcome::Refused { status: 403, code: 0 };
    let (before, is_ours) = (planned.known.grant, work.view.grant.is_some());
    let known = grant::settle(before, planned.step, is_ours, &refused, now);
    let grant = GrantChange::new(user, work.view.role, before, known, work.cause());
    Decision { grant, ..Decision::default() }
}

/// A step that needs no call.
pub fn found(user: UserId, work: &RoleWork, planned: Planned, now: Timestamp) -> Decision {
    let Planned { known, step } = planned;
    let jobs = match step {
        Step::AwaitMember | Step::MemberGone => absence::of_member(work, step, known, now),
        step => update(work, direction(step), found_end(step)),
    };
    with_row(user, work, known, jobs)
}

/// What a check makes of the question whether a role that a person gave is to follow the payment; `None`: nothing. `found`: the
/// check's step, whatever comes of it.
pub fn asked(user: UserId, work: &RoleWork, found: Step) -> Option<Decision> {
    let change = work.by_hand.after(found)?;
    Some(Decision { question: Some((user, work.view.role, change)), ..Decision::default() })
}

fn found_end(step: Step) -> JobEnd {
    match step {
        Step::Confirm => JobEnd::applied("granted: an earlier call had gone through"),
        Step::RecordGone => JobEnd::applied("revoked: it was already gone"),
        Step::Forget => JobEnd::noop("nothing to do: it was never given"),
        Step::AlreadySo => JobEnd::noop("nothing to do: the member has it"),
        Step::Missing => {
            JobEnd::noop("left alone: it is gone though the member never left; a person may have taken it")
        }
        Step::Wait => JobEnd::noop("nothing to do yet: it is checked once more"),
        Step::NotOurs => JobEnd::noop(LEFT_TO_PERSON),
        Step::Adopt => JobEnd::applied("a person gave this role: from now on it follows the payment"),
        Step::GivenUp => {
            JobEnd::noop("left alone: we took it twice, and it is there again; somebody else gives it")
        }
        Step::Nothing => JobEnd::noop("nothing to do: the member does not have it"),
        // These are answered by `absence`, and by what becomes of their call.
        Step::AwaitMember | Step::MemberGone | Step::Grant | Step::Revoke => {
            JobEnd::pending(Duration::ZERO, "not tried")
        }
    }
}

/// A step whose call Discord would refuse: it refused the same role a moment ago.
pub fn not_manageable(work: &RoleWork) -> Decision {
    jobs_alone(update(work, None, JobEnd::parked(ROLE_PROBE, NOT_MANAGEABLE)))
}

/// A role that would be taken from too many within a day, or of which somebody is to say whether it is. No call is made, and what was
/// seen of the member is written.
pub fn held(user: UserId, work: &RoleWork, planned: Planned, why: &str) -> Decision {
    let jobs = update(work, Some(JobAction::Revoke), JobEnd::held(why.to_owned()));
    with_row(user, work, planned.known, jobs)
}

/// A role whose permissions are being changed in this moment.
pub fn changing(work: &RoleWork) -> Decision {
    let waits = "waits: the roles of this server are being changed";
    jobs_alone(update(work, None, JobEnd::pending(ROLES_CHANGING, waits)))
}

/// A role that must not be given, and is to be. `withheld`: the row, if the member was read just now: then they do not have the
/// role, and whoever gets it by hand meanwhile does not have it from us.
pub fn suspended(
    user: UserId,
    work: &RoleWork,
    withheld: Option<Known>,
    danger: &str,
    now: Timestamp,
) -> Decision {
    // The row's last check is not put off: until then what is given by hand would be taken for ours.
    let check_at = withheld.and_then(|known| known.grant?.look_at);
    let due_in =
        check_at.map_or(SUSPENDED, |at| (at - now).try_into().unwrap_or(Duration::ZERO).min(SUSPENDED));
    let why = format!("suspended: {danger}; nobody is given this role. {}", remedy(danger));
    let jobs = update(work, Some(JobAction::Grant), JobEnd::parked(due_in, why));
    match withheld {
        Some(known) => with_row(user, work, known, jobs),
        None => jobs_alone(jobs),
    }
}

/// A role that is to be given and is not in the list of the server's roles, which was read just now. `known`: as if the member had
/// been shown not to be there.
pub fn not_listed(user: UserId, work: &RoleWork, known: Known, now: Timestamp) -> Decision {
    let jobs = absence::of_role(work, Step::Grant, known, now);
    Decision { role: Some(RoleHealth::Works(work.view.role)), ..with_row(user, work, known, jobs) }
}

fn jobs_alone(jobs: Vec<JobUpdate>) -> Decision {
    Decision { jobs, ..Decision::default() }
}

fn with_row(user: UserId, work: &RoleWork, known: Known, jobs: Vec<JobUpdate>) -> Decision {
    let grant = GrantChange::new(user, work.view.role, work.view.grant, known, work.cause());
    Decision { grant, ..jobs_alone(jobs) }
}

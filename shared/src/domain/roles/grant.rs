//! The life of one row of `role_grants`: what we believe Discord holds because of us, for one member and one role.
//!
//! In: the row, what Discord showed or answered, whether the role is due, the time. Out: the row as it is now, the audit entries of
//! that change, and what is to be done. Whoever calls makes what [`check`] answers durable before the call it asks for.
//!
//! Discord may be wrong once. An answer that says absent, gone, deleted or done is believed when it was given twice, five minutes
//! apart, or was seen to be so at a check a minute later. A role that Discord shows without a row was given by a person, and stays,
//! unless the owner lets it follow the payment ([`super::by_hand`]).
//! `shared/tests/role_grants` walks through every history of bounded length with these very functions.

use time::Duration;

use crate::clock::Timestamp;
use crate::domain::{
    audit::AuditAction,
    delivery::{backoff::SECOND_SHOWING, outcome::CallOutcome},
};

/// How far Discord's clock and ours may be apart when a joining is compared with a row.
const CLOCKS: Duration = Duration::minutes(1);
/// What was done, or seen in doubt, is checked once more after this: a call that was given up may be carried out until then.
const ONCE_MORE: Duration = Duration::minutes(1);
/// How far a grant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum GrantState {
    /// We were about to give it; the answer is not recorded.
    Intended,
    /// Discord confirmed it.
    Confirmed,
    /// We took it, or found it gone; whether it stays away is still to be seen.
    Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub state: GrantState,
    /// When Discord confirmed it; of one that was never confirmed, when it was intended.
    pub since: Timestamp,
    /// Discord showed then that member, or role, is not there, and has not shown the opposite since.
    pub absent_since: Option<Timestamp>,
    /// It must be checked again then. Before, nothing is taken back that is ending, nor given unasked.
    pub look_at: Option<Timestamp>,
    /// Confirmed or intended: no check has shown it since our call, which may be repeated once. Ending: the removal may be.
    pub unseen: bool,
    /// A check found it gone then, though the member had not left and we had not taken it.
    pub taken_at: Option<Timestamp>,
}

/// What Discord shows of one role of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The member is there, with the role or without it.
    Present {
        held: bool,
        /// Since when they are a member; roles do not survive leaving.
        joined_at: Option<Timestamp>,
    },
    /// The member, or the role, is not there.
    Absent,
}

/// What is wanted of the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// At least one live access source.
    pub desired: bool,
    /// A job says that access began; otherwise this is only a check.
    pub asked: bool,
    /// It is paid for, and the owner lets it follow the payment also where a person gave it.
    pub follows: bool,
}

/// What is to be done, or was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// `PUT` the role.
    Grant,
    /// `DELETE` the role.
    Revoke,
    /// It is there and was to be: a call whose answer we missed went through.
    Confirm,
    /// It is gone and was to go: a call whose answer we missed, or somebody else, removed it.
    RecordGone,
    /// It was never given, as far as can be seen.
    Forget,
    /// As desired, and ours.
    AlreadySo,
    /// Desired, ours, and gone, though the member never left: a person may have taken it, and nobody asked for it again.
    Missing,
    /// Too early to tell: there will be another check.
    Wait,
    /// It is there, as desired or not, and a person gave it.
    NotOurs,
    /// It is there, as desired; a person gave it, and it is to follow the payment: from now on it is ours.
    Adopt,
    /// We took it twice, and it is there again: somebody else gives it.
    GivenUp,
    /// Not there, and not desired.
    Nothing,
    /// Desired, but the member is not in the server.
    AwaitMember,
    /// Not desired, and the member is not in the server.
    MemberGone,
}

impl Step {
    /// Whether it is a call to Discord.
    pub fn is_call(self) -> bool {
        matches!(self, Self::Grant | Self::Revoke)
    }
}

/// A row after something was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The row; `None`: there is none.
    pub grant: Option<Grant>,
    /// What the audit log is told.
    pub entries: &'static [AuditAction],
}

impl Known {
    fn same(grant: Option<Grant>) -> Self {
        Self { grant, entries: &[] }
    }

    fn row(grant: Grant) -> Self {
        Self::same(Some(grant))
    }
}

const GRANTED: &[AuditAction] = &[AuditAction::RoleGranted];
const REVOKED: &[AuditAction] = &[AuditAction::RoleRevoked];
const GRANTED_AND_REVOKED: &[AuditAction] = &[AuditAction::RoleGranted, AuditAction::RoleRevoked];
const LOST: &[AuditAction] = &[AuditAction::RoleLost];
const LEFT: &[AuditAction] = &[AuditAction::RoleLeft];
const ADOPTED: &[AuditAction] = &[AuditAction::RoleAdopted];

/// What a check of the member means, and which call it asks for. The row is to be written before that call.
pub fn check(grant: Option<Grant>, seen: Seen, wanted: Wanted, now: Timestamp) -> (Known, Step) {
    use GrantState::{Confirmed, Ending, Intended};
    let Wanted { desired, asked, follows } = wanted;
    let (held, joined_at) = match seen {
        Seen::Present { held, joined_at } => (held, joined_at),
        Seen::Absent if desired => return (shown_absent(grant, now), Step::AwaitMember),
        Seen::Absent => return (shown_absent(grant, now), Step::MemberGone),
    };
    let Some(found) = grant else {
        return match (desired, held) {
            (true, true) if follows => (adopt(now), Step::Adopt),
            (_, true) => (Known::same(None), Step::NotOurs),
            (true, false) => (intend(None, true, now), Step::Grant),
            (false, false) => (Known::same(None), Step::Nothing),
        };
    };
    // Whoever is there is not absent.
    let row = Grant { absent_since: None, ..found };
    if held && joined_at.is_some_and(|joined| joined > row.since + CLOCKS) {
        // What we gave went when they left. They have it all the same, so somebody else gave it.
        return (lose(row), Step::NotOurs);
    }
    let early = row.look_at.is_some_and(|at| at > now);
    match (row.state, desired, held) {
        (Intended | Ending, true, true) => (confirm(row, now), Step::Confirm),
        (Intended | Ending, true, false) => (intend(grant, true, now), Step::Grant),
        (Confirmed, true, true) if asked => {
            // Perhaps what takes it away is still on its way.
            let row = Grant { look_at: Some(now + ONCE_MORE), unseen: true, taken_at: None, ..row };
            (Known::row(row), Step::AlreadySo)
        }
        (Confirmed, true, true) if early => (Known::row(row), Step::AlreadySo),
        (Confirmed, true, true) => {
            let row = Grant { look_at: None, unseen: false, taken_at: None, ..row };
            (Known::row(row), Step::AlreadySo)
        }
        (Confirmed, true, false) if asked || has_rejoined(row.since, joined_at) => {
            (intend(grant, true, now), Step::Grant)
        }
        (Confirmed, true, false) if early => (Known::row(row), Step::Wait),
        // Discord said done and never showed it: once more.
        (Confirmed, true, false) if row.unseen => (intend(grant, false, now), Step::Grant),
        (Confirmed, true, false) => {
            let row = Grant { look_at: None, taken_at: row.taken_at.or(Some(now)), ..row };
            (Known::row(row), Step::Missing)
        }
        (Intended | Confirmed, false, true) => (Known::row(row), Step::Revoke),
        (Confirmed, false, false) => (end(row, REVOKED, now), Step::RecordGone),
        (Intended, false, false) => (end(row, &[], now), Step::Forget),
        (Ending, false, _) if early => (Known::row(row), Step::Wait),
        (Ending, false, true) if row.unseen => {
            // Before the call: if its answer is missed, the next check is not at once.
            (Known::row(Grant { look_at: Some(now + ONCE_MORE), ..row }), Step::Revoke)
        }
        (Ending, false, true) => (Known { grant: None, entries: LEFT }, Step::GivenUp),
        (Ending, false, false) => (Known::same(None), Step::Nothing),
    }
}

/// A role that is due, was not there, and must not be given now: as if it were not due, but nobody took it. Somebody may give it by
/// hand meanwhile, and that is not to be taken later.
pub fn withhold(grant: Option<Grant>, seen: Seen, now: Timestamp) -> Known {
    let (known, _) = check(grant, seen, Wanted { desired: false, asked: false, follows: false }, now);
    if known.entries == REVOKED { Known { entries: LOST, ..known } } else { known }
}

/// What became of the call that [`check`] asked for. `grant`: the row as it was written before the call; `over`: there was one before
/// the check, too.
pub fn settle(grant: Option<Grant>, step: Step, over: bool, outcome: &CallOutcome, now: Timestamp) -> Known {
    use GrantState::{Confirmed, Ending, Intended};
    let Some(row) = grant else { return Known::same(None) };
    match outcome {
        // It may have happened, or may still happen.
        CallOutcome::Transient(_)
        | CallOutcome::RateLimited { .. }
        | CallOutcome::GuildGone { .. }
        | CallOutcome::TokenRejected => Known::row(row),
        // It certainly did not: a role that is given by hand later is not taken for ours.
        CallOutcome::Forbidden { .. } | CallOutcome::Refused { .. } => match (step, row.state) {
            (Step::Grant, Intended) => Known::same(None),
            _ => Known::row(row),
        },
        CallOutcome::MemberGone | CallOutcome::RoleGone => shown_absent(grant, now),
        CallOutcome::Done => match (step, row.state) {
            (Step::Revoke, Confirmed) => end(row, REVOKED, now),
            (Step::Revoke, Intended) => end(row, GRANTED_AND_REVOKED, now),
            (Step::Revoke, Ending) => {
                let look_at = Some(now + ONCE_MORE);
                Known::row(Grant { unseen: false, look_at, absent_since: None, ..row })
            }
            _ => {
                let look_at = over.then(|| now + ONCE_MORE);
                Known { grant: Some(Grant { look_at, ..confirmed(row, now) }), entries: GRANTED }
            }
        },
    }
}

/// Member, or role, was shown not to be there.
fn shown_absent(grant: Option<Grant>, now: Timestamp) -> Known {
    let Some(row) = grant else { return Known::same(None) };
    if row.state == GrantState::Ending {
        // Our own last check is the second showing.
        return if row.look_at.is_some_and(|at| at > now) { Known::row(row) } else { Known::same(None) };
    }
    match row.absent_since {
        None => Known::row(Grant { absent_since: Some(now), look_at: Some(now + SECOND_SHOWING), ..row }),
        Some(first) if now < first + SECOND_SHOWING => {
            let look_at = row.look_at.map(|at| at.max(first + SECOND_SHOWING));
            Known::row(Grant { look_at, ..row })
        }
        Some(_) => lose(row),
    }
}

/// Before a `PUT`, also one that repeats another: a fresh time, so that a joining before it is told from one after it.
fn intend(grant: Option<Grant>, unseen: bool, now: Timestamp) -> Known {
    let was_confirmed = grant.is_some_and(|row| row.state == GrantState::Confirmed);
    let row = Grant {
        state: GrantState::Intended,
        since: now,
        absent_since: None,
        look_at: None,
        unseen,
        taken_at: None,
    };
    Known { grant: Some(row), entries: if was_confirmed { LOST } else { &[] } }
}

fn confirmed(row: Grant, now: Timestamp) -> Grant {
    Grant { state: GrantState::Confirmed, since: now, absent_since: None, taken_at: None, ..row }
}

/// Found held after a call of ours whose answer we missed: what was asked for since may still arrive.
fn confirm(row: Grant, now: Timestamp) -> Known {
    let row = Grant { look_at: Some(now + ONCE_MORE), unseen: true, ..confirmed(row, now) };
    Known { grant: Some(row), entries: GRANTED }
}

/// Just seen; and where there is no row, no call of ours is on its way that would take it.
fn adopt(now: Timestamp) -> Known {
    let row = Grant {
        state: GrantState::Confirmed,
        since: now,
        absent_since: None,
        look_at: None,
        unseen: false,
        taken_at: None,
    };
    Known { grant: Some(row), entries: ADOPTED }
}

/// The row keeps its time: who joins after it did not have the role from us.
fn end(row: Grant, entries: &'static [AuditAction], now: Timestamp) -> Known {
    let look_at = Some(now + ONCE_MORE);
    let row =
        Grant { state: GrantState::Ending, absent_since: None, look_at, unseen: true, taken_at: None, ..row };
    Known { grant: Some(row), entries }
}

fn lose(row: Grant) -> Known {
    let entries = if row.state == GrantState::Confirmed { LOST } else { &[] };
    Known { grant: None, entries }
}

/// Whether the role went by leaving. When it cannot be told, it did: a paying member is not to lose a role by doubt.
fn has_rejoined(since: Timestamp, joined_at: Option<Timestamp>) -> bool {
    joined_at.is_none_or(|joined| joined + CLOCKS > since)
}

#[cfg(test)]
mod tests;

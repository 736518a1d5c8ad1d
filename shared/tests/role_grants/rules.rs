//! The real rules, or all but one of them.

use super::*;

/// A rule that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Absence is believed at its second showing only.
    SecondShowing,
    /// What was taken is checked once more.
    LastCheck,
    /// Every `PUT` writes an intention with a fresh time.
    FreshIntention,
    /// A confirmed row that turns out to be a person's is lost in the audit log, too.
    LossIsAudited,
    /// An intention ends too: when member or role is shown to be absent, or when it is not wanted any more.
    IntentionsEnd,
    /// An intention that Discord refused ends at once: who has the role later does not have it from us.
    RefusedIsNone,
    /// A grant that no check has shown yet is repeated once.
    UnseenIsRepeated,
    /// What is found held, where a call may still be under way, is checked once more.
    FoundIsWatched,
    /// Before its time nothing that is ending is taken, and nothing given unasked.
    Patience,
    /// Who has the role and joined after our row does not have it from us.
    JoinedLater,
    /// Who joined after our row, and does not have the role, lost it by leaving.
    Rejoined,
    /// What a person gave becomes ours only by the owner's word.
    OwnersWord,
    /// And only while it is paid for.
    OnlyWhilePaid,
}

impl Rule {
    pub(super) const ALL: [Self; 13] = [
        Self::SecondShowing,
        Self::LastCheck,
        Self::FreshIntention,
        Self::LossIsAudited,
        Self::IntentionsEnd,
        Self::RefusedIsNone,
        Self::UnseenIsRepeated,
        Self::FoundIsWatched,
        Self::Patience,
        Self::JoinedLater,
        Self::Rejoined,
        Self::OwnersWord,
        Self::OnlyWhilePaid,
    ];

    /// By which mapping it shows.
    pub(super) fn mapped(self) -> ByHand {
        match self {
            Self::OwnersWord => ByHand::Ask,
            Self::OnlyWhilePaid => ByHand::Follow,
            _ => ByHand::Keep,
        }
    }
}

const LOST: &[AuditAction] = &[AuditAction::RoleLost];
const LOST_AND_GRANTED: &[AuditAction] = &[AuditAction::RoleLost, AuditAction::RoleGranted];

fn in_a_minute(now: Timestamp) -> Option<Timestamp> {
    Some(now + Duration::minutes(1))
}

fn has(row: Option<Grant>, state: GrantState) -> bool {
    row.is_some_and(|row| row.state == state)
}

/// [`grant::check`] without a rule.
pub(super) fn check(
    left_out: Option<Rule>,
    before: Option<Grant>,
    seen: Seen,
    wanted: Wanted,
    now: Timestamp,
) -> (Known, Step) {
    use GrantState::{Confirmed, Ending, Intended};
    let (mut row, mut shown, mut wanted) = (before, seen, wanted);
    if left_out == Some(Rule::OwnersWord) {
        wanted.follows = wanted.desired;
    }
    match (left_out, &mut row, &mut shown) {
        (Some(Rule::Patience), Some(row), Seen::Present { .. }) => {
            row.look_at = row.look_at.map(|at| at.min(now));
        }
        (Some(Rule::JoinedLater), Some(row), Seen::Present { held: true, joined_at })
        | (Some(Rule::Rejoined), Some(row), Seen::Present { held: false, joined_at }) => {
            *joined_at = Some(row.since - Duration::DAY);
        }
        _ => {}
    }
    let (mut known, mut step) = grant::check(row, shown, wanted, now);
    if left_out == Some(Rule::OnlyWhilePaid) && step == Step::NotOurs && before.is_none() && wanted.follows {
        let paid = Wanted { desired: true, ..wanted };
        (known, step) = grant::check(row, shown, paid, now);
    }
    match left_out {
        Some(Rule::SecondShowing) if seen == Seen::Absent && !has(before, Ending) => {
            known = Known { grant: None, entries: if has(before, Confirmed) { LOST } else { &[] } };
        }
        Some(Rule::LastCheck) if has(known.grant, Ending) && !has(before, Ending) => known.grant = None,
        Some(Rule::FreshIntention) if step == Step::Grant && before.is_some() && !has(before, Ending) => {
            known = Known { grant: before, entries: &[] };
        }
        Some(Rule::LossIsAudited) if step == Step::NotOurs => known.entries = &[],
        Some(Rule::IntentionsEnd)
            if has(before, Intended) && (seen == Seen::Absent || step == Step::Forget) =>
        {
            let stays = before.map(|row| Grant { look_at: in_a_minute(now), ..row });
            known = Known { grant: stays, entries: &[] };
        }
        Some(Rule::UnseenIsRepeated) if step == Step::Grant => {
            known.grant = known.grant.map(|row| Grant { unseen: false, ..row });
        }
        Some(Rule::FoundIsWatched) if step == Step::Confirm => {
            known.grant = known.grant.map(|row| Grant { look_at: None, unseen: false, ..row });
        }
        Some(Rule::FoundIsWatched) if step == Step::AlreadySo && wanted.asked => known.grant = before,
        Some(Rule::Patience) if step == Step::Revoke && has(before, Ending) => known.grant = before,
        _ => {}
    }
    (known, step)
}

/// [`grant::settle`] without a rule.
pub(super) fn settle(
    left_out: Option<Rule>,
    before: Option<Grant>,
    step: Step,
    over: bool,
    outcome: &CallOutcome,
    now: Timestamp,
) -> Known {
    use GrantState::{Confirmed, Ending, Intended};
    let mut known = grant::settle(before, step, over, outcome, now);
    let absent = matches!(outcome, CallOutcome::MemberGone | CallOutcome::RoleGone);
    match left_out {
        Some(Rule::SecondShowing) if absent && !has(before, Ending) => {
            known = Known { grant: None, entries: if has(before, Confirmed) { LOST } else { &[] } };
        }
        Some(Rule::LastCheck) if has(known.grant, Ending) && !has(before, Ending) => known.grant = None,
        Some(Rule::FreshIntention)
            if step == Step::Grant && has(before, Confirmed) && *outcome == CallOutcome::Done =>
        {
            known.entries = LOST_AND_GRANTED;
        }
        Some(Rule::IntentionsEnd) if has(before, Intended) && absent => {
            let stays = before.map(|row| Grant { look_at: in_a_minute(now), ..row });
            known = Known { grant: stays, entries: &[] };
        }
        Some(Rule::RefusedIsNone) if matches!(outcome, CallOutcome::Forbidden { .. }) => {
            known = Known { grant: before, entries: &[] };
        }
        Some(Rule::FoundIsWatched) if step == Step::Grant && *outcome == CallOutcome::Done => {
            known.grant = known.grant.map(|row| Grant { look_at: None, ..row });
        }
        _ => {}
    }
    known
}

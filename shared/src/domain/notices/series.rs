//! Which notices a grace has, and when. In: the notices that there are of a subscription, whose it is, what was read, the time. Out:
//! what changes about them.
//!
//! A series belongs to the first failure of an invoice, so that nothing which happens before the payment does moves or repeats it:
//! not a retry, not a pause, not another read. Applied twice, a reading changes nothing the second time.

use std::{collections::BTreeSet, time::Duration};

use super::{
    NoticeKind, NoticeState,
    grace::{Grace, Reading},
};
use crate::{
    clock::Timestamp,
    ids::{NoticeId, RoleId, UserId},
};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Before the end, of the last reminder.
const LAST_DAY: Duration = DAY;
/// Between two reminders. Less than a day, so that a grace of two days has its last day although it was noticed a moment late.
pub const APART: Duration = Duration::from_secs(20 * 3600);
/// What is noticed later than so long before its end is told when it has ended, and not twice within hours.
pub const TOO_LATE: Duration = Duration::from_secs(6 * 3600);

const NOT_THEIRS: &str = "the subscription is not theirs any more";
const PAID: &str = "the payment came before";
const ENDED: &str = "the role ended before";
const NO_END: &str = "the role does not end by time any more";
const MOVED: &str = "the time that is left has no place for it any more";
const NOBODY_TOLD: &str = "nobody was told that a payment failed";

/// A notice as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    pub id: NoticeId,
    pub user: UserId,
    /// The first failure of the invoice: what a series has in common.
    pub anchor: Timestamp,
    pub kind: NoticeKind,
    pub state: NoticeState,
    pub due_at: Timestamp,
    pub ends_at: Timestamp,
    pub roles: BTreeSet<RoleId>,
    /// Discord was asked to take it, or is just being asked.
    pub is_tried: bool,
    pub created_at: Timestamp,
}

/// A notice to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    pub user: UserId,
    pub anchor: Timestamp,
    pub kind: NoticeKind,
    pub due_at: Timestamp,
    pub ends_at: Timestamp,
    pub roles: BTreeSet<RoleId>,
    /// Why it is never sent; `None`: it is, when it is due.
    pub cancelled: Option<&'static str>,
}

/// A change of the notices of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Add(NewNotice),
    /// It is to be sent, and was not yet.
    Set {
        id: NoticeId,
        due_at: Timestamp,
        ends_at: Timestamp,
        roles: BTreeSet<RoleId>,
    },
    Cancel {
        id: NoticeId,
        why: &'static str,
    },
}

/// The reminders of a grace that lasts until `until`, each with when. `seen`: since when it is known.
pub fn schedule(since: Timestamp, until: Timestamp, seen: Timestamp) -> Vec<(NoticeKind, Timestamp)> {
    let began = since.max(seen);
    if began + TOO_LATE > until {
        return Vec::new();
    }
    let mut reminders = vec![(NoticeKind::Began, began)];
    let last_day = until - LAST_DAY;
    // Of two that are too near to each other, the later one says more.
    if last_day >= began + APART {
        let half = since + (until - since) / 2;
        if half >= began + APART && last_day >= half + APART {
            reminders.push((NoticeKind::Halfway, half));
        }
        reminders.push((NoticeKind::LastDay, last_day));
    }
    reminders
}

/// What a reading of a subscription changes about its notices. `user`: whose it is now.
pub fn follow(noted: &[Noted], user: Option<UserId>, reading: &Reading, now: Timestamp) -> Vec<Step> {
    let (theirs, others): (Vec<&Noted>, Vec<&Noted>) = noted.iter().partition(|it| Some(it.user) == user);
    let mut steps: Vec<Step> = others.into_iter().filter_map(|it| cancel(it, NOT_THEIRS)).collect();
    let Some(user) = user else { return steps };
    let newest = theirs.iter().map(|it| it.anchor).max();
    let of = |anchor| theirs.iter().copied().filter(|it| it.anchor == anchor).collect::<Vec<_>>();
    match (reading, newest) {
        (Reading::Grace(grace), newest) => {
            // Of one failure the time is only ever found to be earlier, and of the next one it is later.
            let anchor = newest.filter(|anchor| *anchor >= grace.since).unwrap_or(grace.since);
            steps.extend(remind(user, anchor, &of(anchor), grace, now));
        }
        (_, None) => {}
        (Reading::NoEnd, Some(newest)) => {
            let reminders = of(newest).into_iter().filter(|it| it.kind.is_reminder());
            steps.extend(reminders.filter_map(|it| cancel(it, NO_END)));
        }
        (Reading::Paid, Some(newest)) => steps.extend(close(&of(newest), NoticeKind::Restored, PAID, now)),
        (Reading::Over, Some(newest)) => steps.extend(close(&of(newest), NoticeKind::Ended, ENDED, now)),
    }
    steps
}

/// The reminders of a grace as they are to be.
fn remind(user: UserId, anchor: Timestamp, series: &[&Noted], grace: &Grace, now: Timestamp) -> Vec<Step> {
    let began = series.iter().find(|it| it.kind == NoticeKind::Began).map(|it| it.due_at);
    let seen = began.or_else(|| series.iter().map(|it| it.created_at).min()).unwrap_or(now);
    let reminders = schedule(grace.since, grace.until, seen);
    let (until, roles) = (grace.until, &grace.roles);
    let is_planned = |it: &&&Noted| reminders.iter().any(|(kind, _)| *kind == it.kind);
    // The end, too, if it was just about to be told.
    let unplanned = series.iter().filter(|it| it.kind != NoticeKind::Restored && !is_planned(it));
    let mut steps: Vec<Step> = unplanned.filter_map(|it| cancel(it, MOVED)).collect();
    for &(kind, due_at) in &reminders {
        match series.iter().find(|it| it.kind == kind) {
            None => steps.push(Step::Add(NewNotice {
                user,
                anchor,
                kind,
                due_at,
                ends_at: until,
                roles: roles.clone(),
                cancelled: None,
            })),
            Some(it) => {
                let is_open =
                    !it.is_tried && matches!(it.state, NoticeState::Pending | NoticeState::Cancelled);
                let is_so = it.state == NoticeState::Pending
                    && (it.due_at, it.ends_at, &it.roles) == (due_at, until, roles);
                if is_open && !is_so {
                    steps.push(Step::Set { id: it.id, due_at, ends_at: until, roles: roles.clone() });
                }
            }
        }
    }
    steps
}

/// The series ends: what is not sent is cancelled, and how it ended is told, once.
fn close(series: &[&Noted], end: NoticeKind, why: &'static str, now: Timestamp) -> Vec<Step> {
    let is_told =
        series.iter().any(|it| it.is_tried || matches!(it.state, NoticeState::Sent | NoticeState::Unsure));
    let mut steps: Vec<Step> =
        series.iter().filter(|it| it.kind < end).filter_map(|it| cancel(it, why)).collect();
    // Who has paid after the end is told so; whose role ends later on, without a payment that failed, is not.
    let last = series.iter().max_by_key(|it| it.kind);
    let Some(last) = last else { return steps };
    let (due_at, ends_at, roles) = (now, last.ends_at, last.roles.clone());
    if last.kind < end {
        let nobody_told = (end == NoticeKind::Restored && !is_told).then_some(NOBODY_TOLD);
        let (user, anchor, cancelled) = (last.user, last.anchor, nobody_told);
        steps.push(Step::Add(NewNotice { user, anchor, kind: end, due_at, ends_at, roles, cancelled }));
    } else if last.kind == NoticeKind::Ended && end == last.kind && last.state == NoticeState::Cancelled {
        // There was more time in between.
        steps.push(Step::Set { id: last.id, due_at, ends_at, roles });
    }
    steps
}

fn cancel(it: &Noted, why: &'static str) -> Option<Step> {
    let is_open = it.state == NoticeState::Pending && !it.is_tried;
    is_open.then_some(Step::Cancel { id: it.id, why })
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;

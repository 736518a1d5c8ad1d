//! One role: whether the member has it, why, and what follows. In: the facts, the role. Out: an answer, and what is next.

use super::{
    explanation::{Answer, Cause, Fix, Next, Reason, Why},
    facts::{Facts, Job, Role, Source},
    source::{does_not_give, end, fix, reason},
};
use crate::{
    clock::Timestamp,
    domain::{
        delivery::{
            absence::{AWAITED, ROLE_DELETED},
            refusal::{Closed, tried_at},
            without_call::LEFT_TO_PERSON,
        },
        job::JobState,
        roles::{by_hand::Question, enforcement::Enforcement, grant::GrantState},
    },
};

/// What is known of one role.
pub(super) struct OfRole<'f> {
    facts: &'f Facts,
    pub(super) role: &'f Role,
    /// The latest change first.
    pub(super) sources: Vec<&'f Source>,
    /// The newest last.
    pub(super) jobs: Vec<&'f Job>,
    now: Timestamp,
}

impl<'f> OfRole<'f> {
    pub(super) fn new(facts: &'f Facts, role: &'f Role, now: Timestamp) -> Self {
        let sources = facts.sources.iter().filter(|source| source.role_id == role.role_id).collect();
        let jobs = facts.jobs.iter().filter(|job| job.role_id == role.role_id).collect();
        Self { facts, role, sources, jobs, now }
    }

    /// What gives it now.
    pub(super) fn live(&self) -> impl Iterator<Item = &'f Source> {
        self.sources.iter().copied().filter(|source| source.is_live)
    }

    pub(super) fn is_due(&self) -> bool {
        self.live().next().is_some()
    }

    /// The one that waits, by the newest of them.
    pub(super) fn open(&self) -> Option<&'f Job> {
        self.jobs.iter().rev().copied().find(|job| job.finished_at.is_none())
    }

    fn last_done(&self) -> Option<&'f Job> {
        self.jobs.iter().rev().copied().find(|job| job.finished_at.is_some())
    }

    /// Discord holds it because of us, as far as is known.
    fn is_held(&self) -> bool {
        matches!(self.role.grant_state, Some(GrantState::Confirmed)) && self.role.taken_at.is_none()
    }

    /// When the one that waits is tried; `None`: none waits, or what waits is held until it is answered.
    pub(super) fn tried_at(&self) -> Option<Timestamp> {
        let waits = self.open().filter(|job| job.state != JobState::Held.as_str());
        waits.map(|job| tried_at(job.due_at, self.facts.closed, self.role.probe_at))
    }

    /// The last check left it to the person who gave it.
    fn is_by_person(&self) -> bool {
        let said = self.last_done().and_then(|job| job.outcome.as_deref());
        self.role.grant_state.is_none()
            && (self.role.question.is_some() || said.is_some_and(|said| said.starts_with(LEFT_TO_PERSON)))
    }

    pub(super) fn answer(&self) -> (Answer, Next) {
        if self.is_due() { self.due() } else { self.not_due() }
    }

    fn next(&self, fix: Fix) -> Next {
        Next { at: self.tried_at().filter(|at| *at > self.now), fix }
    }

    fn due(&self) -> (Answer, Next) {
        let reasons: Vec<_> = self.live().map(|source| reason(self.facts, source, self.now)).collect();
        if self.is_held() && !self.role.is_deleted() && self.role.absent_since.is_none() {
            let ends: Vec<_> = reasons.iter().map(|reason| end(&reason.why)).collect();
            // As long as one of them has no end, the role has none.
            let until =
                ends.iter().copied().collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
            let fixes: Vec<_> = reasons.iter().map(fix).collect();
            let fix = match self.facts.pending_since {
                Some(_) => Fix::MemberAcceptsRules,
                None if fixes.contains(&Fix::Nothing) => Fix::Nothing,
                None => fixes.into_iter().next().unwrap_or(Fix::Nothing),
            };
            let cause = Cause::Sources(reasons);
            let answer = match until {
                Some(at) => Answer::WillLose(at, cause),
                None => Answer::Has(cause),
            };
            return (answer, Next { at: until, fix });
        }
        let (cause, fix) = self.obstacle();
        let answer = match cause {
            Cause::ByPerson(_) => Answer::Has(cause),
            Cause::Observed | Cause::Unchecked => Answer::MayHave(cause),
            cause => Answer::Lacks(cause),
        };
        (answer, self.next(fix))
    }

    /// Why a role that is due is not there, the strongest cause first.
    fn obstacle(&self) -> (Cause, Fix) {
        let role = self.role;
        let said = self.open().and_then(|job| job.outcome.as_deref()).unwrap_or_default();
        let done = self.last_done().and_then(|job| job.outcome.as_deref()).unwrap_or_default();
        if role.is_deleted() || self.open().is_none() && done.ends_with(ROLE_DELETED) {
            return (Cause::RoleDeleted, Fix::MapAnotherRole);
        }
        match role.enforcement {
            Some(Enforcement::On) => {}
            Some(Enforcement::Observe) => return (Cause::Observed, Fix::Enforce),
            Some(Enforcement::Unseen) => return (Cause::Unchecked, Fix::Wait),
            None => return (Cause::NothingWaits, Fix::MapAnotherRole),
        }
        if let Some(at) = role.taken_at {
            return (Cause::Taken(at), Fix::GiveBack);
        }
        if self.is_by_person() {
            let fix = match role.question {
                Some(Question::Open) => Fix::AnswerQuestion,
                Some(Question::Follow) => Fix::Wait,
                Some(Question::Keep) | None => Fix::Nothing,
            };
            return (Cause::ByPerson(role.question), fix);
        }
        self.hindrance(said)
    }

    /// What keeps a change from being made.
    fn hindrance(&self, said: &str) -> (Cause, Fix) {
        let role = self.role;
        if let Some(closed) = self.facts.closed {
            let fix = match closed {
                Closed::Refused(_) => Fix::InviteBot,
                Closed::ToldToWait(_) => Fix::Wait,
            };
            return (Cause::ServerClosed(closed), fix);
        }
        if let Some(danger) = role.danger.as_ref().filter(|_| self.is_due()) {
            return (Cause::Suspended(danger.clone()), Fix::ClearDanger(danger.clone()));
        }
        if role.probe_at.is_some() {
            return (Cause::Refused(role.code), Fix::LetManage(role.code));
        }
        if self.open().is_some_and(|job| job.state == JobState::Held.as_str()) {
            return (Cause::Held, Fix::ReviewHeld);
        }
        if let Some(at) = role.absent_since {
            return (Cause::Doubted(at), Fix::Wait);
        }
        if said == AWAITED {
            return (Cause::NotInServer, Fix::MemberJoins);
        }
        match self.open() {
            Some(job) => (Cause::Waits { attempts: job.attempts, outcome: job.outcome.clone() }, Fix::Wait),
            None => (Cause::NothingWaits, Fix::Wait),
        }
    }

    fn not_due(&self) -> (Answer, Next) {
        let why_not = || match self.sources.first() {
            Some(source) => {
                let reason = reason(self.facts, source, self.now);
                let fix = fix(&reason);
                (Cause::Sources(vec![reason]), fix)
            }
            None => self.never(),
        };
        let is_ours = matches!(self.role.grant_state, Some(GrantState::Confirmed | GrantState::Intended));
        if is_ours && self.role.taken_at.is_none() {
            if self.role.enforcement == Some(Enforcement::Observe) {
                return (Answer::Keeps(Cause::Observed), self.next(Fix::Enforce));
            }
            let said = self.open().and_then(|job| job.outcome.as_deref()).unwrap_or_default();
            return match self.hindrance(said) {
                (Cause::Waits { attempts: 0, .. } | Cause::NothingWaits, _) => {
                    (Answer::Loses(why_not().0), self.next(Fix::Wait))
                }
                (cause, fix) => (Answer::Keeps(cause), self.next(fix)),
            };
        }
        if self.is_by_person() {
            return (Answer::Has(Cause::ByPerson(self.role.question)), self.next(Fix::Nothing));
        }
        let (cause, fix) = why_not();
        (Answer::Lacks(cause), self.next(fix))
    }

    /// Nothing ever gave it.
    fn never(&self) -> (Cause, Fix) {
        let facts = self.facts;
        let sold =
            |bought: &&super::facts::Bought| facts.mappings_of(bought, self.role.role_id).next().is_some();
        let Some(bought) = facts.bought.iter().find(sold) else {
            return (Cause::NothingWaits, Fix::BuyAgain);
        };
        if let Some(member) = bought.user().filter(|user| *user != facts.member) {
            return (Cause::ForAnother { id: bought.id.clone(), member }, Fix::BuyAgain);
        }
        if bought.read.is_unread {
            let cause = Cause::Unread { id: bought.id.clone(), error: bought.read.read_error.clone() };
            return (cause, Fix::Wait);
        }
        let why = does_not_give(bought);
        let evidence = format!("{} is {}", bought.id, bought.status);
        let reason = Reason { source: bought.id.clone(), why, evidence, pay_page: bought.pay_page(self.now) };
        let fix = if reason.why == Why::Ended { Fix::Wait } else { fix(&reason) };
        (Cause::Sources(vec![reason]), fix)
    }
}

//! Which of the jobs that wait for a role takes what came of it. In: all its jobs, and how one of them ends. Out: an update for each.

use std::{borrow::Cow, time::Duration};

use super::update::JobUpdate;
use crate::domain::{
    job::{ClaimedJob, JobAction, JobState},
    roles::{grant::Step, work::RoleWork},
};

/// What becomes of the job that asked.
pub(super) struct JobEnd {
    state: JobState,
    due_in: Duration,
    failures: u32,
    outcome: Cow<'static, str>,
}

impl JobEnd {
    fn new(state: JobState, due_in: Duration, outcome: impl Into<Cow<'static, str>>) -> Self {
        Self { state, due_in, failures: 0, outcome: outcome.into() }
    }

    pub(super) fn finished(state: JobState, outcome: impl Into<Cow<'static, str>>) -> Self {
        Self::new(state, Duration::ZERO, outcome)
    }

    pub(super) fn applied(outcome: &'static str) -> Self {
        Self::finished(JobState::Applied, outcome)
    }

    pub(super) fn noop(outcome: &'static str) -> Self {
        Self::finished(JobState::Noop, outcome)
    }

    pub(super) fn pending(due_in: Duration, outcome: impl Into<Cow<'static, str>>) -> Self {
        Self::new(JobState::Pending, due_in, outcome)
    }

    pub(super) fn parked(due_in: Duration, outcome: impl Into<Cow<'static, str>>) -> Self {
        Self::new(JobState::Parked, due_in, outcome)
    }

    pub(super) fn held(outcome: String) -> Self {
        Self::new(JobState::Held, Duration::ZERO, outcome)
    }

    /// It is charged to the job as a failure.
    pub(super) fn failed(self) -> Self {
        Self { failures: 1, ..self }
    }
}

/// What a job must have asked for to be answered by a step; `None`: any.
pub(super) fn direction(step: Step) -> Option<JobAction> {
    match step {
        Step::Grant | Step::Confirm | Step::Adopt | Step::AlreadySo | Step::Missing | Step::AwaitMember => {
            Some(JobAction::Grant)
        }
        Step::Revoke | Step::RecordGone | Step::MemberGone | Step::GivenUp => Some(JobAction::Revoke),
        Step::Forget | Step::NotOurs | Step::Nothing | Step::Wait => None,
    }
}

/// The newest job that asked for this ends so; those beside it are superseded. A state that is not final is everybody's. A job
/// that was not due is charged with no failure, and keeps its time. One that is held stays held, unless nothing is left to be done or asked.
pub(super) fn update(work: &RoleWork, direction: Option<JobAction>, end: JobEnd) -> Vec<JobUpdate> {
    let JobEnd { state, due_in, failures, outcome } = end;
    let waits = matches!(state, JobState::Pending | JobState::Parked | JobState::Held);
    let jobs = || work.jobs.iter().filter(move |job| !(waits && job.is_held));
    let asked =
        |job: &&ClaimedJob| direction.is_none_or(|way| job.action == way || job.action == JobAction::Resync);
    // An ask outlives a check: the turn that comes of it gives back also what a person took.
    let asks = |job: &&ClaimedJob| state == JobState::Parked && asked(job) && job.action == JobAction::Grant;
    // What waits must wait in some job, also when none asked for it.
    let any =
        jobs().next_back().filter(|_| matches!(state, JobState::Parked | JobState::Held | JobState::Failed));
    let mut newest_first = jobs().rev();
    // Whatever else waits for the same joins what is held.
    let joins = state == JobState::Held && work.is_held();
    let newest = newest_first
        .clone()
        .find(asks)
        .or_else(|| newest_first.find(asked))
        .or(any)
        .map(|job| job.id)
        .filter(|_| !joins);
    let shared_state = state == JobState::Pending;
    let update = |job: &ClaimedJob| {
        if shared_state || Some(job.id) == newest {
            let failures = if job.is_due { failures } else { 0 };
            JobUpdate { id: job.id, state, due_in, failures, outcome: outcome.to_string() }
        } else {
            JobUpdate {
                id: job.id,
                state: JobState::Superseded,
                due_in: Duration::ZERO,
                failures: 0,
                outcome: format!("superseded: {outcome}"),
            }
        }
    };
    let untouched = |job: &&ClaimedJob| shared_state && failures > 0 && !job.is_due;
    jobs().filter(|job| !untouched(job)).map(update).collect()
}

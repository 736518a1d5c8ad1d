use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        delivery::{
            backoff::SECOND_SHOWING,
            outcome::LimitScope,
            without_call::{self, found, not_listed, not_manageable},
        },
        job::{ClaimedJob, JobAction, JobOrigin, JobState},
        roles::{
            by_hand::PaidByHand,
            enforcement::Enforcement,
            grant::{Grant, Known, Seen, Wanted, check},
            plan::RoleView,
        },
    },
    ids::{JobId, RoleId},
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn role() -> RoleId {
    RoleId::from_u64(7).unwrap()
}

fn user() -> UserId {
    UserId::from_u64(1).unwrap()
}

fn work(actions: &[JobAction]) -> RoleWork {
    let jobs = actions.iter().zip(1..).map(|(&action, n)| ClaimedJob {
        id: JobId::from_u64(n).unwrap(),
        user: user(),
        role: role(),
        action,
        origin: JobOrigin::Purchase,
        attempts: 0,
        age: Duration::ZERO,
        is_due: true,
        is_held: false,
        cause: format!("cause {n}"),
    });
    let wanted = Wanted { desired: true, asked: true, follows: false };
    RoleWork {
        view: RoleView { role: role(), wanted, grant: None },
        by_hand: PaidByHand::default(),
        manageability: Manageability::Manageable,
        enforcement: Enforcement::On,
        danger: None,
        ended_by: None,
        jobs: jobs.collect(),
    }
}

/// The same, with a row, and not wanted any more.
fn ours(actions: &[JobAction], state: GrantState) -> RoleWork {
    let mut work = work(actions);
    let grant = Grant { state, since: NOW, absent_since: None, look_at: None, unseen: false, taken_at: None };
    work.view.grant = Some(grant);
    work.view.wanted.desired = false;
    work
}

/// What a check of the member makes of it.
fn planned(work: &RoleWork, held: bool) -> Planned {
    let seen = Seen::Present { held, joined_at: None };
    let (known, step) = check(work.view.grant, seen, work.view.wanted, NOW);
    Planned { known, step }
}

fn absent(work: &RoleWork) -> Decision {
    let (known, step) = check(work.view.grant, Seen::Absent, work.view.wanted, NOW);
    found(user(), work, Planned { known, step }, NOW)
}

/// The call that such a check asks for, answered.
fn answer(work: &RoleWork, outcome: &CallOutcome) -> Decision {
    let planned = planned(work, !work.view.wanted.desired);
    assert!(planned.step.is_call());
    answered(user(), work, planned, outcome, None, 0.0, NOW)
}

fn timed_out() -> CallOutcome {
    CallOutcome::Transient(Transient::TimedOut)
}

fn states(decision: &Decision) -> Vec<JobState> {
    decision.jobs.iter().map(|job| job.state).collect()
}

fn state_after(decision: &Decision) -> Option<GrantState> {
    decision.grant.as_ref().expect("the row changes").to.map(|row| row.state)
}

#[test]
fn the_newest_job_that_asked_is_applied_and_the_rest_superseded() {
    use JobAction::{Grant, Resync, Revoke};
    use JobState::{Applied, Superseded};
    for (actions, expected) in [
        (&[Grant][..], &[Applied][..]),
        (&[Grant, Revoke, Grant], &[Superseded, Superseded, Applied]),
        (&[Grant, Revoke], &[Applied, Superseded]),
        (&[Grant, Resync], &[Superseded, Applied]),
        (&[Revoke], &[Superseded]),
    ] {
        let decision = answer(&work(actions), &CallOutcome::Done);
        assert_eq!(states(&decision), expected, "{actions:?}");
        assert_eq!(state_after(&decision), Some(GrantState::Confirmed));
    }
}

/// Two subscriptions, one cancelled: the only job is a revoke, and the role is still due.
#[test]
fn what_waits_waits_in_a_job_that_asked_for_something_else() {
    let work = work(&[JobAction::Revoke, JobAction::Revoke]);
    let parked = [JobState::Superseded, JobState::Parked];
    assert_eq!(states(&absent(&work)), parked);
    for outcome in [CallOutcome::Forbidden { code: 50013 }, CallOutcome::Refused { status: 400, code: 50035 }]
    {
        assert_eq!(states(&answer(&work, &outcome)), parked, "{outcome:?}");
    }
}

#[test]
fn a_job_that_is_not_due_is_not_charged_and_keeps_its_time() {
    let mut both = work(&[JobAction::Grant, JobAction::Grant]);
    both.jobs[0] = ClaimedJob { attempts: 3, is_due: false, ..both.jobs[0].clone() };
    assert_eq!(both.failures(), 0, "nor does it make the other wait longer");
    for updates in
        [answer(&both, &timed_out()).jobs, unread(&[&both], Unread::Member, &timed_out(), 0.0).jobs]
    {
        let named: Vec<_> = updates.iter().map(|job| (job.id, job.failures)).collect();
        assert_eq!(named, [(both.jobs[1].id, 1)]);
    }
    let decision = answer(&both, &CallOutcome::Done);
    assert_eq!(states(&decision), [JobState::Superseded, JobState::Applied], "what is done is done for both");
}

#[test]
fn an_ask_waits_rather_than_a_check() {
    let work = work(&[JobAction::Grant, JobAction::Resync]);
    let parked = [JobState::Parked, JobState::Superseded];
    assert_eq!(states(&absent(&work)), parked);
    assert_eq!(states(&not_manageable(&work)), parked);
}

#[test]
fn the_first_word_that_a_member_is_absent_is_believed_for_five_minutes() {
    for state in [GrantState::Intended, GrantState::Confirmed] {
        for decision in [
            absent(&ours(&[JobAction::Revoke], state)),
            answer(&ours(&[JobAction::Revoke], state), &CallOutcome::MemberGone),
            answer(&ours(&[JobAction::Revoke], state), &CallOutcome::RoleGone),
        ] {
            assert_eq!((state_after(&decision), states(&decision)), (Some(state), vec![JobState::Parked]));
            assert_eq!(decision.jobs[0].due_in, SECOND_SHOWING);
        }
    }
    let buyer = work(&[JobAction::Grant]);
    let first = absent(&buyer);
    assert_eq!((states(&first), first.jobs[0].due_in), (vec![JobState::Parked], SECOND_SHOWING));
    let mut again = buyer;
    again.jobs[0].attempts = 1;
    assert_eq!(absent(&again).jobs[0].due_in, SECOND_SHOWING, "what failed before was something else");
    again.jobs[0].origin = JobOrigin::Sweep;
    assert_eq!(absent(&again).jobs[0].due_in, PARKED);
}

#[test]
fn the_second_word_that_a_member_is_absent_ends_what_was_to_be_taken() {
    let mut work = ours(&[JobAction::Revoke], GrantState::Confirmed);
    work.view.grant = work.view.grant.map(|row| Grant { absent_since: Some(NOW - SECOND_SHOWING), ..row });
    let decision = absent(&work);
    assert_eq!((state_after(&decision), states(&decision)), (None, vec![JobState::Noop]));
}

#[test]
fn a_role_that_is_not_there_fails_a_grant_when_that_is_said_twice() {
    let mut buyer = work(&[JobAction::Grant]);
    let known = Known { grant: None, entries: &[] };
    let decision = not_listed(user(), &buyer, known, NOW);
    assert_eq!((states(&decision), decision.jobs[0].due_in), (vec![JobState::Parked], SECOND_SHOWING));
    assert_eq!(decision.role, Some(RoleHealth::Works(role())), "our power over it is moot");
    (buyer.jobs[0].attempts, buyer.jobs[0].origin) = (1, JobOrigin::Sweep);
    assert_eq!(states(&not_listed(user(), &buyer, known, NOW)), [JobState::Failed]);
}

#[test]
fn a_member_who_cannot_be_read_is_never_asked_for_again_at_once() {
    for outcome in [CallOutcome::RoleGone, CallOutcome::Done, CallOutcome::Refused { status: 400, code: 9 }] {
        let updates = unread(&[&work(&[JobAction::Grant])], Unread::Member, &outcome, 0.0).jobs;
        assert_eq!((updates[0].state, updates[0].due_in), (JobState::Parked, PARKED), "{outcome:?}");
    }
}

#[test]
fn being_told_to_wait_writes_nothing() {
    let after = Duration::from_secs(9);
    for (outcome, guild) in [
        (CallOutcome::RateLimited { after, scope: LimitScope::Guild }, GuildGate::Paused(after)),
        (CallOutcome::GuildGone { code: 10004 }, GuildGate::Away(10004)),
        (CallOutcome::TokenRejected, GuildGate::Shutdown),
    ] {
        let decision = answer(&work(&[JobAction::Grant]), &outcome);
        assert_eq!(decision, Decision { guild, ..Decision::default() }, "and spends no attempt");
    }
}

#[test]
fn an_unknown_result_keeps_the_intention_and_a_refusal_drops_it() {
    let grant = work(&[JobAction::Grant]);
    let decision = answer(&grant, &timed_out());
    assert_eq!(
        (decision.grant, decision.jobs[0].failures, decision.jobs[0].due_in),
        (None, 1, Duration::from_secs(5))
    );
    let decision = answer(&grant, &CallOutcome::Forbidden { code: 50013 });
    assert_eq!((state_after(&decision), decision.jobs[0].failures), (None, 0));
    assert_eq!(decision.role, Some(RoleHealth::Parked { role: role(), probe_in: ROLE_PROBE, code: 50013 }));
    let decision = answer(&grant, &CallOutcome::Refused { status: 403, code: 50600 });
    assert_eq!((decision.role.clone(), state_after(&decision)), (None, None), "no role is blamed");
    assert_eq!(
        (decision.jobs[0].state, decision.jobs[0].due_in),
        (JobState::Pending, Duration::from_secs(60))
    );
    let decision = answer(&grant, &CallOutcome::Refused { status: 400, code: 50035 });
    assert_eq!((state_after(&decision), decision.jobs[0].state), (None, JobState::Parked));
}

#[test]
fn a_refused_revoke_keeps_our_record_of_the_grant() {
    let revoke = ours(&[JobAction::Revoke], GrantState::Confirmed);
    for outcome in [CallOutcome::Forbidden { code: 60003 }, CallOutcome::Refused { status: 400, code: 50035 }]
    {
        assert_eq!(answer(&revoke, &outcome).grant, None, "{outcome:?}");
    }
}

#[test]
fn a_persons_role_is_left_alone() {
    let mut revoke = work(&[JobAction::Revoke]);
    revoke.view.wanted.desired = false;
    let decision = found(user(), &revoke, planned(&revoke, true), NOW);
    assert_eq!((states(&decision), decision.grant), (vec![JobState::Noop], None));
}

#[test]
fn a_probe_that_works_frees_the_role() {
    let mut probe = work(&[JobAction::Grant]);
    probe.manageability = Manageability::ProbeDue;
    assert_eq!(answer(&probe, &CallOutcome::Done).role, Some(RoleHealth::Works(role())));
}

#[test]
fn a_failure_waits_longer_each_time_and_the_guild_with_it_if_it_was_refused() {
    let mut grant = work(&[JobAction::Grant]);
    grant.jobs[0].attempts = 1;
    let decision = answer(&grant, &timed_out());
    assert_eq!((decision.jobs[0].due_in.as_secs(), decision.guild), (20, GuildGate::Open));
    let decision = answer(&grant, &CallOutcome::Refused { status: 403, code: 50600 });
    assert_eq!((decision.jobs[0].due_in.as_secs(), decision.guild), (300, GuildGate::Refused(50600)));
}

proptest! {
    /// Law: a pause is never below what Discord asked for, and never a failure.
    #[test]
    fn a_429_is_never_a_failure(ms in 0_u64..10_000_000, attempts in 0_u32..99, everything in any::<bool>()) {
        let scope = if everything { LimitScope::Everything } else { LimitScope::Guild };
        let after = Duration::from_millis(ms);
        let mut grant = work(&[JobAction::Grant]);
        grant.jobs[0].attempts = attempts;
        let decision = answer(&grant, &CallOutcome::RateLimited { after, scope });
        prop_assert_eq!(decision, Decision { guild: GuildGate::Paused(after), ..Decision::default() });
    }
}

/// What is held is answered by a person, or by what makes it moot; nothing else touches it.
#[test]
fn a_held_job_is_joined_and_stays_until_nothing_is_left_to_ask() {
    let held_and = |action| {
        let mut work = ours(&[JobAction::Revoke, action], GrantState::Confirmed);
        work.jobs[0].is_held = true;
        work
    };
    let states = |jobs: &[JobUpdate]| jobs.iter().map(|job| (job.id.to_i64(), job.state)).collect::<Vec<_>>();
    let resync = held_and(JobAction::Resync);
    let planned = planned(&resync, true);
    assert_eq!(planned.step, Step::Revoke);
    let held = without_call::held(user(), &resync, planned, "held: x");
    assert_eq!(states(&held.jobs), [(2, JobState::Superseded)], "it joins");
    // Nothing is known yet, or the role cannot be taken at all: that is about the check alone.
    let timed_out = CallOutcome::Transient(Transient::TimedOut);
    let unread = unread(&[&resync], Unread::Member, &timed_out, 0.0);
    assert_eq!(states(&unread.jobs), [(2, JobState::Pending)]);
    assert_eq!(states(&without_call::not_manageable(&resync).jobs), [(2, JobState::Parked)]);
    // They pay again.
    let mut grant = held_and(JobAction::Grant);
    grant.view.wanted.desired = true;
    let again = without_call::found(user(), &grant, self::planned(&grant, true), NOW);
    assert_eq!(states(&again.jobs), [(1, JobState::Superseded), (2, JobState::Noop)]);
    // An owner takes the role by another way.
    let revoke = held_and(JobAction::Revoke);
    let taken = answered(user(), &revoke, self::planned(&revoke, true), &CallOutcome::Done, None, 0.0, NOW);
    assert_eq!(states(&taken.jobs), [(1, JobState::Superseded), (2, JobState::Applied)]);

    let first = ours(&[JobAction::Resync, JobAction::Revoke], GrantState::Confirmed);
    let held = without_call::held(user(), &first, self::planned(&first, true), "held: x");
    assert_eq!(states(&held.jobs), [(1, JobState::Superseded), (2, JobState::Held)]);
    assert!(held.grant.is_none() && held.guild == GuildGate::Open);
}

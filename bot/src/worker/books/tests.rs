use super::*;
use shared::{
    domain::{
        delivery::outcome::{LimitScope, Transient},
        job::JobOrigin,
        roles::{
            grant::{Grant, Seen, Wanted, look, settle},
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
        cause: format!("cause {n}"),
    });
    let wanted = Wanted { desired: true, asked: true };
    RoleWork {
        view: RoleView { role: role(), wanted, grant: None },
        power: Power::Assumed,
        enforcement: Enforcement::On,
        danger: None,
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

/// What a look at the member makes of it.
fn planned(work: &RoleWork, held: bool) -> Planned {
    let seen = Seen::Present { held, joined_at: None };
    let (known, step) = look(work.view.grant, seen, work.view.wanted, NOW);
    Planned { known, step }
}

fn absent(work: &RoleWork) -> Page {
    let (known, step) = look(work.view.grant, Seen::Absent, work.view.wanted, NOW);
    without_call(user(), work, Planned { known, step }, NOW)
}

/// The call that such a look asks for, answered.
fn answered(work: &RoleWork, verdict: &Verdict) -> Option<Page> {
    let planned = planned(work, !work.view.wanted.desired);
    assert!(planned.step.is_call());
    let known = settle(planned.known.grant, planned.step, work.view.grant.is_some(), verdict, NOW);
    after_call(user(), work, planned, verdict, known, NOW)
}

fn states(page: &Page) -> Vec<JobState> {
    page.jobs.iter().map(|job| job.state).collect()
}

fn state_after(page: &Page) -> Option<GrantState> {
    page.grant.as_ref().expect("the row changes").to.map(|row| row.state)
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
        let page = answered(&work(actions), &Verdict::Done).unwrap();
        assert_eq!(states(&page), expected, "{actions:?}");
        assert_eq!(state_after(&page), Some(GrantState::Confirmed));
    }
}

/// Two subscriptions, one cancelled: the only job is a revoke, and the role is still due.
#[test]
fn what_waits_waits_in_a_job_that_asked_for_something_else() {
    let work = work(&[JobAction::Revoke, JobAction::Revoke]);
    let parked = [JobState::Superseded, JobState::Parked];
    assert_eq!(states(&absent(&work)), parked);
    for verdict in [Verdict::ParkRole(50013), Verdict::Park(ParkReason::Refused(400, 50035))] {
        assert_eq!(states(&answered(&work, &verdict).unwrap()), parked, "{verdict:?}");
    }
}

#[test]
fn a_job_that_is_not_due_is_not_charged_and_keeps_its_time() {
    let mut both = work(&[JobAction::Grant, JobAction::Grant]);
    both.jobs[0] = ClaimedJob { attempts: 3, is_due: false, ..both.jobs[0].clone() };
    assert_eq!(failures(&both), 0, "nor does it make the other wait longer");
    let retry = Verdict::Retry(Duration::from_secs(5), Transient::TimedOut);
    let page = answered(&both, &retry).unwrap();
    for updates in [page.jobs, unread(&both, Unread::Member, &retry)] {
        let named: Vec<_> = updates.iter().map(|job| (job.id, job.failures)).collect();
        assert_eq!(named, [(both.jobs[1].id, 1)]);
    }
    let page = answered(&both, &Verdict::Done).unwrap();
    assert_eq!(states(&page), [JobState::Superseded, JobState::Applied], "what is done is done for both");
}

#[test]
fn an_ask_waits_rather_than_a_look() {
    let work = work(&[JobAction::Grant, JobAction::Resync]);
    let parked = [JobState::Parked, JobState::Superseded];
    assert_eq!(states(&absent(&work)), parked);
    assert_eq!(states(&not_called(&work)), parked);
}

#[test]
fn the_first_word_that_a_member_is_absent_is_believed_for_five_minutes() {
    for state in [GrantState::Intended, GrantState::Confirmed] {
        for page in [
            absent(&ours(&[JobAction::Revoke], state)),
            answered(&ours(&[JobAction::Revoke], state), &Verdict::Park(ParkReason::MemberAbsent)).unwrap(),
            answered(&ours(&[JobAction::Revoke], state), &Verdict::RoleGone).unwrap(),
        ] {
            assert_eq!((state_after(&page), states(&page)), (Some(state), vec![JobState::Parked]));
            assert_eq!(page.jobs[0].due_in, SECOND_SHOWING);
        }
    }
    let buyer = work(&[JobAction::Grant]);
    let first = absent(&buyer);
    assert_eq!((states(&first), first.jobs[0].due_in), (vec![JobState::Parked], SECOND_SHOWING));
    let mut again = buyer;
    again.jobs[0].attempts = 1;
    assert_eq!(absent(&again).jobs[0].due_in, SECOND_SHOWING, "what failed before was something else");
    again.jobs[0].origin = JobOrigin::Sweep;
    assert_eq!(absent(&again).jobs[0].due_in, LOOK_AGAIN);
}

#[test]
fn the_second_word_that_a_member_is_absent_ends_what_was_to_be_taken() {
    let mut work = ours(&[JobAction::Revoke], GrantState::Confirmed);
    work.view.grant = work.view.grant.map(|row| Grant { absent_since: Some(NOW - SECOND_SHOWING), ..row });
    let page = absent(&work);
    assert_eq!((state_after(&page), states(&page)), (None, vec![JobState::Noop]));
}

#[test]
fn a_role_that_is_not_there_fails_a_grant_when_that_is_said_twice() {
    let mut buyer = work(&[JobAction::Grant]);
    let known = Known { grant: None, entries: &[] };
    let page = not_listed(user(), &buyer, known, NOW);
    assert_eq!((states(&page), page.jobs[0].due_in), (vec![JobState::Parked], SECOND_SHOWING));
    assert_eq!(page.role, Some(RoleHealth::Works(role())), "our power over it is moot");
    (buyer.jobs[0].attempts, buyer.jobs[0].origin) = (1, JobOrigin::Sweep);
    assert_eq!(states(&not_listed(user(), &buyer, known, NOW)), [JobState::Failed]);
}

#[test]
fn a_member_who_cannot_be_read_is_never_asked_for_again_at_once() {
    for verdict in [Verdict::RoleGone, Verdict::Done, Verdict::Park(ParkReason::Refused(400, 9))] {
        let updates = unread(&work(&[JobAction::Grant]), Unread::Member, &verdict);
        assert_eq!((updates[0].state, updates[0].due_in), (JobState::Parked, LOOK_AGAIN), "{verdict:?}");
    }
}

#[test]
fn being_told_to_wait_writes_nothing() {
    let snooze = Verdict::Snooze(Duration::from_secs(9), LimitScope::Guild);
    for verdict in [snooze, Verdict::ParkGuild(10004), Verdict::StopEverything] {
        assert_eq!(answered(&work(&[JobAction::Grant]), &verdict), None);
    }
}

#[test]
fn an_unknown_result_keeps_the_intention_and_a_refusal_drops_it() {
    let grant = work(&[JobAction::Grant]);
    let page = answered(&grant, &Verdict::Retry(Duration::from_secs(5), Transient::TimedOut)).unwrap();
    assert_eq!((page.grant, page.jobs[0].failures, page.jobs[0].due_in), (None, 1, Duration::from_secs(5)));
    let page = answered(&grant, &Verdict::ParkRole(50013)).unwrap();
    assert_eq!((state_after(&page), page.jobs[0].failures), (None, 0));
    assert_eq!(page.role, Some(RoleHealth::Parked { role: role(), probe_in: PROBE_ROLE, code: 50013 }));
    let page = answered(&grant, &Verdict::RetryRefused(Duration::from_secs(60), 50600)).unwrap();
    assert_eq!((page.role.clone(), state_after(&page)), (None, None), "no role is blamed");
    assert_eq!((page.jobs[0].state, page.jobs[0].due_in), (JobState::Pending, Duration::from_secs(60)));
    let page = answered(&grant, &Verdict::Park(ParkReason::Refused(400, 50035))).unwrap();
    assert_eq!((state_after(&page), page.jobs[0].state), (None, JobState::Parked));
}

#[test]
fn a_refused_revoke_keeps_our_record_of_the_grant() {
    let revoke = ours(&[JobAction::Revoke], GrantState::Confirmed);
    for verdict in [Verdict::ParkRole(60003), Verdict::Park(ParkReason::Refused(400, 50035))] {
        assert_eq!(answered(&revoke, &verdict).unwrap().grant, None, "{verdict:?}");
    }
}

#[test]
fn a_persons_role_is_left_alone() {
    let mut revoke = work(&[JobAction::Revoke]);
    revoke.view.wanted.desired = false;
    let page = without_call(user(), &revoke, planned(&revoke, true), NOW);
    assert_eq!((states(&page), page.grant), (vec![JobState::Noop], None));
}

#[test]
fn a_probe_that_works_frees_the_role() {
    let mut probe = work(&[JobAction::Grant]);
    probe.power = Power::ProbeDue;
    assert_eq!(answered(&probe, &Verdict::Done).unwrap().role, Some(RoleHealth::Works(role())));
}

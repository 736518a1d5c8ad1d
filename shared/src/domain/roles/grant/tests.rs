use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::minutes(minute)
}

const YES: Wanted = Wanted { desired: true, asked: false, follows: false };
const NO: Wanted = Wanted { desired: false, asked: false, follows: false };
/// Joined long before any row.
const HELD: Seen = Seen::Present { held: true, joined_at: Some(Timestamp::UNIX_EPOCH) };
const WITHOUT: Seen = Seen::Present { held: false, joined_at: Some(Timestamp::UNIX_EPOCH) };

/// Of minute 60, with nothing in doubt.
fn row(state: GrantState) -> Grant {
    Grant { state, since: at(60), absent_since: None, look_at: None, unseen: false, taken_at: None }
}

fn state(known: Known) -> Option<GrantState> {
    known.grant.map(|grant| grant.state)
}

#[test]
fn the_table_of_checks() {
    use GrantState::{Confirmed, Ending, Intended};
    for (desired, held, before, step, after, entries) in [
        (true, true, None, Step::NotOurs, None, &[][..]),
        (true, true, Some(Intended), Step::Confirm, Some(Confirmed), GRANTED),
        (true, true, Some(Confirmed), Step::AlreadySo, Some(Confirmed), &[]),
        (true, true, Some(Ending), Step::Confirm, Some(Confirmed), GRANTED),
        (true, false, None, Step::Grant, Some(Intended), &[]),
        (true, false, Some(Intended), Step::Grant, Some(Intended), &[]),
        (true, false, Some(Confirmed), Step::Missing, Some(Confirmed), &[]),
        (true, false, Some(Ending), Step::Grant, Some(Intended), &[]),
        (false, true, None, Step::NotOurs, None, &[]),
        (false, true, Some(Intended), Step::Revoke, Some(Intended), &[]),
        (false, true, Some(Confirmed), Step::Revoke, Some(Confirmed), &[]),
        (false, true, Some(Ending), Step::GivenUp, None, LEFT),
        (false, false, None, Step::Nothing, None, &[]),
        (false, false, Some(Intended), Step::Forget, Some(Ending), &[]),
        (false, false, Some(Confirmed), Step::RecordGone, Some(Ending), REVOKED),
        (false, false, Some(Ending), Step::Nothing, None, &[]),
    ] {
        let (wanted, seen) = (if desired { YES } else { NO }, if held { HELD } else { WITHOUT });
        let (known, found) = check(before.map(row), seen, wanted, at(90));
        let said = format!("desired {desired}, held {held}, {before:?}");
        assert_eq!((found, state(known), known.entries), (step, after, entries), "{said}");
    }
}

#[test]
fn absence_is_believed_when_it_is_shown_twice_five_minutes_apart() {
    for state_before in [GrantState::Intended, GrantState::Confirmed] {
        let (first, step) = check(Some(row(state_before)), Seen::Absent, NO, at(90));
        let first = first.grant.unwrap();
        assert_eq!((step, first.absent_since, first.look_at), (Step::MemberGone, Some(at(90)), Some(at(95))));
        let (early, _) = check(Some(first), Seen::Absent, NO, at(94));
        assert_eq!(early.grant, Some(first), "nothing is learned");
        let (second, _) = check(Some(first), Seen::Absent, NO, at(95));
        let lost = if state_before == GrantState::Confirmed { LOST } else { &[] };
        assert_eq!((second.grant, second.entries), (None, lost));
        let (seen, step) = check(Some(first), HELD, NO, at(95));
        assert_eq!((step, seen.grant.unwrap().absent_since), (Step::Revoke, None), "the first one was false");
    }
}

#[test]
fn a_write_that_says_absent_is_a_showing_too() {
    for outcome in [CallOutcome::MemberGone, CallOutcome::RoleGone] {
        for step in [Step::Grant, Step::Revoke] {
            let known = settle(Some(row(GrantState::Confirmed)), step, true, &outcome, at(90));
            assert_eq!(known.grant.unwrap().absent_since, Some(at(90)), "{outcome:?}");
        }
    }
}

#[test]
fn what_was_taken_is_checked_once_more_and_taken_once_more() {
    let known = settle(Some(row(GrantState::Confirmed)), Step::Revoke, true, &CallOutcome::Done, at(90));
    let ending = known.grant.unwrap();
    assert_eq!((known.entries, ending.since, ending.look_at), (REVOKED, at(60), Some(at(91))));
    for seen in [HELD, WITHOUT, Seen::Absent] {
        let (early, step) = check(Some(ending), seen, NO, at(90));
        assert_eq!(early.grant, Some(ending), "{seen:?}: a call may still be under way");
        assert!(!step.is_call());
    }
    let (again, step) = check(Some(ending), HELD, NO, at(91));
    let again = again.grant.unwrap();
    assert_eq!((step, again.look_at, again.unseen), (Step::Revoke, Some(at(92)), true));
    let missed = CallOutcome::Transient(crate::domain::delivery::outcome::Transient::TimedOut);
    assert_eq!(settle(Some(again), step, true, &missed, at(91)).grant, Some(again), "only a 2xx uses it up");
    let used = settle(Some(again), step, true, &CallOutcome::Done, at(91));
    assert_eq!((used.entries, used.grant.unwrap().unseen), (&[][..], false));
    let (left, step) = check(used.grant, HELD, NO, at(92));
    assert_eq!((step, left.grant, left.entries), (Step::GivenUp, None, LEFT));
    let (gone, _) = check(used.grant, Seen::Absent, NO, at(92));
    assert_eq!(gone.grant, None);
}

#[test]
fn every_put_writes_a_fresh_intention() {
    let asked = Wanted { asked: true, ..YES };
    for (before, wanted, entries) in [
        (None, YES, &[][..]),
        (Some(GrantState::Intended), YES, &[]),
        (Some(GrantState::Ending), YES, &[]),
        (Some(GrantState::Confirmed), asked, LOST),
    ] {
        let (known, step) = check(before.map(row), WITHOUT, wanted, at(90));
        let intended = known.grant.unwrap();
        assert_eq!((step, intended.since, intended.unseen), (Step::Grant, at(90), true), "{before:?}");
        assert_eq!(known.entries, entries);
        let done = settle(known.grant, step, before.is_some(), &CallOutcome::Done, at(90)).grant.unwrap();
        let look_at = before.map(|_| at(91));
        assert_eq!((done.state, done.look_at, done.unseen), (GrantState::Confirmed, look_at, true));
    }
}

#[test]
fn a_refusal_drops_an_intention_and_nothing_else() {
    let refusals = [(403, 50600), (400, 50035)].map(|(status, code)| CallOutcome::Refused { status, code });
    for outcome in refusals.into_iter().chain([CallOutcome::Forbidden { code: 50013 }]) {
        let refused = |state, step| settle(Some(row(state)), step, true, &outcome, at(90)).grant;
        assert_eq!(refused(GrantState::Intended, Step::Grant), None);
        for state in [GrantState::Intended, GrantState::Confirmed, GrantState::Ending] {
            assert_eq!(refused(state, Step::Revoke), Some(row(state)), "{outcome:?}");
        }
    }
}

#[test]
fn a_grant_that_was_never_seen_is_repeated_once() {
    let unseen = Grant { unseen: true, ..row(GrantState::Confirmed) };
    let (known, step) = check(Some(unseen), WITHOUT, YES, at(90));
    assert_eq!((step, known.entries, known.grant.unwrap().unseen), (Step::Grant, LOST, false));
    let again = settle(known.grant, step, true, &CallOutcome::Done, at(90)).grant.unwrap();
    let (waits, step) = check(Some(again), WITHOUT, YES, at(90));
    assert_eq!((step, waits.grant), (Step::Wait, Some(again)), "not before its look");
    let (left, step) = check(Some(again), WITHOUT, YES, at(91));
    assert_eq!((step, left.grant.unwrap().taken_at), (Step::Missing, Some(at(91))));
}

#[test]
fn a_role_that_vanished_comes_back_if_they_left_or_it_is_asked_for() {
    for (asked, joined_at, expected) in [
        (false, Some(at(10)), Step::Missing),
        (false, Some(at(61)), Step::Grant),
        (true, Some(at(10)), Step::Grant),
        (false, None, Step::Grant),
    ] {
        let seen = Seen::Present { held: false, joined_at };
        let wanted = Wanted { asked, ..YES };
        let (_, step) = check(Some(row(GrantState::Confirmed)), seen, wanted, at(90));
        assert_eq!(step, expected, "{asked} {joined_at:?}");
    }
}

#[test]
fn what_they_have_after_coming_back_is_a_persons() {
    for state_before in [GrantState::Intended, GrantState::Confirmed, GrantState::Ending] {
        for wanted in [YES, NO] {
            let seen = |joined_at| Seen::Present { held: true, joined_at };
            let (known, step) = check(Some(row(state_before)), seen(Some(at(62))), wanted, at(90));
            let lost = if state_before == GrantState::Confirmed { LOST } else { &[] };
            assert_eq!((step, known.grant, known.entries), (Step::NotOurs, None, lost), "{state_before:?}");
            let (unknown, _) = check(Some(row(state_before)), seen(None), YES, at(90));
            assert!(unknown.grant.is_some(), "not by doubt");
        }
    }
}

#[test]
fn found_held_when_asked_for_is_checked_once_more() {
    let asked = Wanted { asked: true, ..YES };
    let (known, step) = check(Some(row(GrantState::Confirmed)), HELD, asked, at(90));
    let watched = known.grant.unwrap();
    assert_eq!((step, watched.look_at, watched.unseen), (Step::AlreadySo, Some(at(91)), true));
    let (early, _) = check(Some(watched), HELD, YES, at(90));
    assert_eq!(early.grant, Some(watched));
    let (quiet, _) = check(Some(watched), HELD, YES, at(91));
    assert_eq!(quiet.grant, Some(row(GrantState::Confirmed)));
    let (_, step) = check(Some(watched), WITHOUT, YES, at(91));
    assert_eq!(step, Step::Grant);
}

/// Somebody may give it by hand while it must not be given by us: that is not to be taken later.
#[test]
fn what_is_withheld_stops_being_ours_within_a_minute() {
    for (before, entries) in [(GrantState::Intended, &[][..]), (GrantState::Confirmed, LOST)] {
        let known = withhold(Some(row(before)), WITHOUT, at(90));
        let ending = known.grant.unwrap();
        assert_eq!(
            (ending.state, ending.look_at, known.entries),
            (GrantState::Ending, Some(at(91)), entries)
        );
        assert_eq!(withhold(Some(ending), WITHOUT, at(91)).grant, None);
    }
    assert_eq!(withhold(None, WITHOUT, at(90)).grant, None);
}

#[test]
fn what_a_person_gave_becomes_ours_only_while_it_is_due_there_and_let_follow() {
    let follows = Wanted { follows: true, ..YES };
    let (adopted, step) = check(None, HELD, follows, at(90));
    let plain = Grant { since: at(90), ..row(GrantState::Confirmed) };
    assert_eq!((step, adopted.grant, adopted.entries), (Step::Adopt, Some(plain), ADOPTED));
    // From now on it is like any other: it goes with the payment.
    assert_eq!(check(adopted.grant, HELD, NO, at(91)).1, Step::Revoke);
    // Without the payment, or the role, or the member, nothing becomes ours.
    for (seen, wanted, step) in [
        (HELD, Wanted { follows: true, ..NO }, Step::NotOurs),
        (HELD, YES, Step::NotOurs),
        (WITHOUT, follows, Step::Grant),
        (Seen::Absent, follows, Step::AwaitMember),
    ] {
        let (known, found) = check(None, seen, wanted, at(90));
        assert_eq!((found, known.entries), (step, &[][..]), "{seen:?}, {wanted:?}");
    }
    // Where we have a row, it says whose the role is.
    for state in [GrantState::Intended, GrantState::Confirmed, GrantState::Ending] {
        for seen in [HELD, WITHOUT, Seen::Absent] {
            for wanted in [YES, NO] {
                let let_follow = Wanted { follows: true, ..wanted };
                let grant = Some(row(state));
                assert_eq!(check(grant, seen, let_follow, at(90)), check(grant, seen, wanted, at(90)));
            }
        }
    }
}

use proptest::prelude::*;

use super::*;

const DAYS: i64 = 24 * 3600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_timestamp(seconds).unwrap()
}

fn user(id: u64) -> UserId {
    UserId::from_u64(id).unwrap()
}

fn grace(since: i64, until: i64) -> Reading {
    let roles = [RoleId::from_u64(7).unwrap()].into();
    Reading::Grace(Grace { since: at(since), until: at(until), roles })
}

/// Writes steps down, as the store does.
fn apply(noted: &mut Vec<Noted>, steps: &[Step], now: Timestamp) {
    for step in steps {
        match step.clone() {
            Step::Add(new) => {
                let is_same = |it: &Noted| (it.user, it.anchor, it.kind) == (new.user, new.anchor, new.kind);
                assert!(!noted.iter().any(is_same), "{new:?} is there already");
                let id = NoticeId::from_u64(noted.len() as u64 + 1).unwrap();
                let state = new.cancelled.map_or(NoticeState::Pending, |_| NoticeState::Cancelled);
                let NewNotice { user, anchor, kind, due_at, ends_at, roles, .. } = new;
                let (is_tried, created_at) = (false, now);
                noted.push(Noted {
                    id,
                    user,
                    anchor,
                    kind,
                    state,
                    due_at,
                    ends_at,
                    roles,
                    is_tried,
                    created_at,
                });
            }
            Step::Set { id, due_at, ends_at, roles } => {
                let it = noted.iter_mut().find(|it| it.id == id).unwrap();
                assert!(!it.is_tried && matches!(it.state, NoticeState::Pending | NoticeState::Cancelled));
                (it.state, it.due_at, it.ends_at, it.roles) = (NoticeState::Pending, due_at, ends_at, roles);
            }
            Step::Cancel { id, .. } => {
                let it = noted.iter_mut().find(|it| it.id == id).unwrap();
                assert!(!it.is_tried && it.state == NoticeState::Pending);
                it.state = NoticeState::Cancelled;
            }
        }
    }
}

/// A subscription of user 1, and what is noted of it.
#[derive(Default)]
struct Story(Vec<Noted>);

impl Story {
    /// Reads it, twice: the second read changes nothing.
    fn read(&mut self, reading: &Reading, now: i64) -> &mut Self {
        let steps = follow(&self.0, Some(user(1)), reading, at(now));
        apply(&mut self.0, &steps, at(now));
        let again = follow(&self.0, Some(user(1)), reading, at(now + 60));
        assert!(again.is_empty(), "after {reading:?} at {now}: {again:?}");
        self
    }

    /// Sends what is due.
    fn send(&mut self, now: i64) -> &mut Self {
        let due = self.0.iter_mut().filter(|it| it.state == NoticeState::Pending && it.due_at <= at(now));
        due.for_each(|it| it.state = NoticeState::Sent);
        self
    }

    fn said(&self) -> String {
        let line = |it: &Noted| {
            let days = it.due_at.unix_timestamp() / DAYS;
            format!("{} {} {days}", it.kind.as_str(), it.state.as_str())
        };
        self.0.iter().map(line).collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn two_weeks_have_three_notices_and_a_short_time_fewer() {
    // By hours since the failure.
    let planned = |until: i64, seen: i64| {
        let reminders = schedule(at(0), at(until * 3600), at(seen * 3600));
        let shown =
            reminders.iter().map(|(kind, due)| format!("{} {}", kind.as_str(), due.unix_timestamp() / 3600));
        shown.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(planned(14 * 24, 0), "began 0, halfway 168, last_day 312");
    assert_eq!(planned(7 * 24, 0), "began 0, halfway 84, last_day 144");
    assert_eq!(planned(4 * 24, 0), "began 0, halfway 48, last_day 72");
    assert_eq!(
        planned(3 * 24, 0),
        "began 0, last_day 48",
        "the middle would be half a day before the last day"
    );
    assert_eq!(planned(2 * 24, 3), "began 3, last_day 24");
    assert_eq!(planned(24, 0), "began 0");
    assert_eq!(planned(6, 0), "began 0");
    assert_eq!(planned(5, 0), "", "told when it is over");
    assert_eq!(planned(14 * 24, 10 * 24), "began 240, last_day 312");
    assert_eq!(planned(14 * 24, 156), "began 156, last_day 312");
    assert_eq!(planned(14 * 24, 13 * 24), "began 312");
    assert_eq!(planned(14 * 24, 14 * 24), "");
}

#[test]
fn who_pays_is_told_so_and_reminded_no_more() {
    let mut story = Story::default();
    story.read(&grace(0, 14 * DAYS), 0).send(0).read(&Reading::Paid, DAYS).send(DAYS);
    assert_eq!(story.said(), "began sent 0, halfway cancelled 7, last_day cancelled 13, restored sent 1");
    // What becomes of the subscription later is no matter of this payment.
    story.read(&Reading::Over, 20 * DAYS).read(&Reading::Paid, 30 * DAYS);
    assert_eq!(story.0.len(), 4);
    // The next invoice fails.
    story.read(&grace(40 * DAYS, 41 * DAYS), 40 * DAYS);
    assert!(story.said().ends_with(", began pending 40"), "{}", story.said());
}

#[test]
fn whose_time_runs_out_is_told_so_and_again_when_the_payment_comes_late() {
    let mut story = Story::default();
    story.read(&grace(0, 2 * DAYS), 0).send(0).read(&Reading::Over, 2 * DAYS);
    assert_eq!(story.said(), "began sent 0, last_day cancelled 1, ended pending 2");
    story.send(2 * DAYS).read(&Reading::Paid, 3 * DAYS);
    assert!(story.said().ends_with("ended sent 2, restored pending 3"), "{}", story.said());
}

#[test]
fn who_was_told_nothing_is_not_told_that_it_is_over() {
    let mut story = Story::default();
    story.read(&grace(0, 14 * DAYS), 0).read(&Reading::Paid, 60);
    let cancelled = "began cancelled 0, halfway cancelled 7, last_day cancelled 13, restored cancelled 0";
    assert_eq!(story.said(), cancelled);
    story.read(&Reading::Over, 40 * DAYS);
    assert_eq!(story.said(), cancelled);
    // Without a failed payment there is nothing to tell at all.
    let mut story = Story::default();
    story.read(&Reading::Paid, 0).read(&Reading::Over, DAYS).read(&Reading::NoEnd, DAYS);
    assert_eq!(story.said(), "");
}

#[test]
fn what_is_being_sent_in_this_moment_counts_as_told_and_is_left_to_who_sends_it() {
    let mut story = Story::default();
    story.read(&grace(0, DAYS), 0);
    story.0[0].is_tried = true;
    story.read(&Reading::Paid, 60);
    assert_eq!(story.said(), "began pending 0, restored pending 0");
}

#[test]
fn another_policy_moves_what_is_not_sent_and_repeats_nothing() {
    let mut story = Story::default();
    story.read(&grace(0, 14 * DAYS), 0).send(0).read(&grace(0, 3 * DAYS), DAYS);
    assert_eq!(story.said(), "began sent 0, halfway cancelled 7, last_day pending 2");
    story.read(&Reading::NoEnd, DAYS).read(&grace(0, 14 * DAYS), DAYS);
    assert_eq!(story.said(), "began sent 0, halfway pending 7, last_day pending 13");
}

#[test]
fn a_failure_that_turns_out_to_be_earlier_is_the_same_one() {
    let mut story = Story::default();
    story.read(&grace(3600, 14 * DAYS + 3600), 3600).send(3600).read(&grace(0, 14 * DAYS), 7200);
    assert_eq!(story.said(), "began sent 0, halfway pending 7, last_day pending 13");
}

#[test]
fn a_subscription_that_is_somebody_elses_now_tells_them() {
    let mut story = Story::default();
    story.read(&grace(0, 14 * DAYS), 0).send(0);
    let steps = follow(&story.0, Some(user(2)), &grace(0, 14 * DAYS), at(DAYS));
    apply(&mut story.0, &steps, at(DAYS));
    let of = |id| story.0.iter().filter(move |it| it.user == user(id)).map(|it| it.state).collect::<Vec<_>>();
    assert_eq!(
        (of(1), of(2)),
        (
            vec![NoticeState::Sent, NoticeState::Cancelled, NoticeState::Cancelled],
            vec![NoticeState::Pending; 3]
        )
    );
    let steps = follow(&story.0, None, &Reading::Paid, at(2 * DAYS));
    assert!(steps.len() == 3 && steps.iter().all(|step| matches!(step, Step::Cancel { .. })), "{steps:?}");
}

fn any_reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        4 => (0_i64..40, 0_i64..40).prop_map(|(since, days)| grace(since * DAYS, (since + days) * DAYS)),
        1 => Just(Reading::NoEnd),
        1 => Just(Reading::Paid),
        1 => Just(Reading::Over),
    ]
}

proptest! {
    /// Laws: in order, never two within hours, none after the end or before it is known, and none of the last day but a day before.
    #[test]
    fn reminders_keep_their_distance(since in 0_i64..1_000_000, lasts in -10_i64..3_000_000, seen in -1_000_000_i64..4_000_000) {
        let (until, seen) = (at(since + lasts), at(since + seen));
        let reminders = schedule(at(since), until, seen);
        for pair in reminders.windows(2) {
            prop_assert!(pair[0].0 < pair[1].0);
            prop_assert!(pair[1].1 - pair[0].1 >= APART, "{reminders:?}");
        }
        for (kind, due_at) in &reminders {
            prop_assert!(*due_at + TOO_LATE <= until && *due_at >= at(since) && *due_at >= seen.max(at(since)));
            prop_assert_eq!(*kind == NoticeKind::LastDay, until - *due_at == LAST_DAY && *kind != NoticeKind::Began);
        }
        prop_assert!(reminders.is_empty() || reminders[0].0 == NoticeKind::Began);
    }

    /// Laws, of any history of readings: each reading twice is as good as once, no kind is told twice for one failure, and nobody
    /// hears of an end or a payment who was told of no failure.
    #[test]
    fn any_history_tells_each_thing_once(readings in proptest::collection::vec((any_reading(), 0_i64..10), 1..12)) {
        let (mut story, mut now) = (Story::default(), 0);
        let mut since = 0;
        for (reading, days) in readings {
            now += days * DAYS;
            // A failure is never read to be later than it was known to be, unless it is another one.
            let reading = match reading {
                Reading::Grace(it) => {
                    since = since.max(it.since.unix_timestamp()).min(now.max(since));
                    grace(since, since + (it.until - it.since).whole_seconds())
                }
                other => other,
            };
            story.read(&reading, now).send(now);
            let told = |kind| story.0.iter().filter(move |it| it.kind == kind && it.state == NoticeState::Sent);
            for restored in told(NoticeKind::Restored) {
                let before = story.0.iter().any(|it| it.anchor == restored.anchor && it.kind < NoticeKind::Restored && it.state == NoticeState::Sent);
                prop_assert!(before, "{}", story.said());
            }
        }
    }
}

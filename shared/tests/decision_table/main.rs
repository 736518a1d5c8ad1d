//! The whole table of what the worker makes of a member's role: step, Discord's outcome, job, enforcement, and all else that the pure
//! functions branch on. One line a case, in `table.txt`, compared in every run.
//!
//! `NEXROLE_WRITE_DECISIONS=1 cargo test --test decision_table` writes the file anew.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

use shared::{
    clock::Timestamp,
    domain::{
        delivery::{
            backoff::TOKEN_REJECTED,
            decision::{Unread, answered, unread},
            outcome::{CallOutcome, LimitScope, Transient},
            update::{Decision, GrantChange, GuildGate, JobUpdate, RoleHealth},
            without_call,
        },
        job::{ClaimedJob, JobAction, JobOrigin},
        roles::{
            by_hand::{ByHand, PaidByHand, Question, QuestionChange},
            enforcement::Enforcement,
            grant::{Grant, GrantState, Known, Seen, Step, Wanted, check, withhold},
            plan::{Planned, RoleView},
            work::{Manageability, MemberWork, RoleWork},
        },
    },
    ids::{JobId, RoleId, UserId},
};
use time::Duration as Span;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const DAY_AGO: Timestamp = NOW.saturating_sub(Span::DAY);

/// Values of every variant of an enum: a new variant does not compile.
macro_rules! every {
    ($type:ty: $($pattern:pat => [$($value:expr),*]),+ $(,)?) => {{
        let _exhaustive = |one: &$type| match one { $($pattern => ()),+ };
        vec![$($($value,)*)+]
    }};
}

fn actions() -> Vec<JobAction> {
    use JobAction::{Grant, Resync, Revoke};
    every!(JobAction: Grant => [Grant], Revoke => [Revoke], Resync => [Resync])
}

fn origins() -> Vec<JobOrigin> {
    use JobOrigin::{Bulk, Command, Join, Purchase, Recheck, Sweep};
    every!(JobOrigin: Purchase => [Purchase], Join => [Join], Command => [Command], Bulk => [Bulk], Sweep => [Sweep],
        Recheck => [Recheck])
}

fn manageabilities() -> Vec<Manageability> {
    use Manageability::{Manageable, ProbeDue, Refused};
    every!(Manageability: Manageable => [Manageable], Refused => [Refused], ProbeDue => [ProbeDue])
}

fn states() -> Vec<GrantState> {
    use GrantState::{Confirmed, Ending, Intended};
    every!(GrantState: Intended => [Intended], Confirmed => [Confirmed], Ending => [Ending])
}

fn enforcements() -> Vec<Enforcement> {
    use Enforcement::{Observe, On, Unseen};
    every!(Enforcement: Unseen => [Unseen], Observe => [Observe], On => [On])
}

fn readings() -> Vec<Unread> {
    every!(Unread: Unread::Member => [Unread::Member], Unread::Roles => [Unread::Roles])
}

fn outcomes() -> Vec<CallOutcome> {
    let scopes = every!(LimitScope:
        LimitScope::Guild => [LimitScope::Guild],
        LimitScope::Everything => [LimitScope::Everything],
    );
    let causes = every!(Transient:
        Transient::Status(_) => [Transient::Status(502)],
        Transient::TimedOut => [Transient::TimedOut],
        Transient::Connection => [Transient::Connection],
        // Never Discord's answer: made of an unknown member who was heard to join.
        Transient::NotYetKnown { .. } => [],
    );
    let limited = |scope| CallOutcome::RateLimited { after: Duration::from_millis(1337), scope };
    let refused = |(status, code)| CallOutcome::Refused { status, code };
    every!(CallOutcome:
        CallOutcome::Done => [vec![CallOutcome::Done]],
        CallOutcome::RateLimited { .. } => [scopes.into_iter().map(limited).collect()],
        CallOutcome::MemberGone => [vec![CallOutcome::MemberGone]],
        CallOutcome::RoleGone => [vec![CallOutcome::RoleGone]],
        CallOutcome::Forbidden { .. } => [[50013, 60003, 50099].map(|code| CallOutcome::Forbidden { code }).to_vec()],
        CallOutcome::GuildGone { .. } => [[10004, 50001].map(|code| CallOutcome::GuildGone { code }).to_vec()],
        CallOutcome::TokenRejected => [vec![CallOutcome::TokenRejected]],
        CallOutcome::Refused { .. } => [[(403, 50600), (403, 0), (400, 50035)].map(refused).to_vec()],
        CallOutcome::Transient(_) => [causes.into_iter().map(CallOutcome::Transient).collect()],
    )
    .concat()
}

fn user() -> UserId {
    UserId::from_u64(1).expect("an id")
}

fn role() -> RoleId {
    RoleId::from_u64(7).expect("an id")
}

/// A job: why, whence, how many failures so far, how old in seconds, and whether it is due.
type Job = (JobAction, JobOrigin, u32, u64, bool);

/// Jobs that wait for the same role, oldest first.
fn job_sets() -> Vec<Vec<Job>> {
    use JobAction::{Grant, Resync, Revoke};
    use JobOrigin::{Bulk, Command, Join, Purchase, Recheck, Sweep};
    vec![
        vec![(Grant, Purchase, 0, 9, true)],
        vec![(Grant, Purchase, 1, 9, true)],
        vec![(Revoke, Purchase, 0, 9, true)],
        vec![(Resync, Sweep, 0, 9, true)],
        vec![(Resync, Sweep, 2, 9, true)],
        vec![(Resync, Join, 0, 7, true)],
        vec![(Resync, Join, 3, 400, true)],
        vec![(Resync, Recheck, 0, 9, true)],
        vec![(Grant, Purchase, 2, 9, true), (Revoke, Bulk, 0, 9, true)],
        vec![(Revoke, Command, 0, 9, true), (Grant, Purchase, 4, 9, false)],
        vec![(Grant, Purchase, 3, 9, false), (Resync, Sweep, 1, 9, true)],
        vec![(Grant, Sweep, 1, 9, true), (Resync, Join, 0, 7, true), (Revoke, Purchase, 1, 9, true)],
    ]
}

fn work(view: RoleView, manageability: Manageability, jobs: &[Job]) -> RoleWork {
    let jobs = jobs.iter().zip(1..).map(|(&(action, origin, attempts, age, is_due), n)| ClaimedJob {
        id: JobId::from_u64(n).expect("an id"),
        user: user(),
        role: role(),
        action,
        origin,
        attempts,
        age: Duration::from_secs(age),
        is_due,
        is_held: false,
        cause: format!("cause {n}"),
    });
    let (by_hand, enforcement) = (PaidByHand::default(), Enforcement::On);
    let jobs = jobs.collect();
    RoleWork { view, by_hand, manageability, enforcement, danger: None, ended_by: None, jobs }
}

/// Rows that differ in what is branched on; `None`: no row.
fn rows() -> Vec<Option<Grant>> {
    let mut rows = vec![None];
    for state in states() {
        for absent_since in [None, Some(NOW - Span::minutes(1)), Some(NOW - Span::minutes(6))] {
            for look_at in [None, Some(NOW + Span::seconds(40)), Some(NOW - Span::seconds(1))] {
                for unseen in [false, true] {
                    let row = Grant { state, since: DAY_AGO, absent_since, look_at, unseen, taken_at: None };
                    rows.push(Some(row));
                }
            }
        }
    }
    rows
}

fn all_seen() -> Vec<Seen> {
    let joined = [None, Some(DAY_AGO - Span::HOUR), Some(NOW - Span::HOUR)];
    let present =
        joined.iter().flat_map(|&joined_at| [true, false].map(|held| Seen::Present { held, joined_at }));
    every!(Seen: Seen::Present { .. } => [present.collect::<Vec<_>>()], Seen::Absent => [vec![Seen::Absent]])
        .concat()
}

const WANTED: [Wanted; 3] = [
    Wanted { desired: false, asked: false, follows: false },
    Wanted { desired: true, asked: false, follows: false },
    Wanted { desired: true, asked: true, follows: false },
];

fn mapped_words() -> Vec<ByHand> {
    every!(ByHand: ByHand::Ask => [ByHand::Ask], ByHand::Follow => [ByHand::Follow], ByHand::Keep => [ByHand::Keep])
}

fn questions() -> Vec<Option<Question>> {
    use Question::{Follow, Keep, Open};
    let questions = every!(Question: Open => [Open], Follow => [Follow], Keep => [Keep]);
    std::iter::once(None).chain(questions.into_iter().map(Some)).collect()
}

/// Due by a purchase, due by an owner's word alone, not due.
fn all_by_hand() -> Vec<(bool, PaidByHand)> {
    let mut all = Vec::new();
    for (desired, pays) in [(true, true), (true, false), (false, false)] {
        for mapped in mapped_words() {
            all.extend(
                questions().into_iter().map(|question| (desired, PaidByHand { pays, mapped, question })),
            );
        }
    }
    all
}

fn by_hand_words(desired: bool, PaidByHand { pays, mapped, question }: PaidByHand) -> String {
    let due = match (desired, pays) {
        (true, true) => "paid for",
        (true, false) => "due, not paid for",
        (false, _) => "not due",
    };
    let question =
        question.map_or("never asked".to_owned(), |question| format!("{question:?}").to_lowercase());
    format!("{due}, mapped {}, {question}", mapped.as_str())
}

fn question_words(made: Option<&Decision>) -> String {
    let Some(Decision { jobs, grant, question, role, guild }) = made else { return "unchanged".to_owned() };
    assert_eq!((jobs.is_empty(), grant, role, *guild), (true, &None, &None, GuildGate::Open));
    match question {
        None => "unchanged".to_owned(),
        Some((_, _, QuestionChange::Ask)) => "asked".to_owned(),
        Some((_, _, QuestionChange::Close)) => "closed".to_owned(),
    }
}

/// One of each kind of call: state of the row before, step, and whether it is unseen from then on.
fn calls() -> Vec<(RoleView, Planned)> {
    let mut calls: Vec<(RoleView, Planned)> = Vec::new();
    for grant in rows() {
        for seen in all_seen() {
            for wanted in WANTED {
                let (known, step) = check(grant, seen, wanted, NOW);
                let view = RoleView { role: role(), wanted, grant };
                let kind = |before: Option<Grant>, known: Known, step| {
                    (before.map(|row| row.state), known.grant.map(|row| row.unseen), step)
                };
                let is_new = calls.iter().all(|(other, planned)| {
                    kind(other.grant, planned.known, planned.step) != kind(grant, known, step)
                });
                if step.is_call() && is_new {
                    calls.push((view, Planned { known, step }));
                }
            }
        }
    }
    calls
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Grant => "grant",
        Step::Revoke => "revoke",
        Step::Confirm => "confirm",
        Step::RecordGone => "record gone",
        Step::Forget => "forget",
        Step::AlreadySo => "already so",
        Step::Missing => "missing",
        Step::Wait => "wait",
        Step::NotOurs => "not ours",
        Step::Adopt => "adopt",
        Step::GivenUp => "given up",
        Step::Nothing => "nothing",
        Step::AwaitMember => "await member",
        Step::MemberGone => "member gone",
    }
}

fn state_word(state: GrantState) -> &'static str {
    match state {
        GrantState::Intended => "intended",
        GrantState::Confirmed => "confirmed",
        GrantState::Ending => "ending",
    }
}

fn manageability_word(manageability: Manageability) -> &'static str {
    match manageability {
        Manageability::Manageable => "manageable",
        Manageability::Refused => "refused",
        Manageability::ProbeDue => "probe due",
    }
}

fn at(time: Timestamp) -> String {
    format!("{:+}s", (time - NOW).whole_seconds())
}

fn row(grant: Option<Grant>) -> String {
    let Some(Grant { state, since, absent_since, look_at, unseen, taken_at }) = grant else {
        return "none".to_owned();
    };
    let mut text = format!("{}{}", state_word(state), at(since));
    for (name, time) in [("absent", absent_since), ("look", look_at), ("taken", taken_at)] {
        if let Some(time) = time {
            write!(text, " {name}{}", at(time)).expect("a string takes it");
        }
    }
    if unseen {
        text.push_str(" unseen");
    }
    text
}

fn jobs(work: &RoleWork) -> String {
    let job = |job: &ClaimedJob| {
        let due = if job.is_due { "" } else { " not due" };
        let (action, origin) = (format!("{:?}", job.action), format!("{:?}", job.origin));
        format!("{action}/{origin} {}s old, {} failed{due}", job.age.as_secs(), job.attempts).to_lowercase()
    };
    work.jobs.iter().map(job).collect::<Vec<_>>().join(" + ")
}

fn check_words(seen: Seen, wanted: Wanted) -> String {
    format!("{}, {}", wanted_words(wanted), seen_words(seen))
}

fn seen_words(seen: Seen) -> String {
    match seen {
        Seen::Absent => "absent".to_owned(),
        Seen::Present { held, joined_at } => {
            let joined = joined_at.map_or("?".to_owned(), at);
            format!("{} joined{joined}", if held { "held" } else { "not held" })
        }
    }
}

fn wanted_words(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted { desired: false, .. } => "not due",
        Wanted { asked: false, .. } => "due",
        Wanted { asked: true, .. } => "due, asked",
    }
}

fn updates(jobs: &[JobUpdate]) -> String {
    let update = |job: &JobUpdate| {
        let JobUpdate { id, state, due_in, failures, outcome } = job;
        let due = if due_in.is_zero() { String::new() } else { format!(" in {due_in:?}") };
        let failed = if *failures == 0 { String::new() } else { format!(" +{failures} failed") };
        format!("{id} {}{due}{failed} \"{outcome}\"", state.as_str())
    };
    if jobs.is_empty() {
        "unchanged".to_owned()
    } else {
        jobs.iter().map(update).collect::<Vec<_>>().join(", ")
    }
}

fn change(grant: Option<&GrantChange>) -> String {
    let Some(GrantChange { user: whose, role: which, from, to, entries, cause }) = grant else {
        return "unchanged".to_owned();
    };
    assert_eq!((*whose, *which), (user(), role()));
    let entries: Vec<_> = entries.iter().map(|entry| entry.as_str()).collect();
    let told =
        if entries.is_empty() { String::new() } else { format!(" [{} \"{cause}\"]", entries.join(", ")) };
    format!("{} -> {}{told}", from.map_or("none", state_word), row(*to))
}

fn health(role: Option<&RoleHealth>) -> String {
    match role {
        None => "unchanged".to_owned(),
        Some(RoleHealth::Works(_)) => "works".to_owned(),
        Some(RoleHealth::Gone(_)) => "gone".to_owned(),
        Some(RoleHealth::Parked { probe_in, code, .. }) => format!("refused {code}, probe in {probe_in:?}"),
    }
}

fn guild(gate: GuildGate) -> String {
    match gate {
        GuildGate::Open => "goes on".to_owned(),
        GuildGate::Paused(pause) => format!("paused {pause:?}"),
        GuildGate::Shutdown => format!("paused {TOKEN_REJECTED:?}, shut down"),
        GuildGate::Away(code) => format!("away {code}"),
        GuildGate::Refused(code) => format!("refused {code}"),
    }
}

fn decision(made: &Decision) -> String {
    let Decision { jobs, grant, question, role, guild: _ } = made;
    assert_eq!(*question, None, "it is decided by itself");
    format!("jobs {}; row {}; role {}", updates(jobs), change(grant.as_ref()), health(role.as_ref()))
}

/// The table, in the making.
#[derive(Default)]
struct Table {
    text: String,
    cases: usize,
}

impl Table {
    fn section(&mut self, title: &str) {
        writeln!(self.text, "\n# {title}").expect("a string takes it");
    }

    fn case(&mut self, when: impl Display, then: impl Display) {
        writeln!(self.text, "{when} => {then}").expect("a string takes it");
        self.cases += 1;
    }

    fn answered(
        &mut self,
        work: &RoleWork,
        planned: Planned,
        outcome: &CallOutcome,
        bucket: Option<Duration>,
        jitter: f64,
    ) {
        let made = answered(user(), work, planned, outcome, bucket, jitter, NOW);
        let bucket = bucket.map_or(String::new(), |wait| format!(", bucket empty for {wait:?}"));
        let when = format!(
            "{} of {} | {} | {} | {outcome:?}{bucket} jitter {jitter}",
            word(planned.step),
            row(planned.known.grant),
            manageability_word(work.manageability),
            jobs(work),
        );
        self.case(when, format!("{}; guild {}", decision(&made), guild(made.guild)));
    }
}

fn table() -> Table {
    let mut table = Table::default();
    let calls = calls();
    table.section("A look at the member: row | wanted, seen | jobs => step, row before the call; or what becomes of it without one");
    let mut steps: Vec<(RoleView, Planned)> = Vec::new();
    let checked = |table: &mut Table, view: RoleView, seen: &str, planned: Planned, jobs_of: &[Job]| {
        let work = work(view, Manageability::Manageable, jobs_of);
        let when = format!("{} | {seen} | {}", row(view.grant), jobs(&work));
        let then = if planned.step.is_call() {
            let announced = GrantChange::new(user(), role(), view.grant, planned.known, work.cause());
            format!("row {}", change(announced.as_ref()))
        } else {
            decision(&without_call::found(user(), &work, planned, NOW))
        };
        table.case(when, format!("{}: {then}", word(planned.step)));
    };
    for grant in rows() {
        for seen in all_seen() {
            for wanted in WANTED {
                let (known, step) = check(grant, seen, wanted, NOW);
                let (view, planned) = (RoleView { role: role(), wanted, grant }, Planned { known, step });
                let action = if wanted.desired { JobAction::Grant } else { JobAction::Revoke };
                let job = (action, JobOrigin::Purchase, 0, 9, true);
                checked(&mut table, view, &check_words(seen, wanted), planned, &[job]);
                let waits = known.grant.and_then(|row| row.absent_since).is_some();
                let is_new = !steps.iter().any(|(_, other)| {
                    (other.step, other.known.grant.and_then(|row| row.absent_since).is_some())
                        == (step, waits)
                });
                if is_new {
                    for jobs_of in job_sets() {
                        checked(&mut table, view, &check_words(seen, wanted), planned, &jobs_of);
                    }
                    steps.push((view, planned));
                }
            }
        }
    }

    table.section("Perhaps given by hand: row | due, mapping, question | seen => step, question, and what becomes of it without a call");
    let one_of_each = states().into_iter().map(|state| {
        let (absent_since, look_at) = (None, None);
        Some(Grant { state, since: DAY_AGO, absent_since, look_at, unseen: false, taken_at: None })
    });
    for grant in std::iter::once(None).chain(one_of_each) {
        for (desired, by_hand) in all_by_hand() {
            for seen in all_seen() {
                let wanted = Wanted { desired, asked: false, follows: by_hand.follows() };
                let (known, step) = check(grant, seen, wanted, NOW);
                let view = RoleView { role: role(), wanted, grant };
                let job = (JobAction::Resync, JobOrigin::Sweep, 0, 9, true);
                let work = RoleWork { by_hand, ..work(view, Manageability::Manageable, &[job]) };
                let asked = question_words(without_call::asked(user(), &work, step).as_ref());
                let then = if step.is_call() {
                    "a call".to_owned()
                } else {
                    decision(&without_call::found(user(), &work, Planned { known, step }, NOW))
                };
                let when =
                    format!("{} | {} | {}", row(grant), by_hand_words(desired, by_hand), seen_words(seen));
                table.case(when, format!("{}; question {asked}: {then}", word(step)));
            }
        }
    }

    table.section("A call, answered: step, row before the call | role | jobs | outcome => what becomes of jobs, row, role and guild");
    let one = |step: Step| *calls.iter().find(|(_, planned)| planned.step == step).expect("it was planned");
    for (view, planned) in &calls {
        for outcome in outcomes() {
            let is_first = one(planned.step) == (*view, *planned);
            for jobs_of in job_sets().into_iter().take(if is_first { usize::MAX } else { 3 }) {
                table.answered(
                    &work(*view, Manageability::Manageable, &jobs_of),
                    *planned,
                    &outcome,
                    None,
                    0.0,
                );
            }
        }
    }
    for (view, planned) in [Step::Grant, Step::Revoke].map(one) {
        let action = if planned.step == Step::Grant { JobAction::Grant } else { JobAction::Revoke };
        let job = |attempts| [(action, JobOrigin::Purchase, attempts, 9, true)];
        for outcome in outcomes() {
            for manageability in manageabilities() {
                table.answered(&work(view, manageability, &job(0)), planned, &outcome, None, 0.0);
            }
            table.answered(
                &work(view, Manageability::Manageable, &job(0)),
                planned,
                &outcome,
                Some(Duration::from_secs(3)),
                0.0,
            );
            for attempts in [1, 2, 3, 4, 5, u32::MAX] {
                table.answered(
                    &work(view, Manageability::Manageable, &job(attempts)),
                    planned,
                    &outcome,
                    None,
                    0.5,
                );
            }
            for action in actions() {
                for origin in origins() {
                    let told_before = matches!(origin, JobOrigin::Join | JobOrigin::Sweep);
                    for (attempts, age) in [(0, 1), (1, 299)].into_iter().take(1 + usize::from(told_before)) {
                        let jobs = [(action, origin, attempts, age, true)];
                        table.answered(
                            &work(view, Manageability::Manageable, &jobs),
                            planned,
                            &outcome,
                            None,
                            1.0,
                        );
                    }
                }
            }
        }
    }

    table.section(
        "Not looked at: role, refused in this turn | danger | row | wanted | jobs => what becomes of it",
    );
    for manageability in manageabilities() {
        for refused in [false, true] {
            for danger in [None, Some("it gives Administrator"), Some("it belongs to a bot")] {
                let mut rows = vec![None];
                rows.extend(
                    calls
                        .iter()
                        .filter(|(_, planned)| planned.step == Step::Revoke)
                        .map(|(view, _)| view.grant),
                );
                for grant in rows {
                    for wanted in WANTED {
                        let view = RoleView { role: role(), wanted, grant };
                        let jobs_of = [(JobAction::Grant, JobOrigin::Purchase, 0, 9, true)];
                        let one = RoleWork {
                            danger: danger.map(str::to_owned),
                            ..work(view, manageability, &jobs_of)
                        };
                        let when = format!(
                            "{}{} | {} | {} | {}",
                            manageability_word(manageability),
                            if refused { ", refused" } else { "" },
                            danger.unwrap_or("harmless"),
                            row(grant),
                            wanted_words(wanted),
                        );
                        let is_refused =
                            |role: &RoleWork| refused || role.manageability == Manageability::Refused;
                        let member = MemberWork { user: user(), read_at: NOW, roles: vec![one] };
                        let then = match without_call::unread_member(&member, is_refused, NOW) {
                            None => "looked at".to_owned(),
                            Some(made) => made.iter().map(decision).collect(),
                        };
                        table.case(when, then);
                    }
                }
            }
        }
    }
    let due = RoleView { role: role(), wanted: WANTED[2], grant: None };
    for jobs_of in job_sets() {
        let work = work(due, Manageability::Refused, &jobs_of);
        table.case(format!("refused | {}", jobs(&work)), decision(&without_call::not_manageable(&work)));
    }

    table.section("Enforcement | jobs => what becomes of them");
    for enforcement in enforcements() {
        for jobs_of in job_sets() {
            let one = RoleWork { enforcement, ..work(due, Manageability::Manageable, &jobs_of) };
            let when = format!("{} | {}", enforcement.as_str(), jobs(&one));
            let jobs_after = |made: Decision| format!("jobs {}", updates(&made.jobs));
            let then = without_call::not_enforced(&one).map_or("goes on".to_owned(), jobs_after);
            table.case(when, then);
        }
    }

    table.section("To be given, and must not be: row | seen | danger | jobs => suspended");
    for grant in rows() {
        for seen in all_seen().into_iter().filter(|seen| !matches!(seen, Seen::Present { held: true, .. })) {
            let view = RoleView { role: role(), wanted: WANTED[1], grant };
            let jobs_of = [(JobAction::Grant, JobOrigin::Purchase, 0, 9, true)];
            let (work, known) = (work(view, Manageability::Manageable, &jobs_of), withhold(grant, seen, NOW));
            let made = without_call::suspended(user(), &work, Some(known), "it gives Administrator", NOW);
            table.case(format!("{} | {}", row(grant), check_words(seen, WANTED[1])), decision(&made));
        }
    }
    for danger in ["it gives Administrator", "it belongs to a bot"] {
        for jobs_of in job_sets() {
            let work = work(due, Manageability::Manageable, &jobs_of);
            let known = Known { grant: None, entries: &[] };
            for withheld in [None, Some(known)] {
                let made = without_call::suspended(user(), &work, withheld, danger, NOW);
                table.case(format!("{danger} | {}", jobs(&work)), decision(&made));
            }
        }
    }

    table.section("To be given, and not in the list of roles: row | jobs => what becomes of it");
    for grant in rows() {
        let view = RoleView { role: role(), wanted: WANTED[1], grant };
        let (known, _) = check(grant, Seen::Absent, view.wanted, NOW);
        for jobs_of in job_sets().into_iter().take(if grant.is_none() { usize::MAX } else { 1 }) {
            let work = work(view, Manageability::Manageable, &jobs_of);
            let made = without_call::not_listed(user(), &work, known, NOW);
            table.case(format!("{} | {}", row(grant), jobs(&work)), decision(&made));
        }
    }

    table.section("Roles of the server are being changed: jobs => what becomes of them");
    for jobs_of in job_sets() {
        let work = work(due, Manageability::Manageable, &jobs_of);
        table.case(jobs(&work), decision(&without_call::changing(&work)));
    }

    table
        .section("What had to be read could not be: what | jobs | outcome => what becomes of jobs and guild");
    for what in readings() {
        for outcome in outcomes() {
            for (jobs_of, jitter) in job_sets().into_iter().zip([0.0, 0.5].into_iter().cycle()) {
                let work = work(due, Manageability::Manageable, &jobs_of);
                let made = unread(&[&work], what, &outcome, jitter);
                assert_eq!((&made.grant, &made.role), (&None, &None));
                let when = format!("{what:?} | {} | {outcome:?} jitter {jitter}", jobs(&work));
                table.case(when, format!("jobs {}; guild {}", updates(&made.jobs), guild(made.guild)));
            }
            let [first, second] = [0, 3].map(|n| work(due, Manageability::Manageable, &job_sets()[n]));
            let made = unread(&[&first, &second], what, &outcome, 0.0);
            let when =
                format!("{what:?} | {} and of another role {} | {outcome:?}", jobs(&first), jobs(&second));
            table.case(when, format!("jobs {}; guild {}", updates(&made.jobs), guild(made.guild)));
        }
    }
    table
}

#[test]
fn every_decision_is_as_written_down() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decision_table/table.txt");
    let table = table();
    if shared::config::Env::from_process().get("NEXROLE_WRITE_DECISIONS").is_some() {
        std::fs::write(file, &table.text).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap();
    assert!(table.cases > 4000, "only {} cases", table.cases);
    for (number, (is, was)) in table.text.lines().zip(written.lines()).enumerate() {
        assert_eq!(is, was, "line {} of {file}; to write it anew: NEXROLE_WRITE_DECISIONS=1", number + 1);
    }
    assert_eq!(table.text.lines().count(), written.lines().count(), "lines of {file}");
}

//! One state of the world, and everything that may happen next.

use super::*;

/// Now, always: rows have times relative to it.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const TICK: Duration = Duration::minutes(3);
/// So far back are rows that are not of this tick.
const LONG_AGO: Duration = Duration::HOUR;

const PERSON: &str = "a person's role was taken, though given outside every window";
const TURNS: &str = "granted, and revoked or lost, do not take turns";
const LAST_WORD: &str = "the audit log's last word is not what the row says";
const PAYER: &str = "a payer is without the role for ever";
const EX_PAYER: &str = "an ex-payer keeps our role for ever";
const NO_END: &str = "the checks never end";
const OPEN: &str = "a window stays open for ever";
const REJOIN: &str = "a re-join goes wrong";
const NOT_ASKED: &str = "a person's role became ours without the owner's word, or without a payment";
const FOLLOWS: &str = "a role is to follow the payment, and does not";
const QUESTION: &str = "a question is open that nobody need answer, or none is open where one is to be";
const REFUSED: &str = "an intention that was refused stays: a role given by hand would be taken";

/// Inside which a person's grant may be taken for ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Window {
    /// A call of ours is under way, or not settled.
    Call,
    /// The row is intended,
    Intended,
    /// or confirmed, though the role was gone,
    Confirmed,
    /// or ending.
    Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum GivenBy {
    Us,
    Person,
}

/// The row, with its times in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row {
    state: GrantState,
    /// Whether the member joined before the row's time (-1), within a minute of it (0), or after it (1).
    joined: i8,
    /// The row's time is of this tick.
    fresh: bool,
    absent: Option<i8>,
    check: Option<i8>,
    unseen: bool,
}

/// What the worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Worker {
    Idle,
    /// The row is written, the call not made.
    Before(Step),
    /// The call is answered, nothing settled.
    After(Step, Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Answer {
    Done,
    Gone,
    None,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    here: bool,
    /// Who gave the role that they have.
    held: Option<GivenBy>,
    /// A person took it while the member stayed, and nobody asked since.
    took: bool,
    /// Inside which window a person gave it.
    window: Option<Window>,
    /// The member joined in this tick.
    young: bool,
    row: Option<Row>,
    /// The audit log's last word is granted, or adopted.
    open: bool,
    /// What the role's mappings say.
    mapped: ByHand,
    question: Option<Question>,
    pays: bool,
    /// A job waits that checks.
    job: bool,
    /// A purchase asked, and is not served.
    ask: bool,
    worker: Worker,
    /// The purchase that this turn serves.
    asked: bool,
    /// The call is made over a row that was there before the check.
    over: bool,
    /// A call that Discord may still carry out within this tick.
    flying: Option<Step>,
    acts: u8,
    faults: u8,
    crashes: u8,
    pub(super) wrong: Option<&'static str>,
}

type Next = Vec<(&'static str, State)>;

impl State {
    pub(super) fn new(bounds: Bounds, mapped: ByHand) -> Self {
        Self {
            here: true,
            held: None,
            took: false,
            window: None,
            young: false,
            row: None,
            open: false,
            mapped,
            question: None,
            pays: false,
            job: false,
            ask: false,
            worker: Worker::Idle,
            asked: false,
            over: false,
            flying: None,
            acts: bounds.acts,
            faults: bounds.faults,
            crashes: bounds.crashes,
            wrong: None,
        }
    }

    pub(super) fn rests(&self) -> bool {
        self.worker == Worker::Idle && self.flying.is_none()
    }

    pub(super) fn without_bounds(self) -> Self {
        Self { acts: 0, faults: 0, crashes: 0, window: None, ..self }
    }

    // The row, in and out of the real rules' terms.

    fn grant(&self) -> Option<Grant> {
        let row = self.row?;
        let ticks = |ticks: i8| match ticks {
            0 => NOW,
            1 => NOW + Duration::minutes(1),
            _ => NOW + Duration::minutes(5),
        };
        Some(Grant {
            state: row.state,
            since: if row.fresh { NOW } else { NOW - LONG_AGO },
            absent_since: row.absent.map(|ticks| NOW - TICK * i32::from(ticks)),
            look_at: row.check.map(ticks),
            unseen: row.unseen,
            taken_at: None,
        })
    }

    fn joined_at(&self) -> Option<Timestamp> {
        let since = self.grant().map_or(NOW - LONG_AGO, |row| row.since);
        Some(since + TICK * self.row.map_or(-1, |row| i32::from(row.joined)))
    }

    fn learns(mut self, known: Known) -> Self {
        for entry in known.entries {
            let opens = matches!(entry, AuditAction::RoleGranted | AuditAction::RoleAdopted);
            if *entry == AuditAction::RoleLeft {
                continue;
            }
            if opens == self.open {
                self.wrong = Some(TURNS);
            }
            self.open = opens;
        }
        let before = self.row;
        self.row = known.grant.map(|grant| {
            let fresh = grant.since == NOW;
            let joined = match (fresh, before) {
                (true, _) => {
                    if self.young && self.here {
                        0
                    } else {
                        -1
                    }
                }
                (false, Some(before)) => before.joined,
                (false, None) => -1,
            };
            let ticks = |from: Timestamp, to: Timestamp| {
                let ticks = ((to - from).as_seconds_f64() / TICK.as_seconds_f64()).ceil();
                [0, 1, 2].into_iter().rfind(|&n| f64::from(n) <= ticks).unwrap_or(0)
            };
            Row {
                state: grant.state,
                joined,
                fresh,
                absent: grant.absent_since.map(|at| ticks(at, NOW)),
                check: grant.look_at.map(|at| ticks(NOW, at)),
                unseen: grant.unseen,
            }
        });
        self
    }

    // What may happen.

    /// Every next state, each with its words.
    pub(super) fn steps(self, left_out: Option<Rule>, taken: &mut BTreeSet<Window>) -> Next {
        let mut next = Next::new();
        if self.acts > 0 {
            self.people(&mut next);
        }
        if let Some(step) = self.flying {
            next.push((
                "the late call is carried out",
                Self { flying: None, ..self }.carried_out(step, taken),
            ));
        }
        match self.worker {
            Worker::Idle => self.checks(left_out, &mut next),
            Worker::Before(step) => {
                self.crash(Some(step), &mut next);
                self.calls(step, taken, &mut next);
            }
            Worker::After(step, answer) => {
                self.crash(None, &mut next);
                next.push(("it is settled", self.settled(left_out, step, answer)));
            }
        }
        next
    }

    fn people(self, next: &mut Next) {
        let acted = Self { acts: self.acts - 1, ..self };
        if self.pays {
            next.push(("they stop paying", Self { pays: false, ask: false, job: true, ..acted }));
        } else {
            next.push(("they pay", Self { pays: true, ask: true, job: true, took: false, ..acted }));
        }
        if let Some(question) = self.question {
            // An answer wakes the worker; a no comes too late where it is ours.
            for (answer, label) in
                [(Question::Follow, "the owner says yes"), (Question::Keep, "the owner says no")]
            {
                if question != answer && (answer == Question::Follow || self.row.is_none()) {
                    next.push((label, Self { question: Some(answer), job: true, ..acted }));
                }
            }
        }
        let concerns = self.row.is_some() || self.pays;
        if !self.here {
            next.push(("they join, unheard", acted.joins(false)));
            if concerns {
                next.push(("they join, heard", acted.joins(true)));
            }
            return;
        }
        if self.held.is_some() {
            next.push(("a person takes the role", Self { held: None, window: None, took: true, ..acted }));
        } else {
            let window = self.window();
            next.push((
                "a person gives the role",
                Self { held: Some(GivenBy::Person), took: false, window, ..acted },
            ));
        }
        let left = Self { here: false, held: None, took: false, window: None, young: false, ..acted };
        next.push(("they leave, unheard", left));
        if concerns {
            next.push(("they leave, heard", Self { job: true, ..left }));
        }
    }

    fn joins(self, heard: bool) -> Self {
        let joined = |row: Row| Row { joined: i8::from(!row.fresh), ..row };
        let job = self.job || heard && (self.row.is_some() || self.pays);
        Self { here: true, young: true, took: false, job, row: self.row.map(joined), ..self }
    }

    /// `None`: our rows say nothing of this membership.
    fn window(&self) -> Option<Window> {
        if self.worker != Worker::Idle || self.flying.is_some() {
            return Some(Window::Call);
        }
        let row = self.row.filter(|row| row.joined < 1)?;
        Some(match row.state {
            GrantState::Intended => Window::Intended,
            GrantState::Confirmed => Window::Confirmed,
            GrantState::Ending => Window::Ending,
        })
    }

    fn checks(self, left_out: Option<Rule>, next: &mut Next) {
        next.push(("time passes", self.ticked()));
        // Sessions and regular checks come at any time, at whoever pays and at every row that waits for a check.
        if !self.job && !self.pays && self.row.and_then(|row| row.check).is_none() {
            return;
        }
        next.push(("a check tells the truth", self.checked(left_out, self.truth())));
        if self.acts > 0 && self.worker == Worker::Idle {
            next.push((
                "a check, and it must not be given",
                Self { acts: self.acts - 1, ..self }.withheld(left_out),
            ));
        }
        if self.faults > 0 {
            let fault = Self { faults: self.faults - 1, ..self };
            if self.here {
                next.push(("a check says absent, falsely", fault.checked(left_out, Some(Seen::Absent))));
            }
            next.push(("a check is not answered", fault.checked(left_out, None)));
        }
    }

    fn truth(&self) -> Option<Seen> {
        Some(if self.here {
            Seen::Present { held: self.held.is_some(), joined_at: self.joined_at() }
        } else {
            Seen::Absent
        })
    }

    fn checked(self, left_out: Option<Rule>, seen: Option<Seen>) -> Self {
        let Some(seen) = seen else { return Self { job: true, ..self } };
        let by_hand = self.by_hand();
        let follows = by_hand.follows() || left_out == Some(Rule::OnlyWhilePaid) && self.says_follow();
        let wanted = Wanted { desired: self.pays, asked: self.ask, follows };
        let (known, step) = rules::check(left_out, self.grant(), seen, wanted, NOW);
        let over = self.row.is_some();
        let mut checked = Self { job: false, ask: false, asked: self.ask, ..self }.learns(known);
        match by_hand.after(step) {
            Some(QuestionChange::Ask) => checked.question = Some(Question::Open),
            Some(QuestionChange::Close) => checked.question = None,
            None => {}
        }
        if step == Step::Adopt {
            if !self.pays || !self.says_follow() {
                checked.wrong = Some(NOT_ASKED);
            }
            // By the owner's word, whoever gave it.
            (checked.held, checked.window) = (self.held.map(|_| GivenBy::Us), None);
        }
        if step.is_call() {
            return Self { worker: Worker::Before(step), over, ..checked };
        }
        // Who asked and is not there is waited for.
        let ask = seen == Seen::Absent && checked.asked && checked.pays;
        Self { ask, asked: false, over: false, ..checked }
    }

    fn by_hand(&self) -> PaidByHand {
        PaidByHand { pays: self.pays, mapped: self.mapped, question: self.question }
    }

    /// Whether the owner said that it follows.
    fn says_follow(&self) -> bool {
        self.question == Some(Question::Follow)
            || self.mapped == ByHand::Follow && self.question != Some(Question::Keep)
    }

    /// The role is suspended at the moment of the check.
    fn withheld(self, left_out: Option<Rule>) -> Self {
        if self.row.is_none() && self.here && self.held.is_some() && self.by_hand().follows() {
            // Nor does it become ours.
            return Self { job: true, ..self };
        }
        let checked = self.checked(left_out, self.truth());
        if checked.worker != Worker::Before(Step::Grant) {
            return checked;
        }
        let seen = Seen::Present { held: false, joined_at: self.joined_at() };
        let known = grant::withhold(self.grant(), seen, NOW);
        Self { job: true, question: checked.question, ..self }.learns(known)
    }

    fn calls(self, step: Step, taken: &mut BTreeSet<Window>, next: &mut Next) {
        let answered = |state: Self, answer| Self { worker: Worker::After(step, answer), ..state };
        if self.here {
            next.push(("the call is done", answered(self.carried_out(step, taken), Answer::Done)));
        } else {
            next.push(("the call says absent", answered(self, Answer::Gone)));
        }
        if self.faults == 0 {
            return;
        }
        let fault = Self { faults: self.faults - 1, ..self };
        if self.here {
            let done = fault.carried_out(step, taken);
            next.push(("the call says done, and did nothing", answered(fault, Answer::Done)));
            next.push(("the call says absent, falsely", answered(fault, Answer::Gone)));
            next.push(("the call is done, and says absent", answered(done, Answer::Gone)));
            next.push(("the call is done, and not answered", answered(done, Answer::None)));
            next.push(("the call is refused", answered(Self { flying: None, ..fault }, Answer::Refused)));
        }
        next.push(("the call is lost", answered(fault, Answer::None)));
        if self.flying.is_none() {
            next.push((
                "the call is not answered, and still under way",
                answered(Self { flying: Some(step), ..fault }, Answer::None),
            ));
        }
    }

    /// Discord does it.
    fn carried_out(mut self, step: Step, taken: &mut BTreeSet<Window>) -> Self {
        if !self.here {
            return self;
        }
        if step == Step::Grant {
            if self.held.is_none() {
                (self.held, self.took) = (Some(GivenBy::Us), false);
            }
            return self;
        }
        if self.held == Some(GivenBy::Person) {
            match self.window {
                Some(window) => drop(taken.insert(window)),
                None => self.wrong = Some(PERSON),
            }
        }
        Self { held: None, window: None, took: false, ..self }
    }

    fn settled(self, left_out: Option<Rule>, step: Step, answer: Answer) -> Self {
        let outcome = match answer {
            Answer::Done => CallOutcome::Done,
            Answer::Gone => CallOutcome::MemberGone,
            Answer::None => CallOutcome::Transient(Transient::TimedOut),
            Answer::Refused => CallOutcome::Forbidden { code: 50013 },
        };
        let known = rules::settle(left_out, self.grant(), step, self.over, &outcome, NOW);
        let dropped = known.grant.is_none() && answer == Answer::Refused;
        // What was not done is tried again, or waits, with its ask.
        let job = self.job || answer == Answer::None || answer == Answer::Refused && !dropped;
        let ask = self.pays && (self.ask || answer != Answer::Done && self.asked);
        let settled =
            Self { job, ask, worker: Worker::Idle, asked: false, over: false, ..self }.learns(known);
        // It would be a window, and nobody knows for how long.
        let intended = settled.row.is_some_and(|row| row.state == GrantState::Intended);
        let wrong = (answer == Answer::Refused && step == Step::Grant && intended).then_some(REFUSED);
        Self { wrong: settled.wrong.or(wrong), ..settled }
    }

    fn crash(self, step: Option<Step>, next: &mut Next) {
        if self.crashes == 0 {
            return;
        }
        let ask = self.ask || self.asked && self.pays;
        let crashed = Self {
            crashes: self.crashes - 1,
            job: true,
            ask,
            worker: Worker::Idle,
            asked: false,
            over: false,
            ..self
        };
        next.push(("a crash", crashed));
        if step.is_none() {
            next.push(("the lease is lost", Self { ask: self.pays, ..crashed }));
        }
        if step.is_some() && self.flying.is_none() && self.faults > 0 {
            next.push((
                "a crash with the call under way",
                Self { flying: step, faults: self.faults - 1, ..crashed },
            ));
        }
    }

    fn ticked(self) -> Self {
        let later = |row: Row| Row {
            fresh: false,
            absent: row.absent.map(|ticks| (ticks + 1).min(2)),
            check: row.check.map(|ticks| (ticks - 1).max(0)),
            ..row
        };
        Self { young: false, flying: None, row: self.row.map(later), ..self }
    }

    // What must hold.

    /// Goes on truthfully until nothing changes. Answers the last state, or none if that never comes, and the reads and writes.
    fn calm(self, left_out: Option<Rule>) -> (Option<Self>, usize, usize) {
        let (mut state, mut reads, mut writes) = (self, 0, 0);
        while reads < 30 {
            match state.worker {
                Worker::Before(step) => {
                    writes += 1;
                    let answer = if state.here { Answer::Done } else { Answer::Gone };
                    let done = state.carried_out(step, &mut BTreeSet::new());
                    state = Self { worker: Worker::After(step, answer), wrong: None, ..done };
                    continue;
                }
                Worker::After(step, answer) => {
                    state = state.settled(left_out, step, answer);
                    continue;
                }
                Worker::Idle => {}
            }
            let due = state.row.and_then(|row| row.check) == Some(0);
            if state.job || due {
                (state, reads) = (state.checked(left_out, state.truth()), reads + 1);
            } else if state != state.ticked() {
                state = state.ticked();
            } else {
                // The regular check.
                let swept = if state.pays { state.checked(left_out, state.truth()) } else { state };
                if swept == state {
                    return (Some(state), reads, writes);
                }
                (state, reads) = (swept, reads + 1);
            }
        }
        (None, reads, writes)
    }

    fn is_wrong_at_rest(&self) -> Option<&'static str> {
        if self.here && self.pays && self.held.is_none() && !self.took {
            return Some(PAYER);
        }
        if self.here && !self.pays && self.held == Some(GivenBy::Us) {
            return Some(EX_PAYER);
        }
        let is_paid_by_hand =
            self.here && self.pays && self.held == Some(GivenBy::Person) && self.row.is_none();
        if is_paid_by_hand && self.says_follow() {
            return Some(FOLLOWS);
        }
        let is_asked = is_paid_by_hand
            && self.mapped == ByHand::Ask
            && !matches!(self.question, Some(Question::Follow | Question::Keep));
        (is_asked != (self.question == Some(Question::Open))).then_some(QUESTION)
    }

    /// What is wrong with a state between two checks.
    pub(super) fn judge(self, left_out: Option<Rule>, longest: &mut usize) -> Option<&'static str> {
        if self.open != self.row.is_some_and(|row| row.state == GrantState::Confirmed) {
            return Some(LAST_WORD);
        }
        let (Some(last), reads, writes) = self.calm(left_out) else { return Some(NO_END) };
        if last.row.is_some_and(|row| row.state != GrantState::Confirmed || !last.pays) {
            return Some(OPEN);
        }
        *longest = (*longest).max(reads + writes);
        if !last.here {
            for heard in [false, true] {
                for away in [last, last.ticked()] {
                    let (back, _, writes) = away.joins(heard).calm(left_out);
                    let Some(back) = back else { return Some(REJOIN) };
                    if back.is_wrong_at_rest().is_some() || !back.pays && writes > 0 {
                        return Some(REJOIN);
                    }
                }
            }
        }
        last.is_wrong_at_rest()
    }
}

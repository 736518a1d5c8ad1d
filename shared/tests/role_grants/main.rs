//! Walks breadth-first through every history of bounded length of one row of `role_grants`: one member, one role, one worker, people
//! who act at any moment, a Discord that may be wrong, and crashes. The rules are the real ones, [`grant::check`], [`grant::withhold`]
//! and [`grant::settle`]; only the world around them is modelled here.
//!
//! What must hold:
//! - **A person's role stays**: a role whose last grant is a person's is not taken, unless it was given inside a named [`Window`], or
//!   became ours: it does where the owner says so, by an answer or beforehand, while it is paid for, and never otherwise. A call that was
//!   refused opens no window.
//! - **The audit log tells the truth**: granted takes turns with revoked and lost, and its last word is what the row says.
//! - **It comes right**: from every state, once nothing more happens and Discord tells the truth, the checks come to an end within a
//!   few calls; then a payer who is there has the role, unless a person took it from them; who does not pay has no role of ours; and
//!   to somebody who is away a joining, heard or not, gives it if they pay, and makes no call otherwise. What is to follow the payment
//!   is ours, and a question is open just where a person's role is paid for and nobody said what becomes of it.
//!
//! Time goes in ticks of three minutes: a check a minute later comes one tick later, one five minutes later two. What happens in the
//! same tick is within a minute of each other. Ages are capped, so a history may be of any length.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Instant,
};

use shared::{
    clock::Timestamp,
    domain::{
        audit::AuditAction,
        delivery::outcome::{CallOutcome, Transient},
        roles::{
            by_hand::{ByHand, PaidByHand, Question, QuestionChange},
            grant::{self, Grant, GrantState, Known, Seen, Step, Wanted},
        },
    },
};
use time::Duration;

mod rules;
mod world;

use rules::Rule;
use world::{State, Window};

/// How many acts of people, faults of Discord, and crashes of ours a history may have.
#[derive(Clone, Copy)]
struct Bounds {
    acts: u8,
    faults: u8,
    crashes: u8,
}

/// What a walk found.
struct Walk {
    states: usize,
    /// The first violation, with the shortest history that leads to it.
    violation: Option<String>,
    /// The windows inside which a person gave a role that was taken.
    taken: BTreeSet<Window>,
    /// Reads and writes of the longest way to rest.
    longest: usize,
}

/// `mapped`: what the role's mappings say of a role that a person gave to who pays. Only where they ask does an owner answer.
fn walk(bounds: Bounds, mapped: ByHand, left_out: Option<Rule>) -> Walk {
    let start = State::new(bounds, mapped);
    let mut seen: HashMap<State, Option<(State, &'static str)>> = HashMap::from([(start, None)]);
    let mut judged: HashMap<State, Option<&'static str>> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    let mut found = Walk { states: 0, violation: None, taken: BTreeSet::new(), longest: 0 };
    while let Some(state) = queue.pop_front() {
        let mut wrong = state.wrong;
        if wrong.is_none() && state.rests() {
            let core = state.without_bounds();
            wrong = *judged.entry(core).or_insert_with(|| core.judge(left_out, &mut found.longest));
        }
        if let Some(wrong) = wrong {
            let mut history = Vec::new();
            let mut at = state;
            while let Some((before, label)) = seen[&at] {
                history.push(label);
                at = before;
            }
            history.reverse();
            found.violation = Some(format!("{wrong}: {}", history.join("; ")));
            break;
        }
        for (label, next) in state.steps(left_out, &mut found.taken) {
            seen.entry(next).or_insert_with(|| {
                queue.push_back(next);
                Some((state, label))
            });
        }
    }
    found.states = seen.len();
    found
}

#[test]
fn a_persons_role_is_never_taken_and_the_right_end_is_always_reached() {
    let began = Instant::now();
    let found = walk(Bounds { acts: 8, faults: 1, crashes: 2 }, ByHand::Keep, None);
    println!("{} states in {:?}, at rest after {} calls", found.states, began.elapsed(), found.longest);
    assert_eq!(found.violation, None);
    assert!(found.states >= 200_000, "only {} states", found.states);
    assert!(found.longest <= 5, "{} calls until rest", found.longest);
    let named = [Window::Call, Window::Intended, Window::Confirmed, Window::Ending];
    assert_eq!(found.taken, BTreeSet::from(named), "docs/decisions/0003 names them");
}

/// The same where an owner is asked, and answers at any moment; and where a mapping says that it follows.
#[test]
fn a_persons_role_follows_the_payment_only_where_the_owner_said_so() {
    for (mapped, acts) in [(ByHand::Ask, 7), (ByHand::Follow, 7)] {
        let began = Instant::now();
        let found = walk(Bounds { acts, faults: 1, crashes: 1 }, mapped, None);
        println!(
            "{mapped:?}: {} states in {:?}, at rest after {}",
            found.states,
            began.elapsed(),
            found.longest
        );
        assert_eq!(found.violation, None, "{mapped:?}");
        assert!(found.states >= 90_000, "{mapped:?}: only {} states", found.states);
        assert!(found.longest <= 6, "{mapped:?}: {} calls until rest", found.longest);
    }
}

#[test]
fn no_rule_can_be_left_out() {
    for rule in Rule::ALL {
        let found = walk(Bounds { acts: 6, faults: 1, crashes: 2 }, rule.mapped(), Some(rule));
        let violation = found.violation.unwrap_or_else(|| panic!("nothing breaks without {rule:?}"));
        println!("without {rule:?}: {violation}");
    }
}

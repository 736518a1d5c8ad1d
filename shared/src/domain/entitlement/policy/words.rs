//! A policy in words. In: `past_due=7d trialing=remove canceled=default`. Out: [`Choices`], or everything that is wrong with them; and
//! a policy as people are shown it.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{Policy, Rule};
use crate::domain::{entitlement::given::Days, roles::by_hand::ByHand};

macro_rules! states {
    ($($state:ident),* $(,)?) => {
        /// Every state: its word, as the column has it, too, and its rule.
        const STATES: &[(&str, fn(&mut Policy) -> &mut Rule)] =
            &[$((stringify!($state), |policy| &mut policy.$state)),*];
    };
}

states![
    trialing,
    active,
    past_due,
    past_due_after_trial,
    paused_by_final_failure,
    paused_without_payment_method,
    pause_requested,
    paused_by_system,
    unpaid,
    incomplete,
    incomplete_expired,
    canceled,
    collection_as_draft,
    collection_uncollectible,
    collection_void,
    quantity_zero,
    paid_for,
    invoice_refunded,
    invoice_refunded_managed,
    one_time,
    refund_full,
    refund_partial,
    dispute_open,
    dispute_lost,
];

/// Those of a payment whose time is known: days are counted from there. In any other they would have no end.
const WITH_DAYS: [&str; 3] = ["past_due", "past_due_after_trial", "one_time"];

/// Those of a payment, not of a subscription with its paid period.
const WITHOUT_PERIOD: [&str; 7] = [
    "invoice_refunded",
    "invoice_refunded_managed",
    "one_time",
    "refund_full",
    "refund_partial",
    "dispute_open",
    "dispute_lost",
];

/// States by which a role is another one's substitute: for whoever is behind with a payment, or for whoever paid and does not any more.
const ONLY: [(&str, &[&str]); 2] = [
    ("grace", &["past_due", "past_due_after_trial"]),
    (
        "ended",
        &[
            "unpaid",
            "canceled",
            "paused_by_final_failure",
            "paused_without_payment_method",
            "pause_requested",
            "paused_by_system",
        ],
    ),
];

/// No state, and with words of its own.
const GIVEN_BY_HAND: &str = "given_by_hand";

const RULES: &str = "keep, remove, period_end (to the end of the paid period), a number of days as 7d, default; \
    of given_by_hand ask, follow, keep (whether a role that a person gave follows the payment); \
    of paid_for after_180d (once it was paid for so long) and first_30d (for so long from the first payment); \
    only=grace and only=ended set all states at once, for a role that takes another's place";

/// As it is said: `keep`, `14d`, `period_end`, `remove`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::KeepDays(days) => write!(f, "{days}d"),
            Self::KeepToPeriodEnd => f.write_str("period_end"),
            Self::AfterDays(days) => write!(f, "after_{days}d"),
            Self::FirstDays(days) => write!(f, "first_{days}d"),
            Self::Remove => f.write_str("remove"),
        }
    }
}

/// What is said of a state, or of a role that a person gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Word {
    Rule(Rule),
    ByHand(ByHand),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::ByHand(by_hand) => f.write_str(by_hand.as_str()),
        }
    }
}

/// What an owner chooses, by state; `None`: the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    rules: BTreeMap<&'static str, Option<Rule>>,
    /// `None`: as it is.
    given_by_hand: Option<ByHand>,
}

impl Choices {
    /// `words`: each a pair `STATE=RULE`, or `only=…`.
    pub fn parse<T: AsRef<str>>(words: &[T]) -> Result<Self, BadChoices> {
        let (mut choices, mut presets, mut bad) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut given_by_hand = None;
        for word in words {
            if let Some(only) = word.as_ref().strip_prefix("only=") {
                match ONLY.iter().find(|(name, _)| *name == only) {
                    Some((_, states)) => presets.extend(only_in(states)),
                    None => bad.push(BadChoice::UnknownRule(word.as_ref().to_owned())),
                }
                continue;
            }
            if let Some(said) =
                word.as_ref().strip_prefix(GIVEN_BY_HAND).and_then(|rest| rest.strip_prefix('='))
            {
                match by_hand(said) {
                    Some(by_hand) if given_by_hand.is_none() => given_by_hand = Some(by_hand),
                    Some(_) => bad.push(BadChoice::Twice(GIVEN_BY_HAND)),
                    None => bad.push(BadChoice::UnknownByHand(word.as_ref().to_owned())),
                }
                continue;
            }
            match pair(word.as_ref()) {
                Ok((state, rule)) if choices.insert(state, rule).is_none() => {}
                Ok((state, _)) => bad.push(BadChoice::Twice(state)),
                Err(error) => bad.push(error),
            }
        }
        // What is said of one state counts more than what is said of all.
        presets.extend(choices);
        if bad.is_empty() { Ok(Self { rules: presets, given_by_hand }) } else { Err(BadChoices(bad)) }
    }
}

/// Keeps the role in these states of a subscription, as long as by default, and in no other; however long it was paid for.
fn only_in(kept: &[&str]) -> impl Iterator<Item = (&'static str, Option<Rule>)> {
    let by_default = Policy::DEFAULT.rules();
    by_default.into_iter().filter(|(state, _)| *state != "paid_for").map(move |(state, rule)| {
        let kept = kept.contains(&state).then_some(if rule == Rule::Remove { Rule::Keep } else { rule });
        (state, Some(kept.unwrap_or(Rule::Remove)))
    })
}

fn by_hand(word: &str) -> Option<ByHand> {
    match word {
        "default" => Some(ByHand::default()),
        word => ByHand::ALL.into_iter().find(|known| known.as_str() == word),
    }
}

fn pair(word: &str) -> Result<(&'static str, Option<Rule>), BadChoice> {
    let (state, rule) = word.split_once('=').ok_or_else(|| BadChoice::NoPair(word.to_owned()))?;
    let (state, _) = STATES
        .iter()
        .find(|(known, _)| *known == state)
        .ok_or_else(|| BadChoice::UnknownState(word.to_owned()))?;
    let rule = match rule {
        "default" => None,
        "keep" => Some(Rule::Keep),
        of_paid_time if *state == "paid_for" => Some(paid_time(of_paid_time, word)?),
        "remove" => Some(Rule::Remove),
        "period_end" if WITHOUT_PERIOD.contains(state) => {
            return Err(BadChoice::PeriodOfNothing(word.to_owned()));
        }
        "period_end" => Some(Rule::KeepToPeriodEnd),
        days => match Days::parse(days) {
            Ok(days) if WITH_DAYS.contains(state) => Some(Rule::KeepDays(days.get())),
            Ok(_) => return Err(BadChoice::DaysOfNothing(word.to_owned())),
            Err(_) => return Err(BadChoice::UnknownRule(word.to_owned())),
        },
    };
    Ok((state, rule))
}

fn paid_time(rule: &str, word: &str) -> Result<Rule, BadChoice> {
    let unknown = || BadChoice::UnknownPaidTime(word.to_owned());
    let (kind, days) = rule.split_once('_').ok_or_else(unknown)?;
    let days = Days::parse(days).map_err(|_| unknown())?.get();
    match kind {
        "after" => Ok(Rule::AfterDays(days)),
        "first" => Ok(Rule::FirstDays(days)),
        _ => Err(unknown()),
    }
}

/// Why a word is no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChoice {
    #[error("{0}: a choice is STATE=RULE")]
    NoPair(String),
    #[error("{0}: there is no such state")]
    UnknownState(String),
    #[error("{0}: there is no such rule")]
    UnknownRule(String),
    #[error("{0}: days are counted from a payment, so only {with_days} have them", with_days = WITH_DAYS.join(", "))]
    DaysOfNothing(String),
    #[error("{0}: a payment has no period to keep the role to the end of; keep and remove are possible")]
    PeriodOfNothing(String),
    #[error("{0}: after_180d, first_30d, keep and default are possible")]
    UnknownPaidTime(String),
    #[error("{0}: ask, follow, keep and default are possible")]
    UnknownByHand(String),
    #[error("{0} is there twice")]
    Twice(&'static str),
}

/// All of them, and what can be said instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadChoices(pub Vec<BadChoice>);

impl fmt::Display for BadChoices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for bad in &self.0 {
            writeln!(f, "{bad}")?;
        }
        let states: Vec<_> = STATES.iter().map(|(state, _)| *state).collect();
        write!(f, "States: {}; and {GIVEN_BY_HAND}.\nRules: {RULES}.", states.join(", "))
    }
}

impl Policy {
    /// The same, but for what was chosen.
    #[must_use]
    pub fn with(mut self, choices: &Choices) -> Self {
        let mut default = Self::DEFAULT;
        for (state, of) in STATES {
            if let Some(choice) = choices.rules.get(state) {
                *of(&mut self) = choice.unwrap_or(*of(&mut default));
            }
        }
        self.given_by_hand = choices.given_by_hand.unwrap_or(self.given_by_hand);
        self
    }

    /// Each state with its rule, in the order in which people are shown them.
    pub fn rules(mut self) -> Vec<(&'static str, Rule)> {
        STATES.iter().map(|(state, of)| (*state, *of(&mut self))).collect()
    }

    /// All that it says, in the order in which people are shown it.
    pub fn words(self) -> Vec<(&'static str, Word)> {
        let rules = self.rules().into_iter().map(|(state, rule)| (state, Word::Rule(rule)));
        rules.chain([(GIVEN_BY_HAND, Word::ByHand(self.given_by_hand))]).collect()
    }

    /// What is not the default: what the column has.
    pub fn overrides(self) -> BTreeMap<&'static str, Word> {
        let words = self.words().into_iter().zip(Self::DEFAULT.words());
        words.filter(|((_, word), (_, default))| word != default).map(|(word, _)| word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_word() {
        let as_json = serde_json::to_value(Policy::DEFAULT).unwrap();
        let words: BTreeMap<_, _> = Policy::DEFAULT.words().into_iter().collect();
        assert_eq!(serde_json::to_value(&words).unwrap(), as_json);
        assert_eq!(words.len(), STATES.len() + 1, "none is there twice");
    }

    #[test]
    fn choices_change_what_they_name() {
        let words = ["past_due=7d", "trialing=remove", "pause_requested=period_end", "canceled=keep"];
        let policy = Policy::DEFAULT.with(&Choices::parse(&words).unwrap());
        let expected = Policy {
            past_due: Rule::KeepDays(7),
            trialing: Rule::Remove,
            pause_requested: Rule::KeepToPeriodEnd,
            canceled: Rule::Keep,
            ..Policy::DEFAULT
        };
        assert_eq!(policy, expected);
        let back =
            policy.with(&Choices::parse(&["trialing=default", "canceled=remove", "past_due=14d"]).unwrap());
        assert_eq!(back, Policy { pause_requested: Rule::KeepToPeriodEnd, ..Policy::DEFAULT });
        assert_eq!(policy.with(&Choices::default()), policy);
    }

    #[test]
    fn every_rule_that_is_shown_can_be_said() {
        for rule in [Rule::Keep, Rule::KeepDays(14), Rule::KeepToPeriodEnd, Rule::Remove] {
            let choices = Choices::parse(&[format!("past_due={rule}")]).unwrap();
            assert_eq!(Policy::DEFAULT.with(&choices).past_due, rule);
        }
    }

    #[test]
    fn a_role_may_depend_on_how_long_it_was_paid_for() {
        for (word, rule) in
            [("after_180d", Rule::AfterDays(180)), ("first_30d", Rule::FirstDays(30)), ("keep", Rule::Keep)]
        {
            let choices = Choices::parse(&[format!("paid_for={word}")]).unwrap();
            assert_eq!(Policy::DEFAULT.with(&choices).paid_for, rule);
            assert_eq!(rule.to_string(), word);
        }
        for word in ["remove", "7d", "period_end", "after_", "after_0d", "since_3d", "after_3"] {
            let refused = Choices::parse(&[format!("paid_for={word}")]).unwrap_err();
            assert_eq!(refused.0, [BadChoice::UnknownPaidTime(format!("paid_for={word}"))]);
        }
        assert!(Choices::parse(&["active=after_3d"]).is_err(), "it is no matter of a state");
    }

    #[test]
    fn a_role_given_by_hand_is_asked_about_unless_the_mapping_says_otherwise() {
        let by = |policy: Policy, words: &[&str]| policy.with(&Choices::parse(words).unwrap()).given_by_hand;
        assert_eq!(by(Policy::DEFAULT, &[]), ByHand::Ask);
        assert_eq!(by(Policy::DEFAULT, &["only=grace"]), ByHand::Ask, "it is no state");
        let follows = Policy { given_by_hand: ByHand::Follow, ..Policy::DEFAULT };
        for (word, expected) in [("ask", ByHand::Ask), ("follow", ByHand::Follow), ("keep", ByHand::Keep)] {
            assert_eq!(by(follows, &[&format!("given_by_hand={word}")]), expected);
        }
        assert_eq!(by(follows, &["given_by_hand=default"]), ByHand::Ask);
        assert_eq!(by(follows, &["past_due=7d"]), ByHand::Follow);
        let twice = Choices::parse(&["given_by_hand=ask", "given_by_hand=ask"]).unwrap_err();
        assert_eq!(twice.0, [BadChoice::Twice("given_by_hand")]);
    }

    #[test]
    fn a_substitute_is_given_where_the_other_role_is_not() {
        let by = |words: &[&str]| Policy::DEFAULT.with(&Choices::parse(words).unwrap());
        let grace = by(&["only=grace"]);
        let given = |policy: Policy| {
            let kept = policy.rules().into_iter().filter(|(_, rule)| *rule != Rule::Remove);
            kept.map(|(state, rule)| format!("{state} {rule}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(given(grace), "past_due 14d, past_due_after_trial 1d, paid_for keep");
        assert_eq!(
            given(by(&["only=ended"])),
            "paused_by_final_failure keep, paused_without_payment_method keep, pause_requested keep, \
             paused_by_system keep, unpaid keep, canceled keep, paid_for keep"
        );
        assert_eq!(by(&["only=grace", "past_due=30d"]), Policy { past_due: Rule::KeepDays(30), ..grace });
        assert!(Choices::parse(&["only=trial"]).is_err());
    }

    #[test]
    fn the_column_has_what_differs_and_is_read_as_it_was_written() {
        assert!(Policy::DEFAULT.overrides().is_empty());
        let policy = Policy {
            past_due: Rule::KeepDays(7),
            trialing: Rule::Remove,
            given_by_hand: ByHand::Follow,
            ..Policy::DEFAULT
        };
        let written = serde_json::to_string(&policy.overrides()).unwrap();
        assert_eq!(written, r#"{"given_by_hand":"follow","past_due":{"keep_days":7},"trialing":"remove"}"#);
        assert_eq!(serde_json::from_str::<Policy>(&written).unwrap(), policy);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_with_what_can_be_said() {
        let words = [
            "past_due",
            "late=keep",
            "active=maybe",
            "past_due=0d",
            "canceled=7d",
            "unpaid=keep",
            "unpaid=remove",
            "dispute_open=period_end",
            "refund_full=30d",
            "given_by_hand=remove",
            "=",
            "",
        ];
        insta::assert_snapshot!(Choices::parse(&words).unwrap_err(), @r"
        past_due: a choice is STATE=RULE
        late=keep: there is no such state
        active=maybe: there is no such rule
        past_due=0d: there is no such rule
        canceled=7d: days are counted from a payment, so only past_due, past_due_after_trial, one_time have them
        unpaid is there twice
        dispute_open=period_end: a payment has no period to keep the role to the end of; keep and remove are possible
        refund_full=30d: days are counted from a payment, so only past_due, past_due_after_trial, one_time have them
        given_by_hand=remove: ask, follow, keep and default are possible
        =: there is no such state
        : a choice is STATE=RULE
        States: trialing, active, past_due, past_due_after_trial, paused_by_final_failure, paused_without_payment_method, pause_requested, paused_by_system, unpaid, incomplete, incomplete_expired, canceled, collection_as_draft, collection_uncollectible, collection_void, quantity_zero, paid_for, invoice_refunded, invoice_refunded_managed, one_time, refund_full, refund_partial, dispute_open, dispute_lost; and given_by_hand.
        Rules: keep, remove, period_end (to the end of the paid period), a number of days as 7d, default; of given_by_hand ask, follow, keep (whether a role that a person gave follows the payment); of paid_for after_180d (once it was paid for so long) and first_30d (for so long from the first payment); only=grace and only=ended set all states at once, for a role that takes another's place.
        ");
    }
}

//! Trials, and whether a member had one before. In: the trials that are known of a member. Out: those that are not their first.

use crate::{
    clock::Timestamp,
    domain::billing::subscription::{SubscriptionFact, SubscriptionStatus},
    ids::{ConnectionId, SubscriptionId},
};

/// The states in which a trial that is not over by its time goes on.
pub const RUNNING: [SubscriptionStatus; 3] =
    [SubscriptionStatus::Trialing, SubscriptionStatus::Active, SubscriptionStatus::PastDue];

impl SubscriptionFact {
    /// Whether it is in a trial. One that begins with a trial offer may be `active`.
    pub fn is_in_trial(&self, now: Timestamp) -> bool {
        RUNNING.contains(&self.status)
            && self.trial.and_then(|trial| trial.ends).is_some_and(|ends| now < ends)
    }
}

/// A trial of one of a member's subscriptions, as we know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTrial {
    pub connection: ConnectionId,
    pub subscription: SubscriptionId,
    pub began: Timestamp,
    pub is_running: bool,
    /// The subscription whose trial was said to be the member's first.
    pub said: Option<String>,
}

/// The trials that run, are not the member's first, and of which that was not said; each with the first.
///
/// The first is the one that began first, whichever was read first; of those that began in the same second, one that is over.
pub fn repeated(trials: &[KnownTrial]) -> Vec<(&KnownTrial, &KnownTrial)> {
    let order =
        |trial: &&KnownTrial| (trial.began, trial.is_running, trial.connection, trial.subscription.clone());
    let Some(first) = trials.iter().min_by_key(order) else { return Vec::new() };
    let others = trials.iter().filter(|trial| *trial != first && trial.is_running);
    let unsaid = others.filter(|trial| trial.said.as_deref() != Some(first.subscription.as_str()));
    unsaid.map(|trial| (trial, first)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(n: i64, began: i64, is_running: bool) -> KnownTrial {
        KnownTrial {
            connection: ConnectionId::from_u64(1).unwrap(),
            subscription: format!("sub_{n}").parse().unwrap(),
            began: Timestamp::from_unix_timestamp(began).unwrap(),
            is_running,
            said: None,
        }
    }

    fn check(trials: &[KnownTrial], expected: &[(&str, &str)]) {
        let found = repeated(trials);
        let found: Vec<_> =
            found.iter().map(|(it, first)| (it.subscription.as_str(), first.subscription.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_trial_is_a_repetition_if_another_began_before() {
        check(&[], &[]);
        check(&[trial(1, 100, true)], &[]);
        check(&[trial(1, 100, false), trial(2, 200, true)], &[("sub_2", "sub_1")]);
        check(&[trial(1, 100, true), trial(2, 200, true)], &[("sub_2", "sub_1")]);
        check(&[trial(2, 200, true), trial(1, 100, true)], &[("sub_2", "sub_1")]);
        check(&[trial(1, 100, false), trial(2, 200, false)], &[]);
        check(&[trial(1, 100, true), trial(2, 100, true)], &[("sub_2", "sub_1")]);
        check(&[trial(1, 100, true), trial(2, 100, false)], &[("sub_1", "sub_2")]);
        check(
            &[trial(1, 100, false), trial(2, 200, true), trial(3, 300, true)],
            &[("sub_2", "sub_1"), ("sub_3", "sub_1")],
        );
    }

    #[test]
    fn it_is_said_once() {
        let said = |of: &str| KnownTrial { said: Some(of.to_owned()), ..trial(2, 200, true) };
        check(&[trial(1, 100, false), said("sub_1")], &[]);
        check(&[trial(1, 100, false), said("sub_0")], &[("sub_2", "sub_1")]);
    }
}

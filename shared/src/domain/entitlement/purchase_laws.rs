//! The laws of what was bought once, and of what goes back of payments, over all small cases.

use super::{
    diff::{RoleEntitlement, Transition, transitions},
    evaluate::{Evaluation, Reason, State, evaluate},
    facts::{Facts, ReversedInvoice},
    mapping::{Mapping, Sold},
    policy::{Policy, Rule},
};
use crate::{
    clock::Timestamp,
    domain::billing::{
        purchase::{PurchaseFact, PurchaseStatus},
        reversal::{Dispute, Refund, Reversal},
        subscription::{Item, Items, SubscriptionStatus},
    },
    ids::{RoleId, UserId},
};

const REFUNDS: [Refund; 4] = [Refund::None, Refund::Partial, Refund::Full, Refund::Unknown];
const DISPUTES: [&str; 6] =
    ["won", "warning_needs_response", "needs_response", "lost", "appeal_under_review", "new"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_timestamp(seconds).unwrap()
}

fn given() -> RoleEntitlement {
    RoleEntitlement { user: UserId::from_u64(1).unwrap(), role: RoleId::from_u64(7).unwrap() }
}

fn items() -> Items {
    let product = Some("prod_1".parse().unwrap());
    Items::All(vec![Item::new("price_1".parse().unwrap(), product, Some(1))])
}

fn mapping(policy: Policy) -> Mapping {
    Mapping { sold: Sold::Price("price_1".parse().unwrap()), role: given().role, policy }
}

fn reversal(refund: Refund, dispute: &str) -> Reversal {
    Reversal { refund, dispute: Dispute::parse(dispute) }
}

fn purchase(status: &str, payment: &str, reversal: Reversal) -> PurchaseFact {
    PurchaseFact {
        id_keys: Vec::new(),
        id: "cs_1".parse().unwrap(),
        customer: None,
        status: PurchaseStatus::parse(status, payment),
        items: items(),
        invoice: None,
        total: None,
        currency: None,
        paid_at: Some(at(0)),
        reversal,
        discord_user: None,
    }
}

fn of_purchase(fact: &PurchaseFact, policy: Policy, now: i64) -> Evaluation {
    evaluate(fact, &[mapping(policy)], [given().role], at(now))
}

fn state(evaluation: &Evaluation) -> State {
    evaluation.roles[&given().role].state
}

#[test]
fn what_was_paid_gives_the_role_until_it_was_all_refunded_or_is_disputed() {
    let mut cases = 0;
    for refund in REFUNDS {
        for dispute in DISPUTES {
            for (status, payment) in [
                ("complete", "paid"),
                ("complete", "no_payment_required"),
                ("complete", "unpaid"),
                ("open", "unpaid"),
                ("complete", "new"),
            ] {
                let fact = purchase(status, payment, reversal(refund, dispute));
                let takes = refund == Refund::Full
                    || matches!(dispute, "needs_response" | "lost" | "appeal_under_review");
                let expected = match payment {
                    "new" => State::Unchanged,
                    "unpaid" => State::Ended,
                    _ if takes => State::Ended,
                    // What nobody knows neither gives nor takes.
                    _ if refund == Refund::Unknown || dispute == "new" => State::Unchanged,
                    _ => State::Due,
                };
                assert_eq!(state(&of_purchase(&fact, Policy::DEFAULT, 1)), expected, "{fact:?}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 120);
}

#[test]
fn each_mapping_decides_what_a_refund_and_a_dispute_are_worth() {
    let by = |policy, refund, dispute| {
        state(&of_purchase(&purchase("complete", "paid", reversal(refund, dispute)), policy, 1))
    };
    let kind = Policy {
        refund_full: Rule::Keep,
        dispute_open: Rule::Keep,
        dispute_lost: Rule::Keep,
        ..Policy::DEFAULT
    };
    for refund in [Refund::None, Refund::Partial, Refund::Full] {
        for dispute in ["won", "needs_response", "lost"] {
            assert_eq!(by(kind, refund, dispute), State::Due, "{refund:?} {dispute}");
        }
    }
    assert_eq!(
        by(kind, Refund::None, "new"),
        State::Unchanged,
        "whether a state is known is no matter of policy"
    );
    let strict = Policy { refund_partial: Rule::Remove, ..Policy::DEFAULT };
    assert_eq!(by(strict, Refund::Partial, "won"), State::Ended);
    let lost_only = Policy { dispute_open: Rule::Keep, ..Policy::DEFAULT };
    assert_eq!(
        (by(lost_only, Refund::None, "needs_response"), by(lost_only, Refund::None, "lost")),
        (State::Due, State::Ended)
    );
    let nothing = Policy { one_time: Rule::Remove, ..Policy::DEFAULT };
    assert_eq!(by(nothing, Refund::None, "won"), State::Ended);
}

#[test]
fn days_are_counted_from_the_payment_and_end_nothing_if_that_is_unknown() {
    let week = Policy { one_time: Rule::KeepDays(7), ..Policy::DEFAULT };
    let end = 7 * 86_400;
    let fact = purchase("complete", "paid", Reversal::NONE);
    let before = of_purchase(&fact, week, end - 1);
    assert_eq!((state(&before), before.until()), (State::Due, Some(at(end))));
    let after = of_purchase(&fact, week, end);
    assert_eq!((state(&after), after.roles[&given().role].reason), (State::Ended, Reason::TimeIsOver));
    let ends = Transition::End(given());
    assert_eq!(after.evidence(&fact.in_words(), ends), "cs_1 is paid, for longer than the role is kept");
    let unknown = PurchaseFact { paid_at: None, ..fact };
    assert_eq!(state(&of_purchase(&unknown, week, end)), State::Due);
}

#[test]
fn a_purchase_changes_nothing_twice_and_an_unknown_one_nothing_at_all() {
    for refund in REFUNDS {
        for dispute in DISPUTES {
            for held in [false, true] {
                let fact = purchase("complete", "paid", reversal(refund, dispute));
                let evaluation = of_purchase(&fact, Policy::DEFAULT, 1);
                let live = held.then(given).into_iter().collect();
                let changes = transitions(&live, &evaluation, Some(given().user));
                let after = match changes.first() {
                    Some(Transition::Begin(it)) => Some(*it),
                    Some(Transition::End(_)) => None,
                    None => held.then(given),
                };
                let again = transitions(&after.into_iter().collect(), &evaluation, Some(given().user));
                assert!(again.is_empty() && changes.len() <= 1, "{fact:?}");
                if state(&evaluation) == State::Unchanged {
                    assert!(changes.is_empty(), "{fact:?}");
                }
            }
        }
    }
}

#[test]
fn lines_that_were_not_sent_end_nothing() {
    let fact =
        PurchaseFact { items: Items::Some(Vec::new()), ..purchase("complete", "paid", Reversal::NONE) };
    assert_eq!(state(&of_purchase(&fact, Policy::DEFAULT, 1)), State::Unchanged);
    let refunded = PurchaseFact { reversal: reversal(Refund::Full, "won"), ..fact.clone() };
    assert_eq!(state(&of_purchase(&refunded, Policy::DEFAULT, 1)), State::Ended, "of whatever was in it");
    let unknown = PurchaseFact { reversal: reversal(Refund::None, "new"), ..fact };
    assert_eq!(state(&of_purchase(&unknown, Policy::DEFAULT, 1)), State::Unchanged);
}

/// Of a subscription whose latest payment this happened to.
fn of_subscription(status: &str, reversals: &[(Refund, &str, bool)], policy: Policy) -> State {
    let reversals: Vec<_> = reversals
        .iter()
        .map(|&(refund, dispute, is_managed)| ReversedInvoice {
            reversal: reversal(refund, dispute),
            is_managed,
        })
        .collect();
    let (status, items) = (SubscriptionStatus::parse(status), items());
    let facts = Facts { items: &items, reversals: &reversals, ..Facts::of(&status) };
    state(&evaluate(&facts, &[mapping(policy)], [given().role], at(1)))
}

#[test]
fn of_a_subscription_the_status_decides_unless_its_latest_payment_is_disputed_or_stripe_refunds_on_its_own() {
    let by_default = |status: &str, refund, dispute, managed| {
        of_subscription(status, &[(refund, dispute, managed)], Policy::DEFAULT)
    };
    for managed in [false, true] {
        assert_eq!(by_default("active", Refund::Partial, "won", managed), State::Due);
        assert_eq!(by_default("active", Refund::None, "needs_response", managed), State::Ended);
        assert_eq!(by_default("active", Refund::None, "lost", managed), State::Ended);
        assert_eq!(by_default("active", Refund::None, "new", managed), State::Unchanged);
        // Nothing of it gives back what the status ends.
        for dispute in DISPUTES {
            assert_eq!(by_default("canceled", Refund::None, dispute, managed), State::Ended, "{dispute}");
            assert_eq!(by_default("invented_tomorrow", Refund::Full, dispute, managed), State::Unchanged);
        }
    }
    assert_eq!(by_default("active", Refund::Full, "won", false), State::Due);
    assert_eq!(by_default("active", Refund::Full, "won", true), State::Ended);
    assert_eq!(by_default("past_due", Refund::None, "lost", false), State::Ended);
    // Of several payments each counts.
    let two = [(Refund::None, "won", false), (Refund::None, "lost", false)];
    assert_eq!(of_subscription("active", &two, Policy::DEFAULT), State::Ended);
    let known_and_unknown = [(Refund::None, "new", false), (Refund::None, "lost", false)];
    assert_eq!(of_subscription("active", &known_and_unknown, Policy::DEFAULT), State::Ended);
    let strict = Policy { invoice_refunded: Rule::Remove, ..Policy::DEFAULT };
    assert_eq!(of_subscription("active", &[(Refund::Full, "won", false)], strict), State::Ended);
    let kept = Policy { canceled: Rule::Keep, ..Policy::DEFAULT };
    assert_eq!(of_subscription("canceled", &[(Refund::None, "new", false)], kept), State::Unchanged);
}

//! The laws of entitlement, over all small cases: with the default policy nothing differs from one rule for the whole subscription.

use std::collections::BTreeSet;

use super::{
    diff::{RoleEntitlement, Transition, transitions},
    evaluate::{Reason, RoleState, State, evaluate},
    facts::Facts,
    mapping::{Mapping, Sold},
    policy::{Policy, Rule},
};
use crate::{
    clock::Timestamp,
    domain::billing::subscription::{Item, Items, PauseCause, SubscriptionStatus},
    ids::{RoleId, UserId},
};

const STATUSES: [&str; 10] = [
    "trialing",
    "active",
    "past_due",
    "unpaid",
    "incomplete",
    "incomplete_expired",
    "canceled",
    "paused",
    "invented_tomorrow",
    "",
];

fn user(n: u64) -> UserId {
    UserId::from_u64(n).unwrap()
}
fn role(n: u64) -> RoleId {
    RoleId::from_u64(n).unwrap()
}
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_timestamp(seconds).unwrap()
}
fn item(n: u64) -> Item {
    let (price, product) = (format!("price_{n}").parse().unwrap(), format!("prod_{n}").parse().ok());
    Item::new(price, product, Some(1))
}
/// Of price `n` to role `n`.
fn by_price(n: u64, policy: Policy) -> Mapping {
    Mapping { sold: Sold::Price(item(n).price), role: role(n), policy }
}
fn entitlements(list: &[(u64, u64)]) -> BTreeSet<RoleEntitlement> {
    list.iter().map(|&(u, r)| RoleEntitlement { user: user(u), role: role(r) }).collect()
}
/// `+u.r` begins, `-u.r` ends.
fn words(changes: &BTreeSet<Transition>) -> String {
    let words: Vec<String> = changes
        .iter()
        .map(|change| match change {
            Transition::Begin(it) => format!("+{}.{}", it.user, it.role),
            Transition::End(it) => format!("-{}.{}", it.user, it.role),
        })
        .collect();
    words.join(" ")
}

/// A subscription that is paused is so on request; a payment is due since a time that is not known.
const REQUESTED: PauseCause = PauseCause::PauseRequested;

fn facts<'a>(status: &'a SubscriptionStatus, items: &'a Items) -> Facts<'a> {
    Facts { items, pause: Some(&REQUESTED), ..Facts::of(status) }
}

/// One rule for the whole subscription, as it was before policies belonged to mappings.
fn by_one_rule(
    live: &BTreeSet<RoleEntitlement>,
    status: &SubscriptionStatus,
    items: &Items,
    user: Option<UserId>,
    roles: &BTreeSet<RoleId>,
) -> BTreeSet<Transition> {
    let due: BTreeSet<RoleEntitlement> = user
        .into_iter()
        .flat_map(|user| roles.iter().map(move |&role| RoleEntitlement { user, role }))
        .collect();
    let begins = due.difference(live).copied().map(Transition::Begin);
    let all_end = || live.iter().copied().map(Transition::End);
    match (status, items) {
        (SubscriptionStatus::Unknown(_), _) => BTreeSet::new(),
        (
            SubscriptionStatus::Trialing | SubscriptionStatus::Active | SubscriptionStatus::PastDue,
            Items::All(_),
        ) => begins.chain(live.difference(&due).copied().map(Transition::End)).collect(),
        (
            SubscriptionStatus::Trialing | SubscriptionStatus::Active | SubscriptionStatus::PastDue,
            Items::Some(_),
        ) => begins.collect(),
        _ => all_end().collect(),
    }
}

/// Every status × all or some items × any of two items × any of two mappings × whose it is × any of four entitlements: 10·2·4·4·3·16.
fn every_case(
    mut check: impl FnMut(&BTreeSet<RoleEntitlement>, &SubscriptionStatus, &Items, Option<UserId>, &[Mapping]),
) {
    let subset = |bits: usize| (7..9).filter(move |n| bits >> (n - 7) & 1 == 1);
    for status in STATUSES.map(SubscriptionStatus::parse) {
        for (whole, sold, mapped, linked, held) in each_of(2, 4, 4, 3, 16) {
            let read: Vec<Item> = subset(sold).map(item).collect();
            let items = if whole == 1 && !read.is_empty() { Items::All(read) } else { Items::Some(read) };
            let mappings: Vec<Mapping> = subset(mapped).map(|n| by_price(n, Policy::DEFAULT)).collect();
            let user = (linked > 0).then(|| user(linked as u64));
            let all = [(1, 7), (1, 8), (2, 7), (2, 8)];
            let live: Vec<(u64, u64)> =
                all.into_iter().enumerate().filter(|(n, _)| held >> n & 1 == 1).map(|(_, it)| it).collect();
            check(&entitlements(&live), &status, &items, user, &mappings);
        }
    }
}

fn each_of(
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
) -> impl Iterator<Item = (usize, usize, usize, usize, usize)> {
    (0..a * b * c * d * e)
        .map(move |n| (n % a, n / a % b, n / a / b % c, n / a / b / c % d, n / a / b / c / d))
}

#[test]
fn the_default_policy_does_what_one_rule_did() {
    let mut cases = 0;
    every_case(|live, status, items, user, mappings| {
        let roles = mappings.iter().filter(|m| items.as_slice().iter().any(|item| m.sold.is_in(item)));
        let roles: BTreeSet<RoleId> = roles.map(|m| m.role).collect();
        let facts = facts(status, items);
        let evaluation = evaluate(&facts, mappings, live.iter().map(|it| it.role), at(0));
        let found = transitions(live, &evaluation, user);
        let expected = by_one_rule(live, status, items, user, &roles);
        assert_eq!(found, expected, "{status:?} {items:?} {user:?} {mappings:?} {live:?}");
        cases += 1;
    });
    assert_eq!(cases, 15_360);
}

#[test]
fn applying_twice_changes_nothing() {
    every_case(|live, status, items, user, mappings| {
        let facts = facts(status, items);
        let mut after = live.clone();
        for change in
            transitions(live, &evaluate(&facts, mappings, live.iter().map(|it| it.role), at(0)), user)
        {
            match change {
                Transition::Begin(it) => assert!(after.insert(it)),
                Transition::End(it) => assert!(after.remove(&it)),
            }
        }
        let again = evaluate(&facts, mappings, after.iter().map(|it| it.role), at(0));
        assert!(transitions(&after, &again, user).is_empty(), "{status:?} {items:?} {user:?} {live:?}");
    });
}

#[test]
fn what_changes_by_example() {
    let check = |live: &[(u64, u64)], status: &str, items: &Items, linked: Option<u64>, expected: &str| {
        let (live, status) = (entitlements(live), SubscriptionStatus::parse(status));
        let facts = facts(&status, items);
        let mappings = [by_price(7, Policy::DEFAULT), by_price(8, Policy::DEFAULT)];
        let evaluation = evaluate(&facts, &mappings, live.iter().map(|it| it.role), at(0));
        assert_eq!(words(&transitions(&live, &evaluation, linked.map(user))), expected);
    };
    let (seven, eight, nine) =
        (Items::All(vec![item(7)]), Items::All(vec![item(8)]), Items::All(vec![item(9)]));
    check(&[], "active", &seven, Some(1), "+1.7");
    check(&[(1, 7)], "active", &seven, Some(1), "");
    check(&[(1, 7)], "canceled", &seven, Some(1), "-1.7");
    check(&[(1, 7)], "canceled", &Items::Some(Vec::new()), None, "-1.7");
    check(&[], "canceled", &seven, Some(1), "");
    // A plan change moves the role; a moved link moves it to the other member.
    check(&[(1, 7)], "active", &eight, Some(1), "+1.8 -1.7");
    check(&[(1, 7)], "active", &seven, Some(2), "+2.7 -1.7");
    // Nobody linked, or a price that nobody mapped: nothing to give.
    check(&[], "active", &seven, None, "");
    check(&[], "active", &nine, Some(1), "");
    // No evidence, no end.
    check(&[(1, 7)], "active", &Items::Some(vec![item(8)]), Some(1), "+1.8");
    check(&[(1, 7)], "active", &Items::Some(Vec::new()), Some(1), "");
    check(&[(1, 7)], "frozen", &eight, Some(1), "");
}

fn of(status: &str, since: Option<i64>, items: &Items, mappings: &[Mapping], now: i64) -> RoleState {
    let status = SubscriptionStatus::parse(status);
    let facts = Facts { unpaid_since: since.map(at), ..facts(&status, items) };
    evaluate(&facts, mappings, [role(7)], at(now)).roles[&role(7)]
}

#[test]
fn each_mapping_decides_by_its_own_policy() {
    let strict = Policy { past_due: Rule::Remove, ..Policy::DEFAULT };
    let status = SubscriptionStatus::PastDue;
    let items = Items::All(vec![item(7), item(8)]);
    let facts = facts(&status, &items);
    let mappings = [by_price(7, strict), by_price(8, Policy::DEFAULT)];
    let live = entitlements(&[(1, 7), (1, 8)]);
    let evaluation = evaluate(&facts, &mappings, live.iter().map(|it| it.role), at(0));
    assert_eq!(words(&transitions(&live, &evaluation, Some(user(1)))), "-1.7");
    // The kindest of the mappings to one role decides.
    let both = [
        by_price(7, strict),
        Mapping { sold: Sold::Product(item(7).product.unwrap()), ..by_price(7, Policy::DEFAULT) },
    ];
    assert_eq!(of("past_due", None, &items, &both, 0).state, State::Due);
}

#[test]
fn a_time_ends_a_role_only_when_it_is_known_and_over() {
    let graceful = Policy { past_due: Rule::KeepDays(1), ..Policy::DEFAULT };
    let mappings = [by_price(7, graceful)];
    let items = Items::All(vec![item(7)]);
    let due =
        |until: Option<i64>| RoleState { state: State::Due, until: until.map(at), reason: Reason::Status };
    let end = 1_000 + 86_400;
    assert_eq!(of("past_due", None, &items, &mappings, end + 1), due(None), "since when is not known");
    assert_eq!(of("past_due", Some(1_000), &items, &mappings, end - 1), due(Some(end)));
    let over = RoleState { state: State::Ended, until: None, reason: Reason::TimeIsOver };
    assert_eq!(of("past_due", Some(1_000), &items, &mappings, end), over);
    // A clock that is wrong by years ends nothing early.
    assert_eq!(of("past_due", Some(1_000), &items, &mappings, -1_000_000), due(Some(end)));
    // 9999-12-31T23:59:59Z
    assert_eq!(of("past_due", Some(253_402_300_799), &items, &mappings, end), due(None), "no such day");
}

#[test]
fn what_was_not_sent_may_be_what_keeps_a_role() {
    let kept = Policy { canceled: Rule::Keep, ..Policy::DEFAULT };
    let missing = RoleState { state: State::Unchanged, until: None, reason: Reason::ItemsMissing };
    let some = Items::Some(vec![item(9)]);
    assert_eq!(of("canceled", None, &some, &[by_price(7, kept)], 0), missing);
    assert_eq!(of("active", None, &some, &[by_price(7, Policy::DEFAULT)], 0), missing);
    assert_eq!(of("active", None, &some, &[], 0), missing, "it was mapped once");
    let ended = |reason| RoleState { state: State::Ended, until: None, reason };
    assert_eq!(of("canceled", None, &some, &[], 0), ended(Reason::Status));
    assert_eq!(
        of("active", None, &Items::All(vec![item(9)]), &[by_price(7, kept)], 0),
        ended(Reason::NotSold)
    );
    let unknown = RoleState { state: State::Unchanged, until: None, reason: Reason::UnknownState };
    assert_eq!(of("frozen", None, &Items::All(vec![item(7)]), &[by_price(7, kept)], 0), unknown);
}

#[test]
fn of_a_quantity_of_nothing_the_stricter_of_two_rules_counts() {
    let none = Items::All(vec![Item { quantity: Some(0), ..item(7) }]);
    let by = |quantity_zero: Rule| by_price(7, Policy { quantity_zero, ..Policy::DEFAULT });
    let state = |status: &str, rule: Rule| of(status, None, &none, &[by(rule)], 0).state;
    assert_eq!(state("active", Rule::Remove), State::Ended);
    assert_eq!(state("active", Rule::Keep), State::Due);
    assert_eq!(state("canceled", Rule::Keep), State::Ended);
    // To the end of the paid period, and no longer.
    let status = SubscriptionStatus::Active;
    let paid = Facts { period_end: Some(at(100)), ..facts(&status, &none) };
    let at_time =
        |now: i64| evaluate(&paid, &[by(Rule::KeepToPeriodEnd)], [role(7)], at(now)).roles[&role(7)];
    let due = RoleState { state: State::Due, until: Some(at(100)), reason: Reason::Status };
    assert_eq!(at_time(99), due);
    assert_eq!(at_time(100).state, State::Ended);
    // Some of it beside is enough.
    let both = Items::All(vec![Item { quantity: Some(0), ..item(7) }, item(7)]);
    assert_eq!(of("active", None, &both, &[by(Rule::Remove)], 0).state, State::Due);
}

#[test]
fn evidence_says_why_a_role_ends_though_the_subscription_goes_on() {
    let said = |status: &str, sold: u64, now: i64| {
        let (status, items) = (SubscriptionStatus::parse(status), Items::All(vec![item(sold)]));
        let facts = Facts { unpaid_since: Some(at(0)), ..facts(&status, &items) };
        let evaluation = evaluate(&facts, &[by_price(7, Policy::DEFAULT)], [role(7)], at(now));
        let ended = entitlements(&[(1, 7)]);
        let changes = transitions(&ended, &evaluation, Some(user(1)));
        let text = format!("sub_1 is {}", status.as_str());
        changes.into_iter().map(|change| evaluation.evidence(&text, change)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(said("past_due", 7, 0), "");
    assert_eq!(said("past_due", 7, 14 * 86_400), "sub_1 is past_due, for longer than the role is kept");
    assert_eq!(said("active", 8, 0), "sub_1 is active, without what gives the role");
    assert_eq!(said("canceled", 7, 0), "sub_1 is canceled");
}

use time::macros::datetime;

use super::{lists::HeldBy, *};
use crate::{
    domain::{
        billing::{
            page::{KeptPage, PageUrl, PayPage},
            portal::Portal,
        },
        delivery::refusal::{Closed, Refusal},
        entitlement::{
            mapping::{Mapping, Sold},
            policy::{Policy, Rule},
        },
        roles::{by_hand::Question, enforcement::Enforcement, grant::GrantState},
    },
    ids::{ConnectionId, JobId, RoleId, UserId},
};

const NOW: Timestamp = datetime!(2026-11-28 12:00 UTC);
const BEGAN: Timestamp = datetime!(2026-11-01 08:00 UTC);
const LATER: Timestamp = datetime!(2026-12-10 08:00 UTC);

fn user(id: u64) -> UserId {
    UserId::from_u64(id).unwrap()
}

fn role_id() -> RoleId {
    RoleId::from_u64(11).unwrap()
}

fn connection() -> ConnectionId {
    ConnectionId::from_u64(1).unwrap()
}

/// Member 7 of a server that sells role 11, without anything that is theirs.
fn nothing() -> Facts {
    let sold = Sold::parse("price", "price_1").unwrap();
    Facts {
        member: user(7),
        customers: Vec::new(),
        bought: Vec::new(),
        mappings: vec![Mapping { sold, role: role_id(), policy: Policy::DEFAULT }],
        roles: Vec::new(),
        sources: Vec::new(),
        jobs: Vec::new(),
        history: Vec::new(),
        events: Vec::new(),
        connections: vec![Connection {
            connection_id: connection(),
            is_active: true,
            livemode: false,
            answered_at: Some(BEGAN),
            next_poll_at: Some(LATER),
            failing_since: None,
            portal: Portal::default(),
        }],
        pending_since: None,
        closed: None,
    }
}

fn customer() -> Customer {
    Customer {
        connection_id: connection(),
        customer_id: "cus_1".to_owned(),
        holder: Some(user(7)),
        proof: Some("metadata".to_owned()),
        linked_at: Some(BEGAN),
        named: Some(user(7)),
        read: Read::default(),
    }
}

fn bought(status: &str) -> Bought {
    Bought {
        kind: BoughtKind::Subscription,
        id: "sub_1".to_owned(),
        connection_id: connection(),
        customer_id: Some("cus_1".to_owned()),
        status: status.to_owned(),
        pause_cause: None,
        collection: None,
        collection_resumes_at: None,
        named: None,
        holder: Some(user(7)),
        price_ids: vec!["price_1".to_owned()],
        product_ids: Vec::new(),
        unpaid_since: None,
        ends_at: None,
        paid_at: None,
        trial_began_at: None,
        trial_ends_at: None,
        missing_since: None,
        synced_at: BEGAN,
        refund: None,
        dispute: None,
        is_managed: false,
        page: KeptPage::default(),
        read: Read::default(),
    }
}

fn source(is_live: bool) -> Source {
    Source {
        role_id: role_id(),
        kind: SourceKind::Stripe,
        connection_id: Some(connection()),
        source_id: "sub_1".to_owned(),
        is_live,
        evidence: "sub_1 is so".to_owned(),
        changed_at: BEGAN,
        valid_until: None,
        reason: None,
        given_by: None,
    }
}

fn role() -> Role {
    Role {
        role_id: role_id(),
        enforcement: Some(Enforcement::On),
        danger: None,
        unlisted_at: None,
        probe_at: None,
        code: None,
        grant_state: None,
        confirmed_at: None,
        absent_since: None,
        taken_at: None,
        question: None,
        asked_at: None,
        answered_at: None,
    }
}

fn held() -> Role {
    Role { grant_state: Some(GrantState::Confirmed), confirmed_at: Some(BEGAN), ..role() }
}

fn job(state: &str, outcome: Option<&str>) -> Job {
    Job {
        job_id: JobId::from_u64(1).unwrap(),
        role_id: role_id(),
        action: "grant".to_owned(),
        state: state.to_owned(),
        outcome: outcome.map(str::to_owned),
        created_at: BEGAN,
        due_at: LATER,
        attempts: 0,
        finished_at: (!["pending", "parked", "held"].contains(&state)).then_some(BEGAN),
    }
}

/// They have a subscription, and what came of it.
fn pays(bought: Bought, source: Source, role: Role) -> Facts {
    Facts {
        customers: vec![customer()],
        bought: vec![bought],
        sources: vec![source],
        roles: vec![role],
        ..nothing()
    }
}

/// The one answer, and what helps.
fn answer(facts: &Facts) -> (Answer, Fix) {
    let mut explanation = explain(facts, NOW);
    assert_eq!(explanation.parts.len(), 1, "{explanation:#?}");
    let part = explanation.parts.remove(0);
    (part.answer, part.next.fix)
}

fn why(facts: &Facts) -> Why {
    match answer(facts).0 {
        Answer::Has(Cause::Sources(mut reasons))
        | Answer::WillLose(_, Cause::Sources(mut reasons))
        | Answer::Loses(Cause::Sources(mut reasons))
        | Answer::Lacks(Cause::Sources(mut reasons)) => reasons.remove(0).why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_has_it_has_it_for_what_was_bought_in_its_state() {
    let has = |bought, until| why(&pays(bought, Source { valid_until: until, ..source(true) }, held()));
    assert_eq!(has(bought("active"), None), Why::Active);
    let trial = Bought { trial_ends_at: Some(LATER), ..bought("trialing") };
    assert_eq!(has(trial, None), Why::Trial(Some(LATER)));
    let late = Bought { unpaid_since: Some(BEGAN), ..bought("past_due") };
    let grace = |is_paused| Why::Grace { since: Some(BEGAN), until: Some(LATER), is_paused };
    assert_eq!(has(late.clone(), Some(LATER)), grace(false));
    let pause_cause = Some("first_payment_failure".to_owned());
    assert_eq!(has(Bought { status: "paused".to_owned(), pause_cause, ..late }, Some(LATER)), grace(true));
    let ends = Bought { ends_at: Some(LATER), ..bought("active") };
    assert_eq!(has(ends, None), Why::Ending(LATER));
    let behaviour = "void".to_owned();
    let paused = Bought {
        collection: Some(behaviour.clone()),
        collection_resumes_at: Some(LATER),
        ..bought("active")
    };
    assert_eq!(has(paused, None), Why::CollectionPaused { behaviour, resumes_at: Some(LATER) });
}

#[test]
fn a_role_that_all_that_gives_it_will_end_has_the_latest_end() {
    let late = Bought { unpaid_since: Some(BEGAN), ..bought("past_due") };
    let until = |until| Source { valid_until: Some(until), ..source(true) };
    let mut facts = pays(late, until(LATER), held());
    let by_hand =
        Source { kind: SourceKind::Manual, connection_id: None, ..until(LATER + time::Duration::DAY) };
    facts.sources.push(by_hand.clone());
    assert!(matches!(answer(&facts).0, Answer::WillLose(at, _) if at == LATER + time::Duration::DAY));
    facts.sources[1] = Source { valid_until: None, ..by_hand };
    assert!(matches!(answer(&facts), (Answer::Has(Cause::Sources(each)), Fix::Nothing) if each.len() == 2));
}

#[test]
fn who_lacks_it_lacks_it_for_what_ended_it() {
    let lacks = |bought, evidence: &str| {
        why(&pays(bought, Source { evidence: evidence.to_owned(), ..source(false) }, role()))
    };
    for (status, expected) in [
        ("canceled", Why::Canceled),
        ("unpaid", Why::Unpaid),
        ("incomplete_expired", Why::NotPaid),
        ("invented", Why::Ended),
    ] {
        assert_eq!(lacks(bought(status), "x"), expected, "{status}");
    }
    let paused = Bought { pause_cause: Some("final_payment_failure".to_owned()), ..bought("paused") };
    assert_eq!(lacks(paused, "x"), Why::Paused("final_payment_failure".to_owned()));
    let disputed = |word: &str| Bought { dispute: Some(word.to_owned()), ..bought("active") };
    assert_eq!(lacks(disputed("open"), "x"), Why::Disputed { is_lost: false });
    assert_eq!(lacks(disputed("lost"), "x"), Why::Disputed { is_lost: true });
    let purchase = Bought { kind: BoughtKind::Purchase, refund: Some("full".to_owned()), ..bought("paid") };
    assert_eq!(lacks(purchase, "x"), Why::Refunded);
    let late = Bought { unpaid_since: Some(BEGAN), ..bought("past_due") };
    assert_eq!(lacks(late, "sub_1 is past_due, for longer than the role is kept"), Why::Over(Some(BEGAN)));
    assert_eq!(lacks(bought("active"), "sub_1 is active, without what gives the role"), Why::NotInIt);
    assert_eq!(
        lacks(Bought { named: Some(user(8)), ..bought("active") }, "x"),
        Why::NotTheirs(Some(user(8)))
    );
}

#[test]
fn a_role_that_is_due_and_not_there_has_one_cause_and_what_helps() {
    let due = |role, jobs: Vec<Job>| answer(&Facts { jobs, ..pays(bought("active"), source(true), role) });
    let lacks = |role, jobs, cause, fix| assert_eq!(due(role, jobs), (Answer::Lacks(cause), fix));
    let awaited = job("parked", Some("waits for the member to join"));
    lacks(role(), vec![awaited], Cause::NotInServer, Fix::MemberJoins);
    let refused = Role { probe_at: Some(LATER), code: Some(50013), ..role() };
    lacks(refused, vec![job("parked", None)], Cause::Refused(Some(50013)), Fix::LetManage(Some(50013)));
    let deleted = Role { unlisted_at: Some(NOW), ..held() };
    lacks(deleted, Vec::new(), Cause::RoleDeleted, Fix::MapAnotherRole);
    let taken = Role { taken_at: Some(BEGAN), ..held() };
    lacks(taken, vec![job("noop", None)], Cause::Taken(BEGAN), Fix::GiveBack);
    let observed = Role { enforcement: Some(Enforcement::Observe), ..role() };
    assert_eq!(due(observed, Vec::new()), (Answer::MayHave(Cause::Observed), Fix::Enforce));
    let unseen = Role { enforcement: Some(Enforcement::Unseen), ..role() };
    assert_eq!(due(unseen, Vec::new()), (Answer::MayHave(Cause::Unchecked), Fix::Wait));
    let danger = "it gives Ban Members".to_owned();
    let suspended = Role { danger: Some(danger.clone()), ..role() };
    lacks(suspended, Vec::new(), Cause::Suspended(danger.clone()), Fix::ClearDanger(danger));
    lacks(role(), vec![job("held", None)], Cause::Held, Fix::ReviewHeld);
    let doubted = Role { absent_since: Some(BEGAN), ..held() };
    lacks(doubted, vec![job("parked", None)], Cause::Doubted(BEGAN), Fix::Wait);
    lacks(role(), vec![job("pending", None)], Cause::Waits { attempts: 0, outcome: None }, Fix::Wait);
    let asked = Role { question: Some(Question::Open), ..role() };
    let by_person = Answer::Has(Cause::ByPerson(Some(Question::Open)));
    assert_eq!(due(asked, Vec::new()), (by_person, Fix::AnswerQuestion));
    let left = job("noop", Some("left alone: a person gave this role"));
    assert_eq!(due(role(), vec![left]), (Answer::Has(Cause::ByPerson(None)), Fix::Nothing));
}

#[test]
fn who_has_the_rules_to_accept_is_told_so_beside_the_role() {
    let facts = Facts { pending_since: Some(BEGAN), ..pays(bought("active"), source(true), held()) };
    assert!(matches!(answer(&facts), (Answer::Has(_), Fix::MemberAcceptsRules)));
    let steps = explain(&facts, NOW).parts.remove(0).steps;
    assert_eq!(steps.last(), Some(&Step { at: Some(BEGAN), what: What::Pending }));
}

#[test]
fn a_server_that_discord_refuses_is_the_cause_for_who_waits_and_for_nobody_else() {
    let closed = Closed::Refused(Refusal { code: Some(50001), until: LATER });
    let facts = |role| Facts { closed: Some(closed), ..pays(bought("active"), source(true), role) };
    assert_eq!(answer(&facts(role())), (Answer::Lacks(Cause::ServerClosed(closed)), Fix::InviteBot));
    assert!(matches!(answer(&facts(held())).0, Answer::Has(_)));
}

#[test]
fn what_is_still_to_be_taken_is_not_lacked_yet() {
    let ended = |role, jobs| Facts { jobs, ..pays(bought("canceled"), source(false), role) };
    let going = answer(&ended(held(), vec![job("pending", None)]));
    assert!(matches!(going, (Answer::Loses(Cause::Sources(_)), Fix::Wait)), "{going:?}");
    assert_eq!(answer(&ended(held(), vec![job("held", None)])).0, Answer::Keeps(Cause::Held));
    let observed = Role { enforcement: Some(Enforcement::Observe), ..held() };
    assert_eq!(answer(&ended(observed, Vec::new())).0, Answer::Keeps(Cause::Observed));
    let ending = Role { grant_state: Some(GrantState::Ending), ..role() };
    assert!(matches!(answer(&ended(ending, Vec::new())).0, Answer::Lacks(Cause::Sources(_))));
}

#[test]
fn without_a_role_it_is_said_why_nothing_gives_one() {
    assert_eq!(answer(&nothing()), (Answer::Lacks(Cause::NeverLinked), Fix::LinkCustomer));
    let linked = Facts { customers: vec![customer()], ..nothing() };
    let unheard = Cause::NothingBought { customer: "cus_1".to_owned(), events_read_at: Some(BEGAN) };
    assert_eq!(answer(&linked), (Answer::Lacks(unheard), Fix::Wait));
    let other = Facts { mappings: Vec::new(), bought: vec![bought("active")], ..linked.clone() };
    let prices = vec!["price_1".to_owned()];
    let unmapped = Cause::NotMapped { id: "sub_1".to_owned(), prices: prices.clone() };
    assert_eq!(answer(&other), (Answer::Lacks(unmapped), Fix::MapPrice(prices)));
    let read = Read { is_unread: true, ..Read::default() };
    let unread = Facts { customers: vec![Customer { read, ..customer() }], ..nothing() };
    assert_eq!(answer(&unread).0, Answer::Lacks(Cause::Unread { id: "cus_1".to_owned(), error: None }));
    let mut disconnected = linked.clone();
    disconnected.connections[0].is_active = false;
    let gone = Cause::Disconnected { customer: "cus_1".to_owned(), livemode: false };
    assert_eq!(answer(&disconnected), (Answer::Lacks(gone), Fix::ReconnectAccount));
    let others = Customer { holder: Some(user(8)), ..customer() };
    let conflict = Cause::LinkConflict { customer: "cus_1".to_owned(), holder: user(8), named: user(7) };
    let fix = Fix::CorrectLink { customer: "cus_1".to_owned() };
    assert_eq!(answer(&Facts { customers: vec![others], ..nothing() }), (Answer::Lacks(conflict), fix));
}

#[test]
fn what_no_read_will_end_says_so() {
    let mut facts = pays(bought("active"), source(true), held());
    facts.connections[0].is_active = false;
    let customer = Some("cus_1".to_owned());
    assert_eq!(why(&facts), Why::Disconnected { livemode: false, customer: customer.clone() });
    assert_eq!(answer(&facts).1, Fix::EndUnbacked { customer: "cus_1".to_owned() });
    let missing = Bought { missing_since: Some(LATER), ..bought("active") };
    assert_eq!(why(&pays(missing, source(true), held())), Why::Missing { since: LATER, customer });
}

#[test]
fn the_chain_goes_from_the_link_over_event_read_and_rule_to_discords_answer() {
    let mut facts = pays(bought("active"), source(true), held());
    facts.jobs = vec![job("applied", Some("granted"))];
    facts.history = vec![Entry {
        at: BEGAN,
        actor: "stripe".to_owned(),
        action: "access.began".to_owned(),
        role_id: Some(role_id()),
        cause: "sub_1 is so (evt_1)".to_owned(),
    }];
    facts.events = vec![Event {
        event_id: "evt_1".to_owned(),
        kind: "customer.subscription.created".to_owned(),
        created: Some(BEGAN),
        received_at: LATER,
    }];
    let steps = explain(&facts, NOW).parts.remove(0).steps;
    let kinds: Vec<String> = steps.iter().map(|step| format!("{:?}", step.what)).collect();
    let began = |kind: &str| kinds.iter().position(|said| said.starts_with(kind));
    let order: Vec<_> =
        ["Linked", "Heard", "Read", "Rule", "Source", "Desired(true)", "Job", "Answered(Gave)"]
            .map(began)
            .into();
    assert_eq!(order, (0..8).map(Some).collect::<Vec<_>>(), "{kinds:#?}");
    assert!(matches!(steps[1].what, What::Heard { received_at, .. } if received_at == LATER), "it came late");
    assert!(matches!(steps[3].what, What::Rule { state: "active", rule: Rule::Keep, .. }));
}

/// What a list of who pays without a role says of them: role, and by what they pay.
fn lacks(facts: &Facts) -> Vec<(Option<RoleId>, String)> {
    let lines = lists::lacking(facts, &explain(facts, NOW));
    lines.into_iter().map(|line| (line.role, line.paid_by.join(" "))).collect()
}

#[test]
fn who_pays_and_lacks_the_role_is_listed_with_what_they_pay_by() {
    let line = |role| vec![(role, "sub_1".to_owned())];
    let due = |role| pays(bought("active"), source(true), role);
    assert_eq!(lacks(&due(role())), line(Some(role_id())));
    assert_eq!(lacks(&due(held())), Vec::new());
    let observed = Role { enforcement: Some(Enforcement::Observe), ..role() };
    assert_eq!(lacks(&due(observed)), line(Some(role_id())), "nobody knows whether they have it");
    let asked = Role { question: Some(Question::Open), ..role() };
    assert_eq!(lacks(&due(asked)), Vec::new(), "a person gave it");
    let given = Source { kind: SourceKind::Manual, connection_id: None, ..source(true) };
    assert_eq!(lacks(&pays(bought("canceled"), given, role())), Vec::new(), "they do not pay");
    let late = Bought { unpaid_since: Some(BEGAN), ..bought("past_due") };
    assert_eq!(lacks(&pays(late, source(true), role())), line(Some(role_id())));
    let mut gone = due(role());
    gone.connections[0].is_active = false;
    assert_eq!(lacks(&gone), Vec::new(), "it does not count as paying");
    let missing = Bought { missing_since: Some(BEGAN), ..bought("active") };
    assert_eq!(lacks(&pays(missing, source(true), role())), Vec::new());
}

#[test]
fn who_pays_and_is_due_nothing_is_listed_only_if_it_is_paid_for() {
    let line = vec![(None, "sub_1".to_owned())];
    let unmapped = |bought| Facts {
        mappings: Vec::new(),
        bought: vec![bought],
        customers: vec![customer()],
        ..nothing()
    };
    assert_eq!(lacks(&unmapped(bought("active"))), line);
    assert_eq!(lacks(&unmapped(bought("trialing"))), line);
    let purchase = |refund: Option<&str>| Bought {
        kind: BoughtKind::Purchase,
        refund: refund.map(str::to_owned),
        ..bought("paid")
    };
    assert_eq!(lacks(&unmapped(purchase(None))), line);
    assert_eq!(lacks(&unmapped(purchase(Some("partial")))), line);
    for not in [
        bought("past_due"),
        bought("unpaid"),
        bought("incomplete"),
        bought("canceled"),
        purchase(Some("full")),
        Bought { dispute: Some("open".to_owned()), ..bought("active") },
        Bought { missing_since: Some(BEGAN), ..bought("active") },
        Bought { named: Some(user(8)), ..bought("active") },
    ] {
        assert_eq!(lacks(&unmapped(not.clone())), Vec::new(), "{not:?}");
    }
    let mut gone = unmapped(bought("active"));
    gone.connections[0].is_active = false;
    assert_eq!(lacks(&gone), Vec::new(), "the account is not connected");
    // Something else gives them a role.
    let given =
        Source { kind: SourceKind::Manual, connection_id: None, source_id: "7".to_owned(), ..source(true) };
    let facts = Facts { sources: vec![given], roles: vec![held()], ..unmapped(bought("active")) };
    assert_eq!(lacks(&facts), Vec::new());
}

#[test]
fn what_a_rule_gives_nothing_for_is_listed_once_and_not_what_nobody_pays_for() {
    let ended = |evidence: &str| Source { evidence: evidence.to_owned(), ..source(false) };
    let of_role = vec![(Some(role_id()), "sub_1".to_owned())];
    assert_eq!(lacks(&pays(bought("trialing"), ended("sub_1 is trialing"), role())), of_role);
    let young = ended("sub_1 is active, not for long enough");
    assert_eq!(lacks(&pays(bought("active"), young, role())), of_role);
    let over = ended("sub_1 is past_due, for longer than the role is kept");
    assert_eq!(lacks(&pays(bought("past_due"), over, role())), Vec::new());
    assert_eq!(
        lacks(&pays(bought("active"), ended("sub_1 is active"), held())),
        Vec::new(),
        "it is being taken"
    );
    // Said of the role, and of none.
    let read = Read { is_unread: true, ..Read::default() };
    let unread =
        Facts { sources: Vec::new(), ..pays(Bought { read, ..bought("active") }, source(false), role()) };
    assert_eq!(explain(&unread, NOW).parts.len(), 2);
    assert_eq!(lacks(&unread), of_role);
}

#[test]
fn who_has_a_role_has_it_for_all_its_reasons_in_order() {
    let held_by = |facts: &Facts| {
        let mut lines = lists::holdings(facts, &explain(facts, NOW));
        assert!(lines.len() <= 1, "{lines:?}");
        lines.pop().map(|line| line.by)
    };
    let mut facts = pays(bought("active"), source(true), held());
    assert_eq!(held_by(&facts), Some(vec![HeldBy::Paying]));
    let given =
        Source { kind: SourceKind::Manual, connection_id: None, given_by: Some(user(9)), ..source(true) };
    let given = Source { reason: Some("raffle".to_owned()), source_id: "7".to_owned(), ..given };
    facts.sources =
        vec![given.clone(), source(true), Source { kind: SourceKind::Import, ..given.clone() }, given];
    let all = vec![HeldBy::Paying, HeldBy::ByHand(Some(user(9))), HeldBy::Import];
    assert_eq!(held_by(&facts), Some(all), "each is said once");
    assert_eq!(lists::holdings(&facts, &explain(&facts, NOW))[0].reason.as_deref(), Some("raffle"));
    assert_eq!(held_by(&pays(bought("active"), source(true), role())), None, "it is not there");
    let late = Bought { unpaid_since: Some(BEGAN), ..bought("past_due") };
    let facts = pays(late, Source { valid_until: Some(LATER), ..source(true) }, held());
    assert_eq!(held_by(&facts), Some(vec![HeldBy::Grace]));
    assert_eq!(lists::holdings(&facts, &explain(&facts, NOW))[0].until, Some(LATER));
    let ended = |jobs| Facts { jobs, ..pays(bought("canceled"), source(false), held()) };
    assert_eq!(held_by(&ended(vec![job("pending", None)])), Some(vec![HeldBy::Leaving]));
    assert_eq!(held_by(&ended(vec![job("held", None)])), Some(vec![HeldBy::Kept(Cause::Held)]));
    let asked = Role { question: Some(Question::Keep), ..role() };
    assert_eq!(held_by(&pays(bought("active"), source(true), asked)), Some(vec![HeldBy::Person]));
}

/// Of a subscription with an open invoice whose page was read then, and what is said helps.
fn fix_of(bought: Bought, is_live: bool, read_at: Timestamp) -> Fix {
    let page = KeptPage::new(Some(INVOICE), Some(read_at));
    let facts = Facts {
        customers: vec![customer()],
        bought: vec![Bought { page, ..bought }],
        sources: vec![source(is_live)],
        roles: vec![Role { grant_state: is_live.then_some(GrantState::Confirmed), ..role() }],
        ..nothing()
    };
    explain(&facts, NOW).parts.remove(0).next.fix
}

const INVOICE: &str = "https://invoice.stripe.com/i/acct_1/test_YWNj?s=ap";

#[test]
fn who_has_to_pay_is_sent_to_the_page_of_the_open_invoice() {
    let works = Some(PayPage::Works(PageUrl::parse(INVOICE).unwrap()));
    let pause_cause = |cause: &str| Some(cause.to_owned());
    let paused = |cause: &str| Bought { pause_cause: pause_cause(cause), ..bought("paused") };
    let pays = Fix::MemberPays(works);
    for (bought, is_live, expected) in [
        (bought("past_due"), true, pays.clone()),
        (paused("first_payment_failure"), true, pays.clone()),
        (paused("final_payment_failure"), false, pays.clone()),
        (bought("unpaid"), false, pays.clone()),
        (bought("incomplete"), false, pays),
        (paused("pause_requested"), false, Fix::Resume),
        (bought("canceled"), false, Fix::BuyAgain),
        // An invoice that is sent, and not due yet.
        (bought("active"), true, Fix::Nothing),
        (Bought { missing_since: Some(BEGAN), ..bought("unpaid") }, false, Fix::MemberPays(None)),
    ] {
        assert_eq!(fix_of(bought.clone(), is_live, NOW), expected, "{bought:?}");
    }
    assert_eq!(fix_of(bought("past_due"), true, BEGAN), Fix::MemberPays(Some(PayPage::TooOld)));
}

use time::macros::datetime;

use super::*;
use crate::{
    domain::{
        delivery::refusal::{Closed, Refusal},
        notices::NoticeKind,
    },
    ids::{JobId, RoleId},
    views::terminal,
};

const NOW: Timestamp = datetime!(2026-11-27 12:00 UTC);

fn role(id: u64) -> RoleId {
    RoleId::from_u64(id).unwrap()
}

fn user(id: u64) -> UserId {
    UserId::from_u64(id).unwrap()
}

fn said(report: &MemberReport) -> String {
    terminal::render(&document(GuildId::from_u64(1).unwrap(), user(7), report, NOW))
}

fn nothing() -> MemberReport {
    MemberReport {
        customers: Vec::new(),
        subscriptions: Vec::new(),
        for_others: Vec::new(),
        trials: Vec::new(),
        sources: Vec::new(),
        held: Vec::new(),
        by_hand: Vec::new(),
        closed: None,
        deleted: Vec::new(),
        jobs: Vec::new(),
        notices: Vec::new(),
        history: Vec::new(),
    }
}

fn source(id: u64) -> Source {
    Source {
        role_id: role(id),
        source_id: "sub_1".to_owned(),
        reason: None,
        given_until: None,
        state: "live".to_owned(),
        evidence: "sub_1 is active".to_owned(),
        changed_at: datetime!(2026-11-01 08:00 UTC),
        enforcement: Some(Enforcement::On),
        danger: None,
        customer_id: Some("cus_1".to_owned()),
        is_active: true,
        livemode: false,
        missing_since: None,
    }
}

fn held(id: u64, state: GrantState) -> Held {
    let confirmed_at = Some(datetime!(2026-11-01 08:00:05 UTC));
    Held { role_id: role(id), state, confirmed_at, absent_since: None, taken_at: None }
}

fn job(id: u64) -> OpenJob {
    OpenJob {
        job_id: JobId::from_u64(1).unwrap(),
        role_id: role(id),
        action: "grant".to_owned(),
        state: "pending".to_owned(),
        outcome: None,
        due_at: datetime!(2026-11-27 11:59 UTC),
        attempts: 0,
        probe_at: None,
        code: None,
    }
}

#[test]
fn nothing_is_known_of_a_member() {
    insta::assert_snapshot!(said(&nothing()), @r"
    Member 7 of server 1

    Stripe customers that are this member
      none: link one with `nexrole link add`, or by metadata at Stripe

    Reasons for a role
      none: nothing was given to this member, and nothing they pay for is mapped to a role

    Roles that Discord holds because of us
      none

    Role changes that wait
      none

    What happened, newest first
      nothing yet
    ");
}

#[test]
fn whose_a_customer_and_a_subscription_are() {
    let customer = |id: &str, holder, named| Customer {
        customer_id: id.to_owned(),
        holder: user(holder),
        named: Some(user(named)),
    };
    let report = MemberReport {
        customers: vec![customer("cus_1", 7, 7), customer("5 $ + VAT", 7, 8)],
        subscriptions: vec![("sub_1".to_owned(), "cus_3".to_owned())],
        for_others: vec![("sub_2".to_owned(), "cus_1".to_owned(), user(9))],
        ..nothing()
    };
    let said = said(&report);
    let (whose, _) = said.split_once("\n\nReasons").unwrap();
    insta::assert_snapshot!(whose, @r"
    Member 7 of server 1

    Stripe customers that are this member
      cus_1
      5 $ + VAT  is linked to 7, but its metadata at Stripe names 8. If the metadata is right: `nexrole link remove --guild 1 --customer '5 $ + VAT'`; otherwise correct it at Stripe

    Subscriptions whose own metadata names this member
      sub_1 of cus_3

    Subscriptions of theirs that are for others
      sub_2 of cus_1  is 9's: its own metadata at Stripe names them, and counts first
    ");
}

#[test]
fn a_trial_that_is_not_the_first_is_said_and_one_alone_is_not() {
    let trial = |id: &str, began_at, ends_at| Trial { subscription_id: id.to_owned(), began_at, ends_at };
    let first = trial("sub_1", datetime!(2026-03-01 08:00 UTC), Some(datetime!(2026-03-15 08:00 UTC)));
    let second = trial("sub_2", datetime!(2026-11-20 08:00 UTC), None);
    assert!(!said(&MemberReport { trials: vec![first.clone()], ..nothing() }).contains("rial"));
    let said = said(&MemberReport { trials: vec![first, second], ..nothing() });
    let trials = said.split("\n\n").find(|section| section.starts_with("Trials")).unwrap();
    insta::assert_snapshot!(trials, @r"
    Trials: more than one
      sub_1, since 2026-03-01 08:00:00 UTC  (to 2026-03-15 08:00:00 UTC)
      sub_2, since 2026-11-20 08:00:00 UTC, is not their first
    ");
}

#[test]
fn each_reason_for_a_role_says_why_it_has_no_effect_or_no_end() {
    let report = MemberReport {
        deleted: vec![role(16)],
        sources: vec![
            source(11),
            Source { enforcement: Some(Enforcement::Unseen), ..source(12) },
            Source { enforcement: Some(Enforcement::Observe), ..source(13) },
            Source { enforcement: None, state: "ended".to_owned(), is_active: false, ..source(14) },
            Source { danger: Some("it gives Ban Members".to_owned()), ..source(15) },
            Source { danger: Some("it gives Ban Members".to_owned()), ..source(16) },
            Source { missing_since: Some(datetime!(2026-11-20 09:00 UTC)), ..source(17) },
            Source { enforcement: Some(Enforcement::Observe), is_active: false, ..source(18) },
        ],
        ..nothing()
    };
    let said = said(&report);
    let reasons = said.split("\n\n").find(|section| section.starts_with("Reasons")).unwrap();
    insta::assert_snapshot!(reasons, @r"
    Reasons for a role
      role 11  live  sub_1 is active since 2026-11-01 08:00:00 UTC
      role 12  live  sub_1 is active since 2026-11-01 08:00:00 UTC  (waits for the bot to check who holds the role)
      role 13  live  sub_1 is active since 2026-11-01 08:00:00 UTC  (the role is only observed: see `nexrole map preview`)
      role 14  ended  sub_1 is active since 2026-11-01 08:00:00 UTC  (the role is not mapped)
      role 15  live  sub_1 is active since 2026-11-01 08:00:00 UTC  (the role is suspended: it gives Ban Members; `nexrole map list` says what to do)
      role 16  live  sub_1 is active since 2026-11-01 08:00:00 UTC  (the role was deleted in Discord: `nexrole map list` says what to do)
      role 17  live  sub_1 is active since 2026-11-01 08:00:00 UTC  (the Stripe account that is connected has no such subscription since 2026-11-20 09:00:00 UTC: it does not count as paying, and does not end by itself; `nexrole link remove --guild 1 --customer cus_1` ends it)
      role 18  live  sub_1 is active since 2026-11-01 08:00:00 UTC  (the role is only observed: see `nexrole map preview`)  (bought in test mode on a Stripe connection that is not connected any more: it does not count as paying, and does not end by itself; `nexrole link remove --guild 1 --customer cus_1` ends it)
    ");
}

#[test]
fn how_far_each_role_is_and_what_waits() {
    let at = datetime!(2026-11-27 11:00 UTC);
    let probe_at = Some(datetime!(2026-11-27 13:00 UTC));
    let report = MemberReport {
        deleted: vec![role(16)],
        held: vec![
            held(11, GrantState::Intended),
            held(12, GrantState::Confirmed),
            Held { absent_since: Some(at), ..held(13, GrantState::Confirmed) },
            held(14, GrantState::Ending),
            Held { taken_at: Some(at), ..held(15, GrantState::Confirmed) },
            held(16, GrantState::Confirmed),
        ],
        jobs: vec![
            job(11),
            OpenJob { probe_at, code: Some(60003), ..job(12) },
            OpenJob { outcome: Some("forbidden (50013)".to_owned()), state: "parked".to_owned(), ..job(13) },
        ],
        history: vec![
            Event {
                at,
                actor: "bot".to_owned(),
                action: "role_granted".to_owned(),
                role_id: Some(role(12)),
                cause: "sub_1 is active".to_owned(),
            },
            Event {
                at,
                actor: "operator".to_owned(),
                action: "linked".to_owned(),
                role_id: None,
                cause: "cus_1".to_owned(),
            },
        ],
        ..nothing()
    };
    let said = said(&report);
    let (_, roles) = said.split_once("mapped to a role\n\n").unwrap();
    insta::assert_snapshot!(roles, @r"
    Roles that Discord holds because of us
      role 11  being given
      role 12  confirmed by Discord 2026-11-01 08:00:05 UTC
      role 13  confirmed by Discord 2026-11-01 08:00:05 UTC; not there, said Discord 2026-11-27 11:00:00 UTC: it is asked once more
      role 14  taken; checked once more, to see that it stays away
      role 15  taken from them at Discord, not by us; seen 2026-11-27 11:00:00 UTC
      role 16  was deleted in Discord: nobody has it any more

    Role changes that wait
      grant role 11  pending  due since 2026-11-27 11:59:00 UTC, when the bot runs and has done what is before it  not tried yet
      grant role 12  pending  next try 2026-11-27 13:00:00 UTC  Discord wants two-factor authentication of this server's moderators (code 60003): the owner of the bot's application turns it on for their own account
      grant role 13  parked  due since 2026-11-27 11:59:00 UTC, when the bot runs and has done what is before it  forbidden (50013)

    What happened, newest first
      2026-11-27 11:00:00 UTC  role_granted   role 12  by bot: sub_1 is active
      2026-11-27 11:00:00 UTC  linked          by operator: cus_1
    ");
}

#[test]
fn what_they_were_told_of_a_payment_that_failed() {
    let at = |day| Some(datetime!(2026-11-01 8:00 UTC).replace_day(day).unwrap());
    let notice = |kind, state| Notice {
        source_id: "sub_1".to_owned(),
        kind,
        state,
        next_at: None,
        sent_at: None,
        outcome: Some("the member takes no messages from the bot (code 50007)".to_owned()),
    };
    let notices = vec![
        Notice { sent_at: at(1), outcome: None, ..notice(NoticeKind::Began, NoticeState::Sent) },
        Notice {
            sent_at: at(8),
            outcome: Some("Discord never answered whether it has taken it".to_owned()),
            ..notice(NoticeKind::Halfway, NoticeState::Unsure)
        },
        Notice { next_at: at(14), outcome: None, ..notice(NoticeKind::LastDay, NoticeState::Pending) },
        Notice {
            next_at: at(15),
            outcome: Some("Discord answered with status 503".to_owned()),
            ..notice(NoticeKind::Ended, NoticeState::Pending)
        },
        notice(NoticeKind::Restored, NoticeState::Undeliverable),
    ];
    let said = said(&MemberReport { notices, ..nothing() });
    let told = said.split("\n\n").find(|section| section.starts_with("What they were told")).unwrap();
    insta::assert_snapshot!(told, @r"
    What they were told of payments that failed
      sub_1  began  told 2026-11-01 08:00:00 UTC
      sub_1  halfway  perhaps told 2026-11-08 08:00:00 UTC: Discord never answered whether it has taken it
      sub_1  last_day  due 2026-11-14 08:00:00 UTC
      sub_1  ended  next try 2026-11-15 08:00:00 UTC: Discord answered with status 503
      sub_1  restored  not told: the member takes no messages from the bot (code 50007)
    ");
}

#[test]
fn what_holds_up_the_whole_server_is_said_with_what_waits_and_without() {
    let until = datetime!(2026-11-27 14:00 UTC);
    let waits = |closed, jobs| {
        let said = said(&MemberReport { closed: Some(closed), jobs, ..nothing() });
        said.split("\n\n").find(|section| section.starts_with("Role changes")).unwrap().to_owned()
    };
    let refused = Closed::Refused(Refusal { code: Some(50001), until });
    insta::assert_snapshot!(waits(refused, vec![job(11)]), @r"
    Role changes that wait
      Discord says that the bot has no access to this server (code 50001): tried again 2026-11-27 14:00:00 UTC, or when the bot is invited
      grant role 11  pending  next try 2026-11-27 14:00:00 UTC  not tried yet
    ");
    insta::assert_snapshot!(waits(Closed::ToldToWait(until), Vec::new()), @r"
    Role changes that wait
      Discord told the bot to wait with calls for this server: the next one 2026-11-27 14:00:00 UTC
      none
    ");
}

#[test]
fn what_was_given_says_why_and_when_it_ends() {
    let given = |state: &str, evidence: &str| Source {
        source_id: "owner".to_owned(),
        reason: Some("won the raffle".to_owned()),
        given_until: Some(datetime!(2027-01-01 0:00 UTC)),
        state: state.to_owned(),
        evidence: evidence.to_owned(),
        customer_id: None,
        ..source(10)
    };
    let endless = Source { given_until: None, ..given("live", "given by hand") };
    let over = given("ended", "its time is over");
    let sources = vec![given("live", "given by hand"), endless, over];
    let said = said(&MemberReport { sources, ..nothing() });
    let lines: Vec<_> = said.lines().filter(|line| line.contains("role 10")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
      role 10  live  given by hand since 2026-11-01 08:00:00 UTC  (the reason: won the raffle)  (ends by itself 2027-01-01 00:00:00 UTC)
      role 10  live  given by hand since 2026-11-01 08:00:00 UTC  (the reason: won the raffle)
      role 10  ended  its time is over since 2026-11-01 08:00:00 UTC  (the reason: won the raffle)
    ");
}

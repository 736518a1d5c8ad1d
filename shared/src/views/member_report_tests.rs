use time::macros::datetime;

use super::*;
use crate::{
    domain::{
        delivery::refusal::{Closed, Refusal},
        entitlement::policy::Rule,
        explain::{Answer, Answered, Cause, Explained, Explanation, Fix, Next, Reason, Step, What, Why},
        notices::NoticeKind,
    },
    ids::{JobId, RoleId, UserId},
    store::why::MemberReport,
    views::terminal,
};

const NOW: Timestamp = datetime!(2026-11-27 12:00 UTC);

fn user(id: u64) -> UserId {
    UserId::from_u64(id).unwrap()
}

fn explained(parts: Vec<Explained>, notices: Vec<Notice>) -> MemberExplained {
    let facts = Facts {
        member: user(7),
        customers: Vec::new(),
        bought: Vec::new(),
        mappings: Vec::new(),
        roles: Vec::new(),
        sources: Vec::new(),
        jobs: Vec::new(),
        history: Vec::new(),
        events: Vec::new(),
        connections: Vec::new(),
        pending_since: None,
        closed: None,
    };
    MemberExplained { explanation: Explanation { parts }, report: MemberReport { facts, notices } }
}

fn said(explained: &MemberExplained) -> String {
    terminal::render(&document(GuildId::from_u64(1).unwrap(), explained, NOW))
}

fn part(role: Option<u64>, answer: Answer, fix: Fix) -> Explained {
    let role = role.and_then(RoleId::from_u64);
    Explained { role, answer, steps: Vec::new(), next: Next { at: None, fix } }
}

#[test]
fn a_role_is_a_sentence_with_the_chain_below_it() {
    let at = |hour| Some(datetime!(2026-11-01 0:00 UTC).replace_hour(hour).unwrap());
    let step = |at, what| Step { at, what };
    let evidence = "sub_1 is past_due".to_owned();
    let why = Why::Grace { since: at(8), until: at(9), is_paused: false };
    let reason = Reason { source: "sub_1".to_owned(), why, evidence: evidence.clone(), pay_page: None };
    let end = datetime!(2026-12-01 9:00 UTC);
    let chain = Explained {
        steps: vec![
            step(at(1), What::Linked { customer: "cus_1".to_owned(), proof: "metadata".to_owned() }),
            step(at(2), What::First { cause: "sub_1 is active".to_owned() }),
            step(
                at(3),
                What::Heard {
                    event: "evt_1".to_owned(),
                    kind: "invoice.payment_failed".to_owned(),
                    received_at: at(4).unwrap(),
                },
            ),
            step(
                at(5),
                What::Read {
                    id: "sub_1".to_owned(),
                    customer: Some("cus_1".to_owned()),
                    status: "past_due".to_owned(),
                },
            ),
            step(
                None,
                What::Rule { sold: "price price_1".to_owned(), state: "past_due", rule: Rule::KeepDays(14) },
            ),
            step(at(6), What::Source { is_live: true, evidence, reason: None, until: Some(end) }),
            step(None, What::Desired(true)),
            step(
                at(7),
                What::Job {
                    id: JobId::from_u64(3).unwrap(),
                    action: "grant".to_owned(),
                    state: "pending".to_owned(),
                    outcome: None,
                    tried_at: Some(NOW),
                },
            ),
            step(at(8), What::Answered(Answered::Gave)),
        ],
        next: Next { at: Some(end), fix: Fix::MemberPays(None) },
        ..part(Some(11), Answer::WillLose(end, Cause::Sources(vec![reason])), Fix::Nothing)
    };
    insta::assert_snapshot!(said(&explained(vec![chain], Vec::new())), @r"
    Member 7 of server 1

    Role 11: will lose it on 2026-12-01 09:00:00 UTC because a payment of sub_1 failed and is waited for, since 2026-11-01 08:00:00 UTC
      2026-11-01 01:00:00 UTC  customer cus_1 became theirs by its metadata at Stripe
      2026-11-01 02:00:00 UTC  first known: sub_1 is active
      2026-11-01 03:00:00 UTC  Stripe said invoice.payment_failed (evt_1); it came 2026-11-01 04:00:00 UTC
      2026-11-01 05:00:00 UTC  sub_1 of cus_1 was read from Stripe: past_due
      price price_1, as mapped: past_due=14d
      2026-11-01 06:00:00 UTC  a reason to have it: sub_1 is past_due  (ends by itself 2026-12-01 09:00:00 UTC)
      so it is to be there
      2026-11-01 07:00:00 UTC  job 3, grant: pending, not tried yet  (due since 2026-11-27 12:00:00 UTC, when the bot runs and has done what is before it)
      2026-11-01 08:00:00 UTC  given, and Discord confirmed that
      Next, 2026-12-01 09:00:00 UTC: the member pays what is open at Stripe

    What happened, newest first
      nothing yet
    ");
}

#[test]
fn what_is_lacked_says_why_and_what_helps() {
    let parts = vec![
        part(Some(11), Answer::Lacks(Cause::NotInServer), Fix::MemberJoins),
        part(Some(12), Answer::Lacks(Cause::Refused(Some(50013))), Fix::LetManage(Some(50013))),
        part(Some(13), Answer::Lacks(Cause::Taken(NOW)), Fix::GiveBack),
        part(Some(14), Answer::MayHave(Cause::Observed), Fix::Enforce),
        part(Some(15), Answer::Keeps(Cause::Held), Fix::ReviewHeld),
        part(
            None,
            Answer::Lacks(Cause::NotMapped { id: "sub_1".to_owned(), prices: vec!["price_1".to_owned()] }),
            Fix::MapPrice(vec!["price_1".to_owned()]),
        ),
    ];
    insta::assert_snapshot!(said(&explained(parts, Vec::new())), @r"
    Member 7 of server 1

    Role 11: lacks it because the member is not in the server
      Next: the member joins the server, and is given it then; who cannot may be banned, of which Discord tells only bots that may see bans, and Nexrole asks for no such right (Server Settings, Bans)

    Role 12: lacks it because Discord does not let the bot manage it (code 50013): it needs Manage Roles, and the role must be below its own
      Next: that is put right in Discord (Server Settings, Roles), and it is tried again by itself

    Role 13: lacks it because somebody took it from them at Discord, not Nexrole; that was seen 2026-11-27 12:00:00 UTC
      Next: `nexrole give-back --guild 1 --member 7 --role 13`, if it is to be theirs

    Role 14: may have it or not: the role is only observed: nothing is given and nothing is taken
      Next: `nexrole map preview --guild 1 --role 14` shows what would change, and `nexrole map enforce --guild 1 --role 14` turns it on

    Role 15: keeps it, though nothing gives it any more, because taking it is held until the owner agrees: so many within a day may be a mistake
      Next: the owner corrects the mistake, or answers: approve: `nexrole held approve --guild 1 --role 15 --member 7`; or `discard`; `nexrole held` shows all

    Also: sub_1 is of price_1, which is mapped to no role
      Next: `nexrole map add --guild 1 --role … --price …` maps price_1

    What happened, newest first
      nothing yet
    ");
    let alone = part(None, Answer::Lacks(Cause::NeverLinked), Fix::LinkCustomer);
    let mut alone = explained(vec![alone], Vec::new());
    let refusal = Refusal { code: Some(50001), until: NOW };
    alone.report.facts.closed = Some(Closed::Refused(refusal));
    insta::assert_snapshot!(said(&alone), @r"
    Member 7 of server 1
    Discord says that the bot has no access to this server (code 50001): tried again 2026-11-27 12:00:00 UTC, or when the bot is invited

    No role, because no Stripe customer is linked to this member, and nothing was given to them
      Next: `nexrole link add --guild 1 --user 7 --customer cus_…` links a customer, as does metadata at Stripe; `nexrole grant` gives a role by hand

    What happened, newest first
      nothing yet
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
    let said = said(&explained(Vec::new(), notices));
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

//! What an operator reads of what failed, and of having it tried again.

use time::macros::datetime;

use super::*;
use crate::{
    domain::{notices::NoticeKind, stripe_object::ObjectKind},
    ids::{NoticeId, UserId},
    store::stripe_connections::Listed,
    views::terminal,
};

const SINCE: Timestamp = datetime!(2026-11-27 08:00 UTC);
const NEXT: Timestamp = datetime!(2026-11-28 08:05 UTC);

fn guild() -> GuildId {
    GuildId::from_u64(1).unwrap()
}

fn connection() -> ConnectionId {
    ConnectionId::from_u64(3).unwrap()
}

fn read(id: &str, member: Option<u64>) -> FailedRead {
    FailedRead {
        connection_id: connection(),
        object_kind: ObjectKind::Subscription,
        object_id: id.to_owned(),
        member: member.and_then(UserId::from_u64),
        since: Some(SINCE),
        attempts: 12,
        is_missing: false,
        error: Some("Stripe did not answer: status 500".to_owned()),
        next_at: Some(NEXT),
    }
}

fn job(user: u64, error: &str, next_at: Option<Timestamp>) -> FailedJob {
    FailedJob {
        role_id: RoleId::from_u64(5).unwrap(),
        user_id: UserId::from_u64(user).unwrap(),
        since: SINCE,
        attempts: 3,
        error: error.to_owned(),
        next_at,
    }
}

fn notice(state: NoticeState, may_be_sent: bool) -> FailedNotice {
    FailedNotice {
        notice_id: NoticeId::from_u64(7).unwrap(),
        user_id: UserId::from_u64(8).unwrap(),
        source_id: "sub_8".to_owned(),
        kind: NoticeKind::Began,
        state,
        due_at: SINCE,
        attempts: 0,
        error: Some("the member takes no messages from the bot (code 50007)".to_owned()),
        next_at: None,
        may_be_sent,
    }
}

fn failed() -> Failed {
    let listed = Listed {
        guild_id: guild(),
        connection_id: connection(),
        label: "main".to_owned(),
        livemode: true,
        endpoint_id: "e1".to_owned(),
        state: "active".to_owned(),
    };
    Failed { connections: vec![listed], ..Failed::default() }
}

#[test]
fn what_fails_alike_stands_together_with_whose_it_is_and_what_helps() {
    let gone = FailedRead {
        since: None,
        is_missing: true,
        error: Some("Stripe has no such object in this account".to_owned()),
        ..read("sub_9", None)
    };
    let given_up = FailedRead { error: None, next_at: None, attempts: 0, since: Some(SINCE), ..gone.clone() };
    let list = FailedList {
        connection_id: connection(),
        what: FailedListKind::Events,
        since: SINCE,
        error: "Stripe did not answer: status 500".to_owned(),
        next_at: NEXT,
    };
    let event = LostEvent {
        connection_id: connection(),
        event_id: "evt_1".parse().unwrap(),
        kind: "customer.subscription.updated".to_owned(),
        object_id: "sub_4".to_owned(),
        object_kind: Some(ObjectKind::Subscription),
        received_at: SINCE,
    };
    let refused = "parked: Discord does not let the bot manage this role";
    let all = Failed {
        lists: vec![list],
        reads: vec![read("sub_1", Some(11)), read("sub_2", None), gone, given_up],
        events: vec![event],
        jobs: vec![
            job(21, refused, Some(NEXT)),
            job(22, refused, Some(NEXT)),
            job(23, "failed: the role was deleted", None),
        ],
        notices: vec![notice(NoticeState::Undeliverable, true), notice(NoticeState::Unsure, false)],
        ..failed()
    };
    insta::assert_snapshot!(terminal::render(&document(guild(), &all)), @r"
    events-3: Stripe's list of events cannot be read (main)
      since 2026-11-27 08:00:00 UTC  (next 2026-11-28 08:05:00 UTC)
      Stripe did not answer: status 500
      Nobody loses a role by that. `nexrole doctor` says whether Stripe answers, and whether the key may read it.

    2 object(s) cannot be read from Stripe (main)
      since 2026-11-27 08:00:00 UTC  (tried 12 time(s))  (next 2026-11-28 08:05:00 UTC)
      Stripe did not answer: status 500
      Nobody loses a role by that. `nexrole doctor` says whether Stripe answers, and whether the key may read it.
          sub_1 of member 11
          sub_2

    1 object(s) cannot be read from Stripe (main)
      Stripe answers, but not with what is asked for  (tried 12 time(s))  (next 2026-11-28 08:05:00 UTC)
      Stripe has no such object in this account
      Is the key that of this account, and of this mode? `nexrole doctor` says so. Of an event that was sent for a test nothing follows. Nobody loses a role by that.
          sub_9

    1 object(s) cannot be read from Stripe (main)
      since 2026-11-27 08:00:00 UTC  (not tried any more)
      They still give a role. If they were of another account: `nexrole link remove` ends what they give; nothing else does.
          sub_9

    evt_1 (customer.subscription.updated): no read will answer it, about sub_4
      since 2026-11-27 08:00:00 UTC  (not tried any more)
      That is a mistake of Nexrole's: have it tried again, and report it, please.

    role-5: role 5 cannot be given or taken as it is to be, of 2 member(s)
      since 2026-11-27 08:00:00 UTC  (tried 3 time(s))  (next 2026-11-28 08:05:00 UTC)
      parked: Discord does not let the bot manage this role
      It is tried on by itself, and at once when Discord shows that what stands in the way is gone.
          member 21
          member 22

    role-5: role 5 cannot be given or taken as it is to be, of 1 member(s)
      since 2026-11-27 08:00:00 UTC  (tried 3 time(s))  (not tried any more)
      failed: the role was deleted
      Map another role to what they bought (`nexrole map add`), or, if the role is there again, have it tried again.
          member 23

    notice-7: member 8 could not be told of the payment of sub_8
      since 2026-11-27 08:00:00 UTC  (not tried any more)
      the member takes no messages from the bot (code 50007)
      If the member takes messages again, have it tried again; otherwise tell them yourself.

    notice-7: member 8 could not be told of the payment of sub_8
      since 2026-11-27 08:00:00 UTC  (not tried any more)
      the member takes no messages from the bot (code 50007)
      Discord may have taken it, so it is not sent again: ask the member.

    Again, now: `nexrole failed retry --guild 1 ID`, where ID is what stands at the beginning of a line: sub_…, evt_…, role-…
    All of it: `nexrole failed retry --guild 1 --all`
    ");
    insta::assert_snapshot!(terminal::render(&document(guild(), &failed())), @"Nothing fails in server 1, and nothing was given up.");
    let many = (1..=8).map(|n| read(&format!("sub_{n}"), None)).collect();
    let said = terminal::render(&document(guild(), &Failed { reads: many, ..failed() }));
    assert!(said.contains("and 3 more"), "{said}");
}

#[test]
fn a_retry_says_what_is_tried_and_what_cannot_be() {
    let said = |asked, outcome: Retried| match retried(guild(), asked, &outcome) {
        Ok(document) => terminal::render(&document),
        Err(refused) => format!("error: {}", terminal::text(&refused)),
    };
    insta::assert_snapshot!(said(None, Retried { lists: 1, objects: 2, members: 3, notices: 1, unsure: 1 }), @r"
    1 list(s) of Stripe's are read on.
    2 object(s) are read from Stripe again.
    Of 3 member(s) the role is checked again.
    1 notice(s) are sent again.
    1 notice(s) are not sent again: Discord may have them.
    What fails once more is in the list again: `nexrole failed list --guild 1`
    ");
    insta::assert_snapshot!(said(Some("sub_x"), Retried::default()), @"error: in server 1 nothing that failed is called sub_x: `nexrole failed list --guild 1`");
    insta::assert_snapshot!(said(None, Retried::default()), @"error: Nothing fails in server 1, and nothing was given up.");
}

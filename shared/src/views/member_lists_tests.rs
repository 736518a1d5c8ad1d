use time::macros::datetime;

use super::*;
use crate::{
    clock::Timestamp,
    domain::{
        explain::{Fix, Reason, Why},
        roles::enforcement::Enforcement,
    },
    ids::{ConnectionId, UserId},
    views::terminal,
};

const SEEN: Timestamp = datetime!(2026-11-27 12:00 UTC);

fn user(id: u64) -> UserId {
    UserId::from_u64(id).unwrap()
}

fn role(id: u64) -> RoleId {
    RoleId::from_u64(id).unwrap()
}

fn said(listed: &Listed, most: usize) -> String {
    terminal::render(&document(GuildId::from_u64(1).unwrap(), listed, most))
}

fn lacking(member: u64, of: Option<u64>, answer: Answer, fix: Fix) -> Lacking {
    let paid_by = vec![format!("sub_{member}")];
    Lacking { member: user(member), role: of.map(role), paid_by, answer, fix }
}

#[test]
fn who_pays_without_a_role_is_grouped_by_what_is_to_be_done() {
    let away = |member| lacking(member, Some(5), Answer::Lacks(Cause::NotInServer), Fix::MemberJoins);
    let taken = |member, of| lacking(member, Some(of), Answer::Lacks(Cause::Taken(SEEN)), Fix::GiveBack);
    let prices = vec!["price_9".to_owned()];
    let cause = Cause::NotMapped { id: "sub_70".to_owned(), prices: prices.clone() };
    let unmapped = lacking(70, None, Answer::Lacks(cause), Fix::MapPrice(prices));
    let observed = lacking(80, Some(6), Answer::MayHave(Cause::Observed), Fix::Enforce);
    let evidence = "sub_90 is trialing".to_owned();
    let reason = Reason { source: "sub_90".to_owned(), why: Why::Ended, evidence, pay_page: None };
    let by_rule = lacking(90, Some(5), Answer::Lacks(Cause::Sources(vec![reason])), Fix::BuyAgain);
    let waits = Cause::Waits { attempts: 3, outcome: Some("Discord answered 503".to_owned()) };
    let waits = lacking(95, Some(5), Answer::Lacks(waits), Fix::Wait);
    let lacking =
        vec![observed, taken(20, 5), unmapped, away(30), away(31), away(32), taken(21, 6), by_rule, waits];
    insta::assert_snapshot!(said(&Listed::WithoutRole(lacking), 2), @r"
    Who pays and has no role, in server 1

    3 are without a role because the member is not in the server
      member 30  role 5  sub_30
      member 31  role 5  sub_31
      and 1 more: --limit 3 names all
      Next: the member joins the server, and is given it then; who cannot may be banned, of which Discord tells only bots that may see bans, and Nexrole asks for no such right (Server Settings, Bans)

    1 is without a role because somebody took it from them at Discord, not Nexrole
      member 20  role 5  sub_20  (seen 2026-11-27 12:00:00 UTC)
      Next: `nexrole give-back --guild 1 --member … --role 5`, if it is to be theirs

    1 is without a role because what they pay for (price_9) is mapped to no role
      member 70  sub_70
      Next: `nexrole map add --guild 1 --role … --price …` maps price_9

    1 is without a role because somebody took it from them at Discord, not Nexrole
      member 21  role 6  sub_21  (seen 2026-11-27 12:00:00 UTC)
      Next: `nexrole give-back --guild 1 --member … --role 6`, if it is to be theirs

    1 is without a role because what they pay for gives no role in the state that it is in, by the rules of its mapping
      member 90  role 5  sub_90  (sub_90 is trialing)
      Next: nothing, if that is meant; otherwise `nexrole map policy --guild 1 --role 5 --price …` shows the rules, and changes them

    1 is without a role because Discord answered 503
      member 95  role 5  sub_95
      Next: it goes on by itself

    1 may have the role or not: the role is only observed: nothing is given and nothing is taken
      member 80  role 6  sub_80
      Next: `nexrole map preview --guild 1 --role 6` shows what would change, and `nexrole map enforce --guild 1 --role 6` turns it on
    ");
}

#[test]
fn who_is_not_in_the_server_may_be_banned_which_nexrole_does_not_know() {
    let away = lacking(30, Some(5), Answer::Lacks(Cause::NotInServer), Fix::MemberJoins);
    insta::assert_snapshot!(said(&Listed::NotInServer(vec![away]), 2), @r"
    Who pays and is not in the server: left or banned, in server 1

    1 pays for a role and is not in the server
      member 30  role 5  sub_30
      Next: whether they left or are banned Nexrole cannot tell: Discord shows bans only to bots that may see them, and Nexrole asks for no such right (look in Server Settings, Bans). Who is not to come back pays on until you cancel at Stripe what stands beside them; who comes back is given the role at once
    ");
    insta::assert_snapshot!(said(&Listed::NotInServer(Vec::new()), 2), @r"
    Who pays and is not in the server: left or banned, in server 1
    nobody
    ");
}

#[test]
fn who_has_a_role_is_grouped_by_role_and_reasons() {
    let holding = |member, of, by: Vec<HeldBy>| Holding {
        member: user(member),
        role: role(of),
        by,
        until: None,
        reason: None,
    };
    let late = Holding { until: Some(SEEN), ..holding(23, 5, vec![HeldBy::Grace]) };
    let by_hand = vec![HeldBy::Paying, HeldBy::ByHand(Some(user(7)))];
    let given = Holding { reason: Some("won the raffle".to_owned()), ..holding(24, 5, by_hand) };
    let holdings = vec![
        holding(20, 6, vec![HeldBy::Person]),
        late,
        given,
        holding(21, 5, vec![HeldBy::Paying]),
        holding(22, 5, vec![HeldBy::Paying]),
        holding(25, 6, vec![HeldBy::Kept(Cause::Held)]),
        holding(26, 6, vec![HeldBy::Leaving]),
        holding(27, 6, vec![HeldBy::Unbacked]),
    ];
    let mapped = |of, holders| MappedRole {
        role_id: role(of),
        enforcement: Enforcement::On,
        holders,
        danger: None,
        probe_at: None,
        code: None,
        sold: Vec::new(),
    };
    let listed = Listed::WithRole(holdings, vec![mapped(5, Some(12)), mapped(6, Some(0)), mapped(7, None)]);
    insta::assert_snapshot!(said(&listed, 9), @r"
    Who has a paid role, and why, in server 1

    Role 5, paying: 2 members
      member 21
      member 22

    Role 5, late with a payment that is waited for: 1 member
      member 23  (ends 2026-11-27 12:00:00 UTC)

    Role 5, paying, given by hand by 7: 1 member
      member 24  (won the raffle)

    Role 6, given at Discord by a person, not by Nexrole: 1 member
      member 20

    Role 6, nothing gives it any more, and it stays because taking it is held until the owner agrees: so many within a day may be a mistake: 1 member
      member 25

    Role 6, nothing gives it any more, and it is being taken: 1 member
      member 26

    Role 6, bought on a Stripe account, or in a mode, that is not connected any more: 1 member
      member 27

    Unknown: had it before it was mapped
      role 5: 12 members, not by Nexrole
      Next: who they are, and who has it still, Discord's list of members says (Server Settings, Members, by role). Nexrole takes nothing from them; `nexrole import --guild 1 --role …` writes down who is to have it
    ");
}

#[test]
fn whose_payments_are_unlinked_is_said_with_what_could_tell() {
    let row = |customer: Option<&str>, id: &str, keys: &[&str]| Unlinked {
        connection_id: ConnectionId::from_u64(1).unwrap(),
        customer_id: customer.map(str::to_owned),
        id: id.to_owned(),
        status: "active".to_owned(),
        price_ids: vec!["price_1".to_owned()],
        id_keys: keys.iter().map(|&key| key.to_owned()).collect(),
        paid_by_link_of: None,
    };
    let by_link = Unlinked { paid_by_link_of: Some(user(7)), ..row(Some("cus_1"), "sub_1", &["discord_id"]) };
    let mapped = Page { rows: vec![by_link], total: 31 };
    let other = Page { rows: vec![row(None, "cs_1", &[])], total: 1 };
    insta::assert_snapshot!(said(&Listed::Unlinked { mapped, other }, 1), @r"
    Who pays and is linked to no member, in server 1

    31 subscriptions or purchases give a role, and are nobody's
      customer cus_1  sub_1  active  price_1  (looks like a Discord id: discord_id)  (by the personal link of 7, who has not said yet that it was them)
      and 30 more: --limit 31 names all
      Next: `nexrole link add --guild 1 --customer cus_… --user …`, or the metadata discord_user_id at Stripe. Where a key looks like a Discord id: `nexrole members metadata --guild 1`

    1 subscription or purchase is of what is mapped to no role, and nobody's
      a guest  cs_1  active  price_1
      Next: nothing, if it has nothing to do with Discord; otherwise map it: `nexrole map add`
    ");
}

#[test]
fn who_pays_twice_is_a_member_or_one_customer() {
    let subscriptions = vec!["sub_1".to_owned(), "sub_2".to_owned()];
    let member = Double {
        user_id: Some(user(7)),
        customer_id: None,
        subscriptions: subscriptions.clone(),
        role_ids: vec![role(5), role(6)],
    };
    let customer_id = Some("cus_1".to_owned());
    let customer = Double { user_id: None, customer_id, subscriptions, role_ids: vec![role(5)] };
    insta::assert_snapshot!(said(&Listed::Double(Page { rows: vec![member, customer], total: 2 }), 9), @r"
    Who is charged more than once for the same, in server 1

    2 people pay for a role by more than one subscription
      member 7  role 5, 6  sub_1, sub_2
      customer cus_1, who is no member  role 5  sub_1, sub_2
      Next: ask them which one to keep; cancel the others at Stripe, and refund there what was paid twice. The role stays as long as one runs
    ");
}

#[test]
fn a_platforms_fee_is_said_to_be_its_own_to_change() {
    let fee = |percent, user_id, ends_at| Fee {
        subscription_id: "sub_1".to_owned(),
        customer_id: "cus_1".to_owned(),
        user_id,
        application_fee_percent: percent,
        ends_at,
    };
    let rows = vec![fee(5.5, Some(user(7)), None), fee(2.0, None, Some(SEEN))];
    insta::assert_snapshot!(said(&Listed::Fees(Page { rows, total: 40 }), 2), @r"
    Of whose payments a platform takes a part, in server 1

    40 subscriptions were made by a platform that takes a part of each payment (application_fee_percent)
      5.5 %  sub_1  customer cus_1  member 7
      2 %  sub_1  customer cus_1, who is no member  (ends 2026-11-27 12:00:00 UTC)
      and 38 more: --limit 40 names all
      Next: Nexrole takes none, and cannot change it: Stripe lets only that platform's application set it. It ends when that is set to 0, or with the subscription: have members subscribe anew by a payment link of your own, then cancel the old one
    ");
}

#[test]
fn keys_that_could_be_adopted_are_counted() {
    let key = |carried_by, key: &str, carry, unlinked| MetadataKey {
        carried_by,
        key: key.to_owned(),
        carry,
        of: 600,
        unlinked,
    };
    let rows = vec![
        key(CarriedBy::Subscription, "discord_id", 587, 580),
        key(CarriedBy::Customer, "discord_user_id", 12, 0),
        key(CarriedBy::Session, "buyer", 1, 1),
    ];
    insta::assert_snapshot!(said(&Listed::Metadata(Page { rows, total: 3 }), 9), @r"
    Metadata keys at Stripe whose values look like Discord ids, in server 1

    Found in what is paid for
      587 of 600 subscriptions carry discord_id  (580 of them linked to nobody)
      12 of 600 customers carry discord_user_id  (0 of them linked to nobody)  (Nexrole reads this one)
      1 of 600 checkout sessions carry buyer  (1 of them linked to nobody)
      Next: Nexrole reads only discord_user_id, of a subscription or its customer. If another key names the buyer, copy its value there at Stripe, or `nexrole link add --guild 1 --customer cus_… --user …`. Values are not kept: look at one at Stripe first
    ");
    let none = Page { rows: Vec::new(), total: 0 };
    insta::assert_snapshot!(said(&Listed::Metadata(none), 9), @r"
    Metadata keys at Stripe whose values look like Discord ids, in server 1
    none
    ");
}

//! What came of a change of whose a customer is, or of a role that is given back. In: an action's outcome. Out: what is said; as an
//! error, why nothing was done.

use super::{
    document::{Document, Line, Message, Value, message},
    mapping_changes::{dangerous, not_mapped},
    ownership::customer_option,
};
use crate::{
    actions::{give_back::GivenBack, link::Linked, move_by_owner::MovedByOwner, unlink::Unlinked},
    ids::{CustomerId, GuildId, RoleId, UserId},
};

pub fn linked(
    guild: GuildId,
    customer: &CustomerId,
    member: UserId,
    outcome: &Linked,
) -> Result<Document, Message> {
    let said = match outcome {
        Linked::Linked => message("linked").with("customer", customer),
        Linked::AlreadySo => message("linked-already").with("customer", customer).with("member", member),
        Linked::TakenBy(holder) => {
            return Err(message("linked-to-other")
                .with("customer", customer)
                .with("holder", *holder)
                .with("guild", guild)
                .with("option", customer_option(customer.as_str())));
        }
        Linked::Connections(0) => return Err(message("link-no-connection").with("guild", guild)),
        Linked::Connections(several) => {
            return Err(message("link-connections").with("guild", guild).with("count", *several));
        }
    };
    Ok(Document::of_lines(vec![said.into()]))
}

pub fn unlinked(customer: &CustomerId, outcome: &Unlinked) -> Document {
    let Unlinked { holders, named, ended } = outcome;
    let holder = |holder: &UserId| message("unlinked").with("customer", customer).with("holder", *holder);
    let mut lines: Vec<Line> = holders.iter().map(|user| holder(user).into()).collect();
    if *ended > 0 {
        lines.push(message("unlinked-ended").with("ended", *ended).into());
    }
    lines.extend(named.iter().map(|(subscription, member)| {
        let said = message("unlinked-named").with("subscription", Value::code(subscription));
        Line::from(said.with("member", *member))
    }));
    if lines.is_empty() {
        lines.push(message("unlinked-nobody").with("customer", customer).into());
    }
    Document::of_lines(lines)
}

pub fn moved(
    guild: GuildId,
    customer: &CustomerId,
    to: UserId,
    outcome: &MovedByOwner,
) -> Result<Document, Message> {
    let said = match outcome {
        MovedByOwner::NotLinked => {
            return Err(message("link-move-nobody")
                .with("customer", customer)
                .with("guild", guild)
                .with("member", to)
                .with("option", customer_option(customer.as_str())));
        }
        MovedByOwner::AlreadySo => message("linked-already").with("customer", customer).with("member", to),
        MovedByOwner::Moved { from, named, ended } => {
            let said =
                message("link-moved").with("customer", customer).with("member", to).with("from", *from);
            let named = named.iter().map(|(subscription, member)| {
                message("link-moved-named")
                    .with("subscription", Value::code(subscription))
                    .with("member", *member)
            });
            let ended = (*ended > 0).then(|| message("unlinked-ended").with("ended", *ended));
            let lines = [said].into_iter().chain(ended).chain(named).chain([message("link-moved-metadata")]);
            return Ok(Document::of_lines(lines.map(Line::from).collect()));
        }
    };
    Ok(Document::of_lines(vec![said.into()]))
}

pub fn given_back(
    guild: GuildId,
    member: UserId,
    role: RoleId,
    outcome: &GivenBack,
) -> Result<Document, Message> {
    let about = |said: Message| said.with("role", role).with("member", member);
    let said = match outcome {
        GivenBack::NotMapped => return Err(not_mapped(guild, role)),
        GivenBack::NotDue => return Err(about(message("give-back-not-due")).with("guild", guild)),
        GivenBack::Observed => {
            return Err(message("give-back-observed").with("role", role).with("guild", guild));
        }
        GivenBack::Dangerous(danger) => return Err(dangerous(role, danger)),
        GivenBack::Asked { taken_at: Some(at) } => about(message("given-back-taken")).with("at", *at),
        GivenBack::Asked { taken_at: None } => about(message("given-back")),
    };
    Ok(Document::of_lines(vec![said.into()]))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::views::terminal;

    fn said(outcome: Result<Document, Message>) -> String {
        match outcome {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        }
    }

    fn guild() -> GuildId {
        GuildId::from_u64(1).unwrap()
    }

    fn user(id: u64) -> UserId {
        UserId::from_u64(id).unwrap()
    }

    #[test]
    fn a_link_says_what_follows_or_what_stands_against_it() {
        let linked =
            |customer: &str, outcome| said(linked(guild(), &customer.parse().unwrap(), user(11), &outcome));
        insta::assert_snapshot!(linked("cus_1", Linked::Linked), @"Linked. What cus_1 pays for is being read from Stripe.");
        insta::assert_snapshot!(linked("cus_1", Linked::AlreadySo), @"cus_1 was linked to 11 already.");
        insta::assert_snapshot!(linked("5 $", Linked::TakenBy(user(12))), @"error: 5 $ is linked to 12; a link does not move by itself: first `nexrole link remove --guild 1 --customer '5 $'`");
        insta::assert_snapshot!(linked("cus_1", Linked::Connections(0)), @"error: server 1 has no Stripe connection yet: start the gateway with GUILD_ID=1");
        insta::assert_snapshot!(linked("cus_1", Linked::Connections(2)), @"error: server 1 has 2 Stripe connections; linking by hand takes exactly one so far");
    }

    #[test]
    fn a_removed_link_says_whose_it_was_and_what_ended() {
        let unlinked = |holders: &[u64], named: &[u64], ended| {
            let subscription = "sub_1".parse().unwrap();
            let outcome = Unlinked {
                holders: holders.iter().map(|id| user(*id)).collect(),
                named: named.iter().map(|id| (Clone::clone(&subscription), user(*id))).collect(),
                ended,
            };
            said(Ok(unlinked(&"cus_1".parse().unwrap(), &outcome)))
        };
        insta::assert_snapshot!(unlinked(&[11, 12], &[13], 2), @r"
        cus_1 is not 11's any more. If its metadata at Stripe names somebody, it is linked to them now.
        cus_1 is not 12's any more. If its metadata at Stripe names somebody, it is linked to them now.
        2 reason(s) for a role ended that came from a Stripe account, or mode, that is not connected any more.
        sub_1 is not 13's any more, unless its own metadata at Stripe still names them.
        ");
        insta::assert_snapshot!(unlinked(&[], &[], 0), @"cus_1 was linked to nobody.");
    }

    #[test]
    fn a_moved_customer_says_from_whom_and_what_may_bring_it_back() {
        let moved = |outcome| said(moved(guild(), &"cus_1".parse().unwrap(), user(11), &outcome));
        let named = vec![("sub_1".to_owned(), user(12))];
        insta::assert_snapshot!(moved(MovedByOwner::Moved { from: user(12), named, ended: 1 }), @r"
        cus_1 is 11's now, and not 12's any more. What it pays for is being read from Stripe.
        1 reason(s) for a role ended that came from a Stripe account, or mode, that is not connected any more.
        If sub_1 still names 12 in its own metadata at Stripe, what it gives goes back to them: correct it there.
        If its metadata at Stripe names somebody else, `nexrole doctor` says so until it is corrected there.
        ");
        insta::assert_snapshot!(moved(MovedByOwner::AlreadySo), @"cus_1 was linked to 11 already.");
        insta::assert_snapshot!(moved(MovedByOwner::NotLinked), @"error: cus_1 is linked to nobody in server 1: `nexrole link add --guild 1 --user 11 --customer cus_1` links it");
    }

    #[test]
    fn a_role_is_given_back_or_it_is_said_why_not() {
        let given_back =
            |outcome| said(given_back(guild(), user(11), RoleId::from_u64(5).unwrap(), &outcome));
        insta::assert_snapshot!(given_back(GivenBack::Asked { taken_at: Some(OffsetDateTime::UNIX_EPOCH) }), @"Somebody took role 5 from member 11 at Discord; that was seen 1970-01-01 00:00:00 UTC. The bot gives it back.");
        insta::assert_snapshot!(given_back(GivenBack::Asked { taken_at: None }), @"The bot checks member 11, and gives role 5 if they do not have it. Nobody was seen to take it.");
        insta::assert_snapshot!(given_back(GivenBack::NotMapped), @"error: role 5 is not mapped; `nexrole map list --guild 1` shows those that are");
        insta::assert_snapshot!(given_back(GivenBack::NotDue), @"error: nothing gives role 5 to member 11 now; `nexrole why --guild 1 --member 11` says what did");
        insta::assert_snapshot!(given_back(GivenBack::Observed), @"error: role 5 is only observed: nothing is changed until `nexrole map enforce --guild 1 --role 5` turns it on");
        insta::assert_snapshot!(given_back(GivenBack::Dangerous("it gives Ban Members".to_owned())), @"error: role 5 must not be given: it gives Ban Members. Take those permissions from it in Discord (Server Settings, Roles), or map another role");
    }
}

//! How far the forgetting of a member is. In: what is open, or what came of it. Out: what is said.

use super::document::{Document, Message, Value, message};
use crate::{
    ids::{GuildId, UserId},
    store::erasure::Ties,
};

/// So many customers are not theirs any more; nothing is said of none.
pub fn unlinked(customers: usize) -> Option<Message> {
    (customers > 0).then(|| message("erase-unlinked").with("customers", customers))
}

pub fn forgotten(entries: i64, roles_left: i64) -> Document {
    let mut lines = vec![message("erase-forgotten").with("entries", entries)];
    if roles_left > 0 {
        lines.push(message("erase-roles-left").with("roles", roles_left));
    }
    lines.push(message("erase-elsewhere"));
    Document::of_lines(lines.into_iter().map(Into::into).collect())
}

pub fn waiting(ties: &Ties) -> Message {
    message("erase-waiting").with("open", open(ties))
}

/// The time is over.
pub fn not_yet(guild: GuildId, member: UserId, ties: &Ties) -> Message {
    message("erase-not-yet").with("open", open(ties)).with("guild", guild).with("member", member)
}

/// Metadata at Stripe names them.
pub fn linked_again(member: UserId) -> Message {
    message("erase-linked-again").with("member", member)
}

fn open(ties: &Ties) -> Value {
    let parts = [
        (ties.links, message("erase-open-links")),
        (ties.unread, message("erase-open-unread")),
        (ties.sources, message("erase-open-sources")),
        (ties.held, message("erase-open-held")),
        (ties.jobs, message("erase-open-jobs")),
    ];
    let open = parts.into_iter().filter(|(count, _)| *count > 0);
    Value::List(open.map(|(count, said)| said.with("count", count).into()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::terminal::{render, text};

    #[test]
    fn what_is_open_is_counted_and_nothing_else_is_named() {
        let (guild, member) = (GuildId::from_u64(1).unwrap(), UserId::from_u64(11).unwrap());
        insta::assert_snapshot!(text(&waiting(&Ties { held: 1, ..Ties::default() })), @"Waiting: 1 role(s) held.");
        let all = Ties { links: 1, unread: 2, sources: 3, held: 4, jobs: 5 };
        insta::assert_snapshot!(text(&not_yet(guild, member, &all)), @"not forgotten yet: 1 customer(s) linked, 2 customer(s) to read from Stripe, 3 reason(s) for a role, 4 role(s) held, 5 role change(s) on their way. Are the gateway and the bot running, can Stripe be read, and may the bot take the role? `nexrole why --guild 1 --member 11` says more; then run this again, or with --anyway");
        insta::assert_snapshot!(text(&linked_again(member)), @"a Stripe customer was linked to this member again: its metadata there, or a subscription's, says discord_user_id 11. Remove that at Stripe, then run this again");
    }

    #[test]
    fn who_is_forgotten_leaves_entries_and_perhaps_a_role() {
        assert_eq!(unlinked(0), None);
        insta::assert_snapshot!(text(&unlinked(2).unwrap()), @"What 2 Stripe customer(s) pay for is not this member's any more.");
        insta::assert_snapshot!(render(&forgotten(1234, 0)), @r"
        Forgotten. 1234 audit entries stay, without the person.
        What Stripe has about a customer, and Discord about a member, is theirs to delete.
        ");
        insta::assert_snapshot!(render(&forgotten(3, 1)), @r"
        Forgotten. 3 audit entries stay, without the person.
        1 role(s) stay at Discord: take them there.
        What Stripe has about a customer, and Discord about a member, is theirs to delete.
        ");
    }
}

//! What deriving access again would change. In: what was derived, against what is written down. Out: who would gain what, what is read
//! from Stripe first, and what came of ordering it.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, Line, Message, Section, message};
use crate::{
    actions::rebuild::Rebuilt,
    ids::{GuildId, RoleId, UserId},
};

/// Members that are named for each role; the rest is counted.
const NAMED: usize = 20;

/// What was derived of all that a guild's connections know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Subscriptions and purchases that were looked at.
    pub looked: usize,
    /// Who has access by them, and not as far as is written down.
    pub gives: BTreeMap<RoleId, BTreeSet<UserId>>,
    /// Whose access would end by them.
    pub would_end: BTreeMap<RoleId, BTreeSet<UserId>>,
    /// Subscriptions and purchases that Stripe is asked about: those of whom access would end, and those of which the rows do not keep
    /// all that decides.
    pub to_read: usize,
}

impl Difference {
    /// Whether it would do nothing, reads aside.
    pub fn is_none(&self) -> bool {
        self.gives.is_empty() && self.to_read == 0
    }
}

pub fn document(guild: GuildId, difference: &Difference) -> Document {
    let looked = message("rebuild-looked").with("count", difference.looked).with("guild", guild);
    let mut sections = vec![Section::untitled(vec![looked.into()])];
    if difference.is_none() {
        sections.push(Section::untitled(vec![message("rebuild-none").into()]));
        return Document { sections, ..Document::default() };
    }
    sections.extend(difference.gives.iter().map(|of| members(message("rebuild-gives"), of)));
    sections.extend(difference.would_end.iter().map(|of| members(message("rebuild-would-end"), of)));
    if difference.to_read > 0 {
        let to_read = message("rebuild-to-read").with("count", difference.to_read);
        sections.push(Section::untitled(vec![to_read.into(), message("rebuild-nothing-ends").into()]));
    }
    Document { sections, ..Document::default() }
}

fn members(title: Message, (role, users): (&RoleId, &BTreeSet<UserId>)) -> Section {
    let named = users.iter().take(NAMED).map(|user| message("held-member").with("member", *user));
    let mut lines: Vec<Line> = named.map(Line::from).collect();
    if let Some(more) = users.len().checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(message("held-more").with("count", more).into());
    }
    Section::titled(title.with("role", *role).with("count", users.len()), lines)
}

pub fn ordered(guild: GuildId, outcome: Rebuilt) -> Result<Document, Message> {
    let Rebuilt::Ordered { connections, under_way } = outcome else {
        return Err(message("backfill-no-connection").with("guild", guild));
    };
    let mut lines = Vec::new();
    if connections > 0 {
        lines.push(Line::from(message("rebuild-begun")));
    }
    if under_way > 0 {
        lines.push(message("backfill-under-way").into());
    }
    lines.push(message("backfill-next").with("guild", guild).into());
    Ok(Document::of_lines(lines))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::terminal;

    #[test]
    fn an_operator_sees_who_gains_and_that_nothing_ends_by_rows() {
        let guild = GuildId::from_u64(1).unwrap();
        let role = RoleId::from_u64(5).unwrap();
        let users = |ids: std::ops::Range<u64>| ids.filter_map(UserId::from_u64).collect();
        let difference = Difference {
            looked: 120,
            gives: [(role, users(10..32))].into(),
            would_end: [(role, users(7..8))].into(),
            to_read: 3,
        };
        insta::assert_snapshot!(terminal::render(&document(guild, &difference)), @r"
        120 subscription(s) and purchase(s) of server 1 were looked at, as they were last read from Stripe.

        Role 5: paid for by 22 member(s), and not written down, or with another end
          member 10
          member 11
          member 12
          member 13
          member 14
          member 15
          member 16
          member 17
          member 18
          member 19
          member 20
          member 21
          member 22
          member 23
          member 24
          member 25
          member 26
          member 27
          member 28
          member 29
          and 2 more

        Role 5: written down for 1 member(s) for whom nothing that was read gives it
          member 7

        3 of them are read from Stripe first: by their rows access would end, or their rows do not keep all that decides.
        Nobody loses a role by rows alone: only by what is read then, within the limit on how many lose a role in a day.
        ");
        let same = Difference { looked: 120, ..Difference::default() };
        insta::assert_snapshot!(terminal::render(&document(guild, &same)), @r"
        120 subscription(s) and purchase(s) of server 1 were looked at, as they were last read from Stripe.

        They give what is written down: nothing would change.
        ");
        let said = |outcome| match ordered(guild, outcome) {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        };
        insta::assert_snapshot!(said(Rebuilt::Ordered { connections: 1, under_way: 1 }), @r"
        Access is derived again, as after a read of each.
        A backfill is under way already, and goes on as it is: order this one when that has ended.
        The gateway does it, also after a restart: `nexrole backfill --guild 1` shows how far it is.
        ");
        insta::assert_snapshot!(said(Rebuilt::NoConnection), @"error: server 1 has no such Stripe connection that is active; `nexrole connections` shows all of them");
    }
}

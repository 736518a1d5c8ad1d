//! What came of a change of mappings. In: an action's outcome. Out: what is said; as an error, why nothing was done.

use super::{
    document::{Document, Line, Message, Section, Value, message},
    mappings,
};
use crate::{
    actions::{
        enforce::Enforced,
        map::Mapped,
        unmap::{Holders, Unmapped},
    },
    domain::{entitlement::mapping::Sold, roles::safety::remedy},
    ids::{GuildId, RoleId, UserId},
};

pub fn mapped(guild: GuildId, role: RoleId, outcome: &Mapped) -> Result<Document, Message> {
    let said = match outcome {
        Mapped::Added(0) => message("mapped-nobody"),
        Mapped::Added(concerned) => message("mapped").with("concerned", *concerned),
        Mapped::AlreadySo => message("mapped-already"),
        Mapped::OtherPolicy => return Err(message("mapped-other-policy")),
        Mapped::Everyone => return Err(message("mapped-everyone").with("role", role)),
        Mapped::Dangerous(danger) => return Err(dangerous(role, danger)),
    };
    let at_first = message("mapped-at-first").with("guild", guild);
    Ok(Document::of_lines(vec![said.into(), at_first.into()]))
}

pub fn enforced(guild: GuildId, role: RoleId, outcome: &Enforced) -> Result<Document, Message> {
    let lines = match outcome {
        Enforced::NotMapped => return Err(not_mapped(guild, role)),
        Enforced::Observed => vec![message("enforced-observed").with("role", role)],
        Enforced::On { members, danger, is_deleted } => {
            let members = i64::try_from(*members).unwrap_or(i64::MAX);
            let mut lines = vec![message("enforced").with("role", role).with("members", members)];
            if *is_deleted {
                lines.push(message("enforced-deleted").with("deleted", mappings::deleted()));
            }
            lines.extend(danger.as_deref().map(|danger| {
                message("enforced-suspended").with("danger", danger).with("remedy", remedy(danger))
            }));
            lines
        }
    };
    Ok(Document::of_lines(lines.into_iter().map(Line::from).collect()))
}

/// Before a mapping is removed: who has the role from it, and what becomes of that.
pub fn holders(role: RoleId, holders: &Holders) -> Document {
    let Holders { lose, keep, is_observed } = holders;
    let alone = if *is_observed { message("unmap-observed") } else { message("unmap-lose") };
    let section = |title: Message, members: &[UserId]| {
        let lines = members.iter().map(|member| message("preview-member").with("member", *member).into());
        Section::titled(title, lines.collect()).if_empty(message("nobody"))
    };
    let sections = vec![
        section(alone.with("role", role), lose),
        section(message("unmap-keep"), keep),
        Section::untitled(vec![message("preview-others").into()]),
    ];
    Document { sections, ..Document::default() }
}

pub fn unmapped(guild: GuildId, sold: &Sold, role: RoleId, outcome: &Unmapped) -> Result<Document, Message> {
    let said = match outcome {
        Unmapped::NotMapped => return Err(not_mapped_by(guild, sold, role)),
        Unmapped::Removed(Holders { is_observed: true, .. }) => message("unmapped-observed"),
        Unmapped::Removed(Holders { lose, .. }) => message("unmapped").with("members", lose.len()),
    };
    Ok(Document::of_lines(vec![said.with("role", role).into()]))
}

pub fn not_mapped_by(guild: GuildId, sold: &Sold, role: RoleId) -> Message {
    message("not-mapped-by").with("sold", Value::code(sold)).with("role", role).with("guild", guild)
}

pub fn not_mapped(guild: GuildId, role: RoleId) -> Message {
    message("not-mapped").with("role", role).with("guild", guild)
}

/// The role must not be given.
pub fn dangerous(role: RoleId, danger: &str) -> Message {
    message("role-dangerous").with("role", role).with("danger", danger).with("remedy", remedy(danger))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::terminal;

    fn said(outcome: Result<Document, Message>) -> String {
        match outcome {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        }
    }

    fn ids() -> (GuildId, RoleId, Sold) {
        let sold = Sold::Price("price_1".parse().unwrap());
        (GuildId::from_u64(1).unwrap(), RoleId::from_u64(5).unwrap(), sold)
    }

    #[test]
    fn a_new_mapping_says_whom_it_concerns_and_that_nothing_is_taken_for_granted() {
        let (guild, role, _) = ids();
        let mapped = |outcome| said(mapped(guild, role, &outcome));
        insta::assert_snapshot!(mapped(Mapped::Added(0)), @r"
        Mapped. Nobody is known to pay for it yet.
        If members hold the role already, it is only observed at first; if it gives power over the server, it is suspended: `nexrole map list --guild 1`.
        ");
        insta::assert_snapshot!(mapped(Mapped::Added(1234)), @r"
        Mapped. 1234 known subscription(s) or purchase(s) are being read again.
        If members hold the role already, it is only observed at first; if it gives power over the server, it is suspended: `nexrole map list --guild 1`.
        ");
        insta::assert_snapshot!(mapped(Mapped::AlreadySo), @r"
        It was mapped already.
        If members hold the role already, it is only observed at first; if it gives power over the server, it is suspended: `nexrole map list --guild 1`.
        ");
        insta::assert_snapshot!(mapped(Mapped::Everyone), @"error: role 5 is @everyone, which every member has; give the id of another role");
        insta::assert_snapshot!(mapped(Mapped::Dangerous("it gives Ban Members".to_owned())), @"error: role 5 must not be given: it gives Ban Members. Take those permissions from it in Discord (Server Settings, Roles), or map another role");
    }

    #[test]
    fn a_role_that_is_turned_on_says_who_is_looked_at_and_what_stands_against_it() {
        let (guild, role, _) = ids();
        let enforced = |outcome| said(enforced(guild, role, &outcome));
        let on = |danger: Option<&str>, is_deleted| Enforced::On {
            members: 3,
            danger: danger.map(str::to_owned),
            is_deleted,
        };
        insta::assert_snapshot!(enforced(on(None, false)), @"Role 5 follows payments. 3 member(s) are being checked.");
        insta::assert_snapshot!(enforced(on(Some("it gives Ban Members"), true)), @r"
        Role 5 follows payments. 3 member(s) are being checked.
        But it was deleted in Discord: nobody can be given it. Map another role to what it was sold by (`nexrole map add`).
        But it is SUSPENDED: it gives Ban Members. Nobody is given it. Take those permissions from it in Discord (Server Settings, Roles), or map another role.
        ");
        insta::assert_snapshot!(enforced(Enforced::Observed), @"Role 5 is only observed: nothing is changed until it is turned on. A change under way in this moment may still be made.");
        insta::assert_snapshot!(enforced(Enforced::NotMapped), @"error: role 5 is not mapped; `nexrole map list --guild 1` shows those that are");
    }

    #[test]
    fn whom_a_removed_mapping_concerns_is_shown_before_and_counted_after() {
        let (guild, role, sold) = ids();
        let users = |ids: &[u64]| ids.iter().filter_map(|id| UserId::from_u64(*id)).collect::<Vec<_>>();
        let of = |is_observed| Holders { lose: users(&[11, 12]), keep: users(&[]), is_observed };
        insta::assert_snapshot!(said(Ok(holders(role, &of(false)))), @r"
        Have role 5 from Nexrole by this alone: would lose it
          member 11
          member 12

        Have it from Nexrole, and keep it: something else gives it, too
          nobody

        Everybody else who has the role keeps it: Nexrole takes only what it gave.
        ");
        insta::assert_snapshot!(said(Ok(holders(role, &of(true)))), @r"
        Role 5 is only observed: nothing is taken while it is. Have it from Nexrole, by this alone
          member 11
          member 12

        Have it from Nexrole, and keep it: something else gives it, too
          nobody

        Everybody else who has the role keeps it: Nexrole takes only what it gave.
        ");
        let unmapped = |outcome| said(unmapped(guild, &sold, role, &outcome));
        insta::assert_snapshot!(unmapped(Unmapped::Removed(of(false))), @"Removed. 2 member(s) lose role 5, as soon as the bot has taken it.");
        insta::assert_snapshot!(unmapped(Unmapped::Removed(of(true))), @"Removed. Role 5 is only observed: nobody loses it, unless `nexrole map enforce` turns it on.");
        insta::assert_snapshot!(unmapped(Unmapped::NotMapped), @"error: price price_1 does not give role 5; `nexrole map list --guild 1` shows what gives which");
    }
}

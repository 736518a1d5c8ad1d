//! What enforcing a role would change. In: who pays for it and who has it. Out: who would gain it, and who would lose it.

use super::{
    document::{Document, Line, Section, Value, message},
    mappings,
};
use crate::{
    ids::{RoleId, UserId},
    store::mapped_roles::Preview,
};

pub fn document(role: RoleId, is_deleted: bool, preview: &Preview) -> Document {
    let member = |user: &UserId| Line::from(message("preview-member").with("member", *user));
    let members = |users: &[UserId]| users.iter().map(member).collect();
    let mut sections = Vec::new();
    if is_deleted {
        let deleted = message("preview-deleted").with("role", role).with("deleted", mappings::deleted());
        sections.push(Section::untitled(vec![deleted.into()]));
    }
    let gain = message("preview-gain").with("role", role);
    sections.push(Section::titled(gain, members(&preview.gain)).if_empty(message("nobody")));
    if !preview.unbacked.is_empty() {
        let lines = preview.unbacked.iter().map(|user| member(user).note(message("preview-unbacked-fix")));
        sections.push(Section::titled(message("preview-unbacked"), lines.collect()));
    }
    let lose = Section::titled(message("preview-lose"), members(&preview.lose));
    sections.push(lose.if_empty(message("nobody")));
    let unlinked = preview.unlinked.iter().map(|customer| {
        let line = message("preview-customer").with("customer", Value::from(customer));
        Line::from(line).note(message("preview-unlinked-fix"))
    });
    let unlinked = Section::titled(message("preview-unlinked"), unlinked.collect());
    sections.push(unlinked.if_empty(message("nobody")));
    sections.push(Section::untitled(vec![message("preview-others").into()]));
    Document { sections, ..Document::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::terminal;

    #[test]
    fn nobody_gains_or_loses_anything() {
        let preview =
            Preview { gain: Vec::new(), unbacked: Vec::new(), lose: Vec::new(), unlinked: Vec::new() };
        let said = terminal::render(&document(RoleId::from_u64(5).unwrap(), false, &preview));
        insta::assert_snapshot!(said, @r"
        Pay or were given it, and would have role 5 (who has it by hand already keeps it)
          nobody

        Have it from Nexrole, and nothing gives it any more: would lose it
          nobody

        Pay, but are not linked to a Discord member
          nobody

        Everybody else who has the role keeps it: Nexrole takes only what it gave.
        ");
    }

    #[test]
    fn everybody_concerned_is_named_also_of_a_role_that_is_gone() {
        let users = |ids: &[u64]| ids.iter().filter_map(|id| UserId::from_u64(*id)).collect();
        let unlinked = vec!["cus_1".parse().unwrap(), "5 $".parse().unwrap()];
        let preview =
            Preview { gain: users(&[11, 12]), unbacked: users(&[13]), lose: users(&[14]), unlinked };
        let said = terminal::render(&document(RoleId::from_u64(5).unwrap(), true, &preview));
        insta::assert_snapshot!(said, @r"
        Role 5 was deleted in Discord: nobody can be given it. Map another role to what it was sold by (`nexrole map add`).

        Pay or were given it, and would have role 5 (who has it by hand already keeps it)
          member 11
          member 12

        Would have it too, by purchases on a Stripe account, or in a mode, that is not connected any more
          member 13  (`nexrole why` says how to end it)

        Have it from Nexrole, and nothing gives it any more: would lose it
          member 14

        Pay, but are not linked to a Discord member
          cus_1  (nexrole link add)
          5 $  (nexrole link add)

        Everybody else who has the role keeps it: Nexrole takes only what it gave.
        ");
    }
}

//! What gives which role, and whether roles follow payments yet. In: the mapped roles of a server, and the time. Out: a list with what
//! helps.

use super::{
    document::{Document, Line, Message, Section, Value, message},
    refusal,
};
use crate::{
    clock::Timestamp,
    domain::{
        delivery::refusal::Closed,
        roles::{enforcement::Enforcement, safety::remedy},
    },
    ids::{GuildId, RoleId},
    store::mapped_roles::MappedRole,
};

/// What is known of a server's mapped roles.
#[derive(Debug, Clone, Default)]
pub struct Mappings {
    pub roles: Vec<MappedRole>,
    /// Mapped roles that no longer exist in Discord.
    pub deleted: Vec<RoleId>,
    /// Of the deleted, those whose prices and products give no other role.
    pub unreplaced: Vec<RoleId>,
    /// Why nothing is changed in the whole server.
    pub closed: Option<Closed>,
}

pub fn document(guild: GuildId, mappings: &Mappings, now: Timestamp) -> Document {
    let mut lines: Vec<Line> = Vec::new();
    if let Some(closed) = mappings.closed {
        lines.push(message("mappings-held-up").with("why", refusal::held_up(closed)).into());
    }
    if mappings.roles.is_empty() {
        lines.push(message("mappings-none").with("guild", guild.to_string()).into());
    }
    lines.extend(mappings.roles.iter().map(|role| {
        let text = message("mapping").with("role", role.role_id).with("state", state(mappings, role));
        Line { details: details(role, now), ..Line::from(text) }
    }));
    Document { sections: vec![Section::untitled(lines)], ..Document::default() }
}

/// What became of a role that is gone, and what to do about it: a sentence's part, after the role.
pub fn deleted() -> Message {
    message("mapping-deleted")
}

fn state(mappings: &Mappings, role: &MappedRole) -> Message {
    match (role.enforcement, role.holders) {
        _ if mappings.unreplaced.contains(&role.role_id) => deleted(),
        _ if mappings.deleted.contains(&role.role_id) => message("mapping-replaced"),
        (Enforcement::Unseen, _) => message("mapping-unseen"),
        (Enforcement::Observe, Some(holders)) if holders > 0 => {
            message("mapping-observed-holders").with("holders", holders)
        }
        (Enforcement::Observe, _) => message("mapping-observed"),
        (Enforcement::On, _) => message("mapping-on"),
    }
}

fn details(role: &MappedRole, now: Timestamp) -> Vec<Message> {
    let suspended = role
        .danger
        .as_ref()
        .map(|danger| message("mapping-suspended").with("danger", &**danger).with("remedy", remedy(danger)));
    let refused = role.probe_at.map(|probe_at| {
        // The bot has not run since.
        let is_late = probe_at <= now;
        let again = if is_late { message("mapping-probe-due").into() } else { Value::Time(probe_at) };
        message("mapping-refused").with("why", refusal::of_role(role.code)).with("again", again)
    });
    let sold = role.sold.iter().map(|sold| message("mapping-sold").with("sold", Value::code(sold)));
    suspended.into_iter().chain(refused).chain(sold).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{domain::delivery::refusal::Refusal, views::terminal};

    fn role(id: u64, enforcement: Enforcement) -> MappedRole {
        MappedRole {
            role_id: RoleId::from_u64(id).unwrap(),
            enforcement,
            holders: None,
            danger: None,
            probe_at: None,
            code: None,
            sold: vec![format!("price price_{id}")],
        }
    }

    fn said(mappings: &Mappings) -> String {
        let guild = GuildId::from_u64(1).unwrap();
        terminal::render(&document(guild, mappings, datetime!(2026-11-27 12:00 UTC)))
    }

    #[test]
    fn nothing_is_mapped_and_nothing_may_be_changed() {
        insta::assert_snapshot!(said(&Mappings::default()), @"Nothing is mapped yet: nexrole map add --guild 1 --price price_… --role …");
        let refusal = Refusal { code: None, until: datetime!(2026-11-27 13:00 UTC) };
        let closed = Some(Closed::Refused(refusal));
        insta::assert_snapshot!(said(&Mappings { closed, ..Mappings::default() }), @r"
        Nothing is changed in this server at the moment. Discord says that the bot was removed from this server: tried again 2026-11-27 13:00:00 UTC, or when the bot is invited.
        Nothing is mapped yet: nexrole map add --guild 1 --price price_… --role …
        ");
    }

    #[test]
    fn each_role_says_what_it_does_and_what_helps() {
        let on = |id| role(id, Enforcement::On);
        let observed = |id, holders| MappedRole { holders, ..role(id, Enforcement::Observe) };
        let danger = |said: &str| Some(said.to_owned());
        let refused = |id, probe_at| MappedRole { probe_at: Some(probe_at), code: Some(50013), ..on(id) };
        let roles = vec![
            role(11, Enforcement::Unseen),
            observed(12, Some(3)),
            observed(13, Some(0)),
            MappedRole { sold: vec!["price 5 $".to_owned(), "product prod_1".to_owned()], ..on(14) },
            on(15),
            on(16),
            MappedRole { danger: danger("it gives Ban Members"), ..on(17) },
            MappedRole { danger: danger("it belongs to a bot"), ..on(18) },
            refused(19, datetime!(2026-11-27 13:00 UTC)),
            refused(20, datetime!(2026-11-27 12:00 UTC)),
        ];
        let deleted = vec![roles[4].role_id, roles[5].role_id];
        let unreplaced = vec![roles[4].role_id];
        insta::assert_snapshot!(said(&Mappings { roles, deleted, unreplaced, closed: None }), @r"
        role 11  waits for the bot to check who holds it
            price price_11
        role 12  only observed (3 had it before): `nexrole map preview`, then `nexrole map enforce`
            price price_12
        role 13  only observed: `nexrole map enforce` turns it on
            price price_13
        role 14  follows payments
            price 5 $
            product prod_1
        role 15  was deleted in Discord: nobody can be given it. Map another role to what it was sold by (`nexrole map add`)
            price price_15
        role 16  was deleted in Discord; what it was sold by gives another role
            price price_16
        role 17  follows payments
            SUSPENDED: it gives Ban Members. Nobody is given it; who has it keeps it while they pay. Take those permissions from it in Discord (Server Settings, Roles), or map another role.
            price price_17
        role 18  follows payments
            SUSPENDED: it belongs to a bot. Nobody is given it; who has it keeps it while they pay. Map another role.
            price price_18
        role 19  follows payments
            REFUSED: Discord does not let the bot manage it (code 50013): it needs Manage Roles, and the role must be below its own. Changes of it wait; tried again 2026-11-27 13:00:00 UTC, or when roles change.
            price price_19
        role 20  follows payments
            REFUSED: Discord does not let the bot manage it (code 50013): it needs Manage Roles, and the role must be below its own. Changes of it wait; tried again as soon as the bot runs, or when roles change.
            price price_20
        ");
    }
}

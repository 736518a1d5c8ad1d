//! Roles that are not taken until their owner agrees. In: what is held, and what the owner said. Out: who would lose what, and what
//! follows.

use super::document::{Document, Line, Message, Section, message};
use crate::{
    actions::held::HeldRole,
    ids::{GuildId, RoleId},
};

/// Members that are named for each cause; the rest is counted.
const NAMED: usize = 20;

pub fn document(guild: GuildId, roles: &[HeldRole]) -> Document {
    if roles.is_empty() {
        return Document::of_lines(vec![none(guild).into()]);
    }
    let mut sections: Vec<Section> = roles.iter().map(role).collect();
    sections.push(Section::untitled(vec![
        message("held-if-mistake").into(),
        message("held-approve").with("guild", guild).into(),
        message("held-discard").with("guild", guild).into(),
    ]));
    Document { sections, ..Document::default() }
}

fn role(held: &HeldRole) -> Section {
    let title = message("held-role").with("role", held.role).with("count", held.count());
    let mut lines: Vec<Line> = vec![Line::from(message("held-since").with("at", held.since))];
    lines.extend(held.why.iter().map(|why| Line::from(message("held-why").with("why", &**why))));
    for (cause, members) in &held.members {
        let named = members.iter().take(NAMED).map(|user| message("held-member").with("member", *user));
        let mut details: Vec<Message> = named.collect();
        if let Some(more) = members.len().checked_sub(NAMED).filter(|more| *more > 0) {
            details.push(message("held-more").with("count", more));
        }
        let text = message("held-cause").with("cause", &**cause).with("count", members.len());
        lines.push(Line { details, ..Line::from(text) });
    }
    Section::titled(title, lines)
}

/// Nothing is held, or nothing of what was asked for.
pub fn none(guild: GuildId) -> Message {
    message("held-none").with("guild", guild)
}

pub fn approved(guild: GuildId, role: RoleId, members: usize) -> Result<Document, Message> {
    answered(guild, members, message("held-approved").with("count", members).with("role", role))
}

pub fn discarded(guild: GuildId, role: RoleId, members: usize) -> Result<Document, Message> {
    let said = message("held-discarded").with("count", members).with("role", role).with("guild", guild);
    answered(guild, members, said)
}

fn answered(guild: GuildId, members: usize, said: Message) -> Result<Document, Message> {
    if members == 0 { Err(none(guild)) } else { Ok(Document::of_lines(vec![said.into()])) }
}

/// What a doctor says of a server.
pub fn finding(guild: GuildId, roles: i64, jobs: i64) -> Line {
    Line::from(message("finding-held").with("guild", guild).with("jobs", jobs).with("roles", roles))
        .fix(message("finding-held-fix").with("guild", guild.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{clock::Timestamp, ids::UserId, views::terminal};

    #[test]
    fn an_owner_sees_how_many_would_lose_what_and_why_and_how_to_answer() {
        let (guild, role) = (GuildId::from_u64(1).unwrap(), RoleId::from_u64(5).unwrap());
        let users = |ids: std::ops::Range<u64>| ids.filter_map(UserId::from_u64).collect::<Vec<_>>();
        let members = BTreeMap::from([
            ("is active, without what gives the role".to_owned(), users(100..122)),
            ("is canceled".to_owned(), users(7..8)),
        ]);
        let why = ["held: too many".to_owned()].into();
        let held = HeldRole { role, since: Timestamp::UNIX_EPOCH, why, members };
        let said = terminal::render(&document(guild, &[held]));
        insta::assert_snapshot!(said, @r"
        Role 5 is not taken from 23 member(s) until you agree
          since 1970-01-01 00:00:00 UTC
          held: too many
          is active, without what gives the role: 22
              member 100
              member 101
              member 102
              member 103
              member 104
              member 105
              member 106
              member 107
              member 108
              member 109
              member 110
              member 111
              member 112
              member 113
              member 114
              member 115
              member 116
              member 117
              member 118
              member 119
              and 2 more
          is canceled: 1
              member 7

        If it is a mistake, correct it (a mapping, a policy, the subscriptions at Stripe): who is due to have the role keeps it, and is not held any more.
        To have it taken from them: `nexrole held approve --guild 1 --role …`, with `--member …` from one of them.
        To leave it to them, whatever they pay: `nexrole held discard --guild 1 --role …`, with `--member …` to one of them.
        ");
        insta::assert_snapshot!(terminal::render(&document(guild, &[])), @"Nothing is held in server 1.");
        let text = |said: Result<Document, Message>| match said {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        };
        insta::assert_snapshot!(text(approved(guild, role, 38)), @"Approved. 38 member(s) lose role 5, as soon as the bot has taken it.");
        insta::assert_snapshot!(text(discarded(guild, role, 38)), @"Discarded. 38 member(s) keep role 5, as given by hand, whatever they pay: `nexrole revoke --guild 1` ends it for each.");
        insta::assert_snapshot!(text(approved(guild, role, 0)), @"error: Nothing is held in server 1.");
        insta::assert_snapshot!(terminal::text(&finding(guild, 1, 38).text), @"server 1: 38 role change(s) of 1 role(s) are held: so many within a day may be a mistake");
    }
}

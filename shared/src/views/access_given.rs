//! What came of giving access by hand. In: an action's outcome. Out: what is said; as an error, why nothing was done.

use super::{
    document::{Document, Line, Message, Section, message},
    mapping_changes::dangerous,
};
use crate::{
    actions::{
        grant::{Grant, Granted},
        import::{Import, Imported},
        revoke::Revoked,
    },
    clock::Timestamp,
    domain::{entitlement::member_list::BadLine, roles::enforcement::Enforcement},
    ids::{GuildId, RoleId, UserId},
};

pub fn granted(guild: GuildId, wanted: &Grant, outcome: &Granted) -> Result<Document, Message> {
    let role = wanted.role;
    let (said, enforcement) = match outcome {
        Granted::NotMapped => return Err(not_mapped(guild, role)),
        Granted::Everyone => return Err(message("mapped-everyone").with("role", role)),
        Granted::Dangerous(danger) => return Err(dangerous(role, danger)),
        Granted::Over => return Err(message("given-over")),
        Granted::AlreadySo => return Ok(Document::of_lines(vec![message("given-already").into()])),
        Granted::Begun(enforcement) => (message("given").with("end", end(wanted.until)), *enforcement),
        Granted::Changed(enforcement) => {
            (message("given-changed").with("end", end(wanted.until)), *enforcement)
        }
    };
    let follows = match enforcement {
        Enforcement::On => message("given-on"),
        Enforcement::Unseen => message("given-unseen"),
        Enforcement::Observe => message("given-observed").with("role", role).with("guild", guild),
    };
    Ok(Document::of_lines(vec![said.into(), follows.into()]))
}

pub fn revoked(role: RoleId, member: UserId, outcome: &Revoked) -> Result<Document, Message> {
    let keeps = |kept_by: &[String]| kept_by.join(", ");
    let said = match outcome {
        Revoked::NotGiven { kept_by } if kept_by.is_empty() => {
            return Err(message("not-given").with("role", role).with("member", member));
        }
        Revoked::NotGiven { kept_by } => {
            let said = message("not-given-but-kept").with("role", role).with("member", member);
            return Err(said.with("sources", keeps(kept_by)));
        }
        Revoked::Ended { kept_by, .. } if !kept_by.is_empty() => {
            message("taken-back-kept").with("member", member).with("sources", keeps(kept_by))
        }
        Revoked::Ended { enforcement: Some(Enforcement::Observe), .. } => message("taken-back-observed"),
        Revoked::Ended { .. } => message("taken-back").with("member", member),
    };
    Ok(Document::of_lines(vec![said.with("role", role).into()]))
}

pub fn imported(guild: GuildId, wanted: &Import, outcome: &Imported) -> Result<Document, Message> {
    let role = wanted.role;
    let Imported::Written { begun, changed, same, enforcement } = outcome else {
        return Err(match outcome {
            Imported::Everyone => message("mapped-everyone").with("role", role),
            Imported::Dangerous(danger) => dangerous(role, danger),
            Imported::Over => message("imported-over"),
            _ => not_mapped(guild, role),
        });
    };
    let count = message("imported").with("begun", *begun).with("changed", *changed).with("same", *same);
    let reason = message("imported-reason").with("role", role).with("end", end(wanted.sunset));
    let mut lines: Vec<Line> = vec![count.into(), reason.into(), message("imported-kept").into()];
    if *enforcement == Enforcement::Observe {
        lines.push(message("given-observed").with("role", role).with("guild", guild).into());
    }
    Ok(Document::of_lines(lines))
}

/// A list of members of which nothing was taken, since these lines are no Discord ids.
pub fn bad_list(bad: &[BadLine]) -> Document {
    let line =
        |bad: &BadLine| message("import-bad-line").with("number", bad.number).with("text", bad.text.clone());
    let lines = bad.iter().map(|bad| line(bad).into()).collect();
    let title = message("import-bad").with("count", bad.len());
    Document { sections: vec![Section::titled(title, lines)], ..Document::default() }
}

fn not_mapped(guild: GuildId, role: RoleId) -> Message {
    message("given-not-mapped").with("role", role).with("guild", guild)
}

fn end(until: Option<Timestamp>) -> Message {
    until.map_or_else(|| message("without-end"), |until| message("until").with("until", until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::entitlement::given::Reason, views::terminal};

    fn said(outcome: Result<Document, Message>) -> String {
        match outcome {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        }
    }

    fn ids() -> (GuildId, RoleId, UserId) {
        (GuildId::from_u64(1).unwrap(), RoleId::from_u64(5).unwrap(), UserId::from_u64(7).unwrap())
    }

    fn wanted(until: Option<Timestamp>) -> Grant {
        let (_, role, member) = ids();
        Grant { member, role, reason: Reason::parse("a prize").unwrap(), until }
    }

    #[test]
    fn whoever_gives_a_role_is_told_until_when_and_what_follows() {
        let (guild, ..) = ids();
        let granted = |until, outcome| said(granted(guild, &wanted(until), &outcome));
        let end = Some(time::macros::datetime!(2027-01-01 0:00 UTC));
        insta::assert_snapshot!(granted(end, Granted::Begun(Enforcement::On)), @r"
        Given until 2027-01-01 00:00:00 UTC.
        The bot gives the role if the member does not have it.
        ");
        insta::assert_snapshot!(granted(None, Granted::Changed(Enforcement::Observe)), @r"
        It was given already; now without an end.
        Role 5 is only observed: nothing is changed until `nexrole map enforce --guild 1 --role 5` turns it on.
        ");
        insta::assert_snapshot!(granted(None, Granted::NotMapped), @"error: role 5 is not mapped, so nobody checked yet who holds it and what it may do: first map what it is sold by, `nexrole map add --guild 1 --role 5 …`");
        insta::assert_snapshot!(granted(None, Granted::Over), @"error: that end has passed; nothing was changed");
    }

    #[test]
    fn whoever_takes_a_role_back_is_told_what_still_gives_it() {
        let (_, role, member) = ids();
        let revoked = |outcome| said(revoked(role, member, &outcome));
        let kept_by = vec!["sub_1 is active".to_owned()];
        let enforcement = Some(Enforcement::On);
        insta::assert_snapshot!(revoked(Revoked::Ended { kept_by: kept_by.clone(), enforcement }), @"Taken back. Member 7 keeps role 5: sub_1 is active.");
        insta::assert_snapshot!(revoked(Revoked::Ended { kept_by: Vec::new(), enforcement }), @"Taken back. Member 7 loses role 5 as soon as the bot has taken it; if they had it from somebody else, they keep it.");
        insta::assert_snapshot!(revoked(Revoked::NotGiven { kept_by }), @"error: role 5 was not given to member 7 by hand; they have it because sub_1 is active");
    }

    #[test]
    fn whoever_imports_is_told_how_many_and_that_nobody_loses_what_they_have() {
        let (guild, role, _) = ids();
        let wanted = Import { members: Default::default(), role, sunset: None };
        let written = Imported::Written { begun: 3, changed: 1, same: 2, enforcement: Enforcement::Observe };
        insta::assert_snapshot!(said(imported(guild, &wanted, &written)), @r"
        Imported: 3 new, 1 with another end than before, 2 as they were.
        It is a reason to have role 5 without an end.
        Who has it now has it from somebody else, and keeps it whatever ends: Nexrole takes only what it gave.
        Role 5 is only observed: nothing is changed until `nexrole map enforce --guild 1 --role 5` turns it on.
        ");
        let bad = [BadLine { number: 4, text: "ana".to_owned() }];
        insta::assert_snapshot!(terminal::render(&bad_list(&bad)), @r"
        1 line(s) are no Discord id; nothing was changed
          line 4: ana
        ");
    }
}

//! What went on in a server lately. In: lines of the log, newest first. Out: a list.

use super::document::{Document, Message, Section, Value, message};
use crate::{ids::GuildId, store::activity_log::Line};

/// As wide as the longest kind.
const KIND: usize = 15;

pub fn document(guild: GuildId, lines: &[Line]) -> Document {
    let lines = lines.iter().map(|line| entry(line).into()).collect();
    let section = Section::titled(message("activity").with("guild", guild), lines);
    Document { sections: vec![section.if_empty(message("nothing-yet"))], ..Document::default() }
}

fn entry(line: &Line) -> Message {
    let mut said = message("activity-entry")
        .with("at", line.at)
        .with("action", Value::Cell(line.action.clone(), KIND))
        .with("actor", &*line.actor);
    if let Some(member) = line.user_id {
        said = message("activity-about").with("entry", said).with("member", member);
    }
    if let Some(detail) = &line.detail {
        said = message("activity-detail").with("entry", said).with("detail", Value::code(detail));
    }
    said
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::{ids::UserId, views::terminal};

    #[test]
    fn an_entry_says_who_did_what_and_about_whom() {
        let line = |action: &str, user, detail: Option<&str>| Line {
            at: OffsetDateTime::UNIX_EPOCH,
            actor: "bot".to_owned(),
            action: action.to_owned(),
            user_id: user,
            detail: detail.map(str::to_owned),
        };
        let ana = UserId::from_u64(7);
        let lines = [
            line("bot.away", None, None),
            line("role.refused", None, Some("role 5: Discord answers 403 with code 50013")),
            line("member.read", ana, None),
            line("catalogue.read", ana, Some("x")),
        ];
        let said = |lines: &[Line]| terminal::render(&document(GuildId::from_u64(1).unwrap(), lines));
        insta::assert_snapshot!(said(&lines), @r"
        Server 1, the last 90 days, newest first
          1970-01-01 00:00:00 UTC  bot.away        by bot
          1970-01-01 00:00:00 UTC  role.refused    by bot  role 5: Discord answers 403 with code 50013
          1970-01-01 00:00:00 UTC  member.read     by bot  member 7
          1970-01-01 00:00:00 UTC  catalogue.read  by bot  member 7  x
        ");
        insta::assert_snapshot!(said(&[]), @r"
        Server 1, the last 90 days, newest first
          nothing yet
        ");
    }
}

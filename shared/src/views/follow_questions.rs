//! Roles that a person gave to members who pay for them now: whether each is to follow the payment. In: the questions, or an answer's
//! outcome. Out: what is asked or said; as an error, why nothing was done.

use super::{
    document::{Document, Line, Message, Section, Tone, Value, message},
    mapping_changes::dangerous,
};
use crate::{
    actions::follow_payment::{Answer, Answered, Whom},
    domain::roles::enforcement::Enforcement,
    ids::{GuildId, RoleId},
    store::follow_questions::Asked,
};

/// Members of a role that are named one by one.
const NAMED: usize = 20;

/// What is open, by role.
pub fn document(guild: GuildId, open: &[Asked]) -> Document {
    if open.is_empty() {
        return Document::of_lines(vec![message("follow-none").into()]);
    }
    let sections = open.chunk_by(|one, next| one.role_id == next.role_id);
    let sections = sections.filter_map(|asked| Some(of_role(guild, asked.first()?.role_id, asked)));
    Document { tone: Tone::Question, sections: sections.collect(), ..Document::default() }
}

fn of_role(guild: GuildId, role: RoleId, asked: &[Asked]) -> Section {
    let mut lines: Vec<Line> = Vec::new();
    for one in asked.iter().take(NAMED) {
        if let Some(since) = one.pays_since {
            lines.push(message("follow-member").with("member", one.user_id).with("since", since).into());
        }
    }
    if asked.len() > NAMED {
        lines.push(message("follow-more").with("count", asked.len() - NAMED).into());
    }
    // Ids as they are, to be copied into a command.
    let command = |said: Message| -> Line {
        said.with("guild", guild.to_string()).with("role", role.to_string()).into()
    };
    lines.push(command(message("follow-one-fix")));
    lines.push(command(message("follow-everyone-fix").with("count", asked.len().to_string())));
    Section::titled(message("follow-role").with("role", role).with("count", asked.len()), lines)
}

pub fn answered(guild: GuildId, answer: &Answer, outcome: &Answered) -> Result<Document, Message> {
    let role = answer.role;
    let about = |said: Message| match answer.whom {
        Whom::Member(member) => said.with("member", member.to_string()),
        Whom::Everyone { .. } => said,
    };
    let command = |said: Message| about(said).with("guild", guild.to_string()).with("role", role.to_string());
    let mut lines: Vec<Line> = Vec::new();
    match outcome {
        Answered::NotAsked => return Err(command(message("follow-not-asked"))),
        Answered::AlreadyOurs => return Err(command(message("follow-already-ours"))),
        Answered::Dangerous(danger) => return Err(dangerous(role, danger)),
        Answered::Open(count) => return Err(command(message("follow-not-so-many").with("count", *count))),
        Answered::AlreadySo => lines.push(message("follow-already").into()),
        Answered::Written { members, .. } => {
            let said = if answer.follows { message("follow-yes") } else { message("follow-no") };
            lines.push(said.with("members", *members).with("role", role).into());
        }
    }
    if let Answered::Written { enforcement: Some(Enforcement::Observe), .. } = outcome
        && answer.follows
    {
        let observed = message("given-observed").with("role", Value::code(role)).with("guild", guild);
        lines.push(observed.into());
    }
    Ok(Document::of_lines(lines))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{domain::roles::by_hand::Question, ids::UserId, views::terminal};

    fn guild() -> GuildId {
        GuildId::from_u64(1).unwrap()
    }

    fn role(id: u64) -> RoleId {
        RoleId::from_u64(id).unwrap()
    }

    fn user(id: u64) -> UserId {
        UserId::from_u64(id).unwrap()
    }

    fn asked(member: u64, of: u64) -> Asked {
        Asked {
            user_id: user(member),
            role_id: role(of),
            state: Question::Open,
            asked_at: datetime!(2026-11-27 12:00 UTC),
            answered_at: None,
            pays_since: Some(datetime!(2026-11-27 11:00 UTC)),
        }
    }

    fn said(answer: Answer, outcome: &Answered) -> String {
        match answered(guild(), &answer, outcome) {
            Ok(document) => terminal::render(&document),
            Err(refused) => format!("error: {}", terminal::text(&refused)),
        }
    }

    #[test]
    fn each_role_has_its_members_and_the_two_ways_to_answer() {
        insta::assert_snapshot!(terminal::render(&document(guild(), &[asked(11, 5), asked(12, 5), asked(11, 6)])), @r"
        Role 5 was given by hand to 2 members who pay for it now: let it follow the payment?
          member 11  pays since 2026-11-27 11:00:00 UTC
          member 12  pays since 2026-11-27 11:00:00 UTC
          One member: nexrole follow --guild 1 --role 5 --member … yes (or no)
          All of them: nexrole follow --guild 1 --role 5 --everyone 2 yes (or no)

        Role 6 was given by hand to 1 member who pays for it now: let it follow the payment?
          member 11  pays since 2026-11-27 11:00:00 UTC
          One member: nexrole follow --guild 1 --role 6 --member … yes (or no)
          All of them: nexrole follow --guild 1 --role 6 --everyone 1 yes (or no)
        ");
        assert!(terminal::render(&document(guild(), &[])).starts_with("Nothing is asked"));
    }

    #[test]
    fn many_members_are_counted() {
        let many: Vec<_> = (1..=600).map(|member| asked(member, 5)).collect();
        let text = terminal::render(&document(guild(), &many));
        assert!(text.contains("600 members who pay") && text.contains("and 580 more"), "{text}");
        assert!(text.contains("--everyone 600 yes") && text.lines().count() < 30, "{text}");
    }

    #[test]
    fn every_outcome_has_words() {
        let one = Answer { whom: Whom::Member(user(11)), role: role(5), follows: true };
        let all = Answer { whom: Whom::Everyone { counted: 3 }, ..one };
        insta::assert_snapshot!(said(one, &Answered::NotAsked), @"error: nothing is asked about role 5 of member 11: `nexrole follow --guild 1` lists what is");
        insta::assert_snapshot!(said(one, &Answered::AlreadySo), @"It was answered so already.");
        insta::assert_snapshot!(said(Answer { follows: false, ..one }, &Answered::AlreadyOurs), @"error: role 5 of member 11 follows the payment already; to let them have it beyond that, `nexrole grant --guild 1 --member 11 --role 5 --reason …`");
        assert!(
            said(one, &Answered::Dangerous("it gives Administrator".to_owned()))
                .contains("must not be given")
        );
        insta::assert_snapshot!(said(all, &Answered::Open(2)), @"error: 2 questions are open about role 5, not as many as you said; nothing was changed: `nexrole follow --guild 1` lists them");
        insta::assert_snapshot!(said(all, &Answered::Open(0)), @"error: nothing is open about role 5; nothing was changed: `nexrole follow --guild 1` lists them");
        let written = Answered::Written { members: 3, enforcement: Some(Enforcement::Observe) };
        insta::assert_snapshot!(said(all, &written), @r"
        Answered for 3 member(s): the bot checks them, and where they have role 5 still, it ends with the payment from then on.
        Role 5 is only observed: nothing is changed until `nexrole map enforce --guild 1 --role 5` turns it on.
        ");
        insta::assert_snapshot!(said(Answer { follows: false, ..all }, &written), @"Answered for 3 member(s): role 5 stays when the payment ends.");
    }
}

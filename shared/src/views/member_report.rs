//! Why a member has, or lacks, roles. In: the explanation and what it was made of, the time. Out: a report: what is said of each role,
//! trials, what they were told, and what happened.

use super::{
    document::{Document, Line, Message, Section, Tone, Value, message},
    explanation, refusal,
};
use crate::{
    actions::explain::MemberExplained,
    clock::Timestamp,
    domain::{
        explain::{Bought, Connection, Entry, Facts},
        notices::NoticeState,
    },
    ids::GuildId,
    store::why::Notice,
};

pub fn document(guild: GuildId, explained: &MemberExplained, now: Timestamp) -> Document {
    let MemberExplained { explanation, report } = explained;
    let member = report.facts.member;
    let closed =
        report.facts.closed.map(|closed| message("member-closed").with("closed", refusal::held_up(closed)));
    let mut sections: Vec<Section> =
        closed.map(|said| Section::untitled(vec![said.into()])).into_iter().collect();
    sections.extend(explanation::sections(guild, member, explanation, now));
    sections.extend(manage(&report.facts));
    sections.extend(trials(&report.facts));
    sections.extend(notices(&report.notices));
    sections.push(history(&report.facts.history));
    Document {
        title: Some(message("member").with("member", member).with("guild", guild)),
        tone: Tone::Neutral,
        sections,
    }
}

/// Of each account that is connected, and that they bought something at.
fn manage(facts: &Facts) -> Option<Section> {
    let theirs = |connection: &&Connection| {
        let bought_there =
            |it: &Bought| it.connection_id == connection.connection_id && it.user() == Some(facts.member);
        connection.is_active && facts.bought.iter().any(bought_there)
    };
    let pages = facts.connections.iter().filter(theirs).filter_map(|connection| connection.portal.page());
    let lines: Vec<Line> = pages.map(|page| message("member-manage").with("page", page).into()).collect();
    (!lines.is_empty()).then(|| Section::untitled(lines))
}

/// Only who had more than one is of interest.
fn trials(facts: &Facts) -> Option<Section> {
    let theirs = facts.bought.iter().filter(|bought| bought.user() == Some(facts.member));
    let mut trials: Vec<(Timestamp, &Bought)> =
        theirs.filter_map(|bought| Some((bought.trial_began_at?, bought))).collect();
    trials.sort_by_key(|(began, bought)| (*began, bought.connection_id, bought.id.clone()));
    let line = |(place, (began, trial)): (usize, &(Timestamp, &Bought))| -> Line {
        let told = if place == 0 { message("member-trial-first") } else { message("member-trial-repeated") };
        let end = trial.trial_ends_at.map(|at| message("member-trial-end").with("at", at));
        Line::from(told.with("subscription", Value::code(&trial.id)).with("since", *began)).note(end)
    };
    let lines: Vec<_> = trials.iter().enumerate().map(line).collect();
    (lines.len() > 1).then(|| Section::titled(message("member-trials"), lines))
}

fn notices(notices: &[Notice]) -> Option<Section> {
    let line = |notice: &Notice| -> Line {
        let said = message("member-notice").with("source", Value::code(&notice.source_id));
        said.with("kind", notice.kind.as_str()).with("state", told(notice)).into()
    };
    let lines: Vec<_> = notices.iter().map(line).collect();
    (!lines.is_empty()).then(|| Section::titled(message("member-notices"), lines))
}

fn told(notice: &Notice) -> Message {
    let why = || notice.outcome.clone().unwrap_or_default();
    match (notice.state, notice.next_at, notice.sent_at) {
        (NoticeState::Pending, Some(at), _) if notice.outcome.is_none() => {
            message("member-notice-due").with("at", at)
        }
        (NoticeState::Pending, Some(at), _) => {
            message("member-notice-again").with("at", at).with("why", why())
        }
        (NoticeState::Sent, _, Some(at)) => message("member-notice-sent").with("at", at),
        (NoticeState::Unsure, _, Some(at)) => {
            message("member-notice-unsure").with("at", at).with("why", why())
        }
        _ => message("member-notice-not-told").with("why", why()),
    }
}

fn history(entries: &[Entry]) -> Section {
    /// Of an action's word.
    const WIDTH: usize = 13;
    let line = |entry: &Entry| -> Line {
        let line = match entry.role_id {
            Some(role) => message("member-event-of-role").with("role", role),
            None => message("member-event"),
        };
        line.with("at", entry.at)
            .with("action", Value::Cell(entry.action.clone(), WIDTH))
            .with("actor", &*entry.actor)
            .with("cause", &*entry.cause)
            .into()
    };
    let lines = entries.iter().map(line).collect();
    Section::titled(message("member-history"), lines).if_empty(message("nothing-yet"))
}

#[cfg(test)]
#[path = "member_report_tests.rs"]
mod tests;

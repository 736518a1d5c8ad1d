//! What was given up, or fails again and again. In: all of it, of a server. Out: what, whose, since when, how often, why, and what helps.

use std::collections::BTreeMap;

use super::document::{Document, Line, Message, Section, Value, message};
use crate::{
    actions::{failed::Failed, retry::Retried},
    clock::Timestamp,
    domain::{
        failed::{FailedListKind, Target},
        notices::NoticeState,
    },
    ids::{ConnectionId, GuildId, RoleId},
    store::failures::{FailedJob, FailedList, FailedNotice, FailedRead, LostEvent},
};

/// Of many that fail alike, so many are named.
const NAMED: usize = 5;

pub fn document(guild: GuildId, failed: &Failed) -> Document {
    if failed.is_empty() {
        return Document::of_lines(vec![none(guild).into()]);
    }
    let mut sections = lists(failed);
    sections.extend(reads(failed));
    sections.extend(events(failed));
    sections.extend(jobs(failed));
    sections.extend(failed.notices.iter().map(notice));
    let next = [message("failed-retry"), message("failed-retry-all")];
    let next = next.into_iter().map(|next| next.with("guild", guild).into());
    sections.push(Section::untitled(next.collect()));
    Document { sections, ..Document::default() }
}

/// Nothing failed.
pub fn none(guild: GuildId) -> Message {
    message("failed-none").with("guild", guild)
}

/// A connection's label.
fn label(failed: &Failed, connection: ConnectionId) -> Value {
    let listed = failed.connections.iter().find(|listed| listed.connection_id == connection);
    Value::code(listed.map_or_else(|| connection.to_string(), |listed| listed.label.clone()))
}

/// Since when, how often, and when next.
fn times(since: Option<Timestamp>, attempts: i32, next: Option<Timestamp>) -> Line {
    let mut line = Line::from(match since {
        Some(since) => message("failed-since").with("since", since),
        None => message("failed-answered"),
    });
    if attempts > 0 {
        line = line.note(message("failed-attempts").with("count", i64::from(attempts)));
    }
    line.note(match next {
        Some(next) => message("failed-next").with("at", next),
        None => message("failed-given-up"),
    })
}

fn error(error: &str) -> Line {
    message("failed-error").with("error", Value::code(error)).into()
}

fn lists(failed: &Failed) -> Vec<Section> {
    let of = |list: &FailedList| {
        let title = match list.what {
            FailedListKind::Events => message("failed-events"),
            FailedListKind::Other => message("failed-other"),
            FailedListKind::List => message("failed-list"),
            FailedListKind::Backfill => message("failed-backfill"),
        };
        let id = Value::code(list.what.target(list.connection_id));
        let title = title.with("id", id).with("connection", label(failed, list.connection_id));
        let lines = vec![
            times(Some(list.since), 0, Some(list.next_at)),
            error(&list.error),
            message("failed-stripe-fix").into(),
        ];
        Section::titled(title, lines)
    };
    failed.lists.iter().map(of).collect()
}

/// Those that fail for the same reason stand together.
fn reads(failed: &Failed) -> Vec<Section> {
    let mut alike: BTreeMap<(ConnectionId, bool, bool, &str), Vec<&FailedRead>> = BTreeMap::new();
    for read in &failed.reads {
        let why = read.error.as_deref().unwrap_or_default();
        let key = (read.connection_id, read.is_missing, read.next_at.is_none(), why);
        alike.entry(key).or_default().push(read);
    }
    let section = |((connection, is_missing, is_given_up, why), reads): (
        (ConnectionId, bool, bool, &str),
        Vec<&FailedRead>,
    )| {
        let title =
            message("failed-reads").with("count", reads.len()).with("connection", label(failed, connection));
        let since = reads.iter().filter_map(|read| read.since).min();
        let attempts = reads.iter().map(|read| read.attempts).max().unwrap_or(0);
        let next = reads.iter().filter_map(|read| read.next_at).min();
        let mut lines = vec![times(since, attempts, next)];
        if !why.is_empty() {
            lines.push(error(why));
        }
        let fix = match (is_missing, is_given_up) {
            (true, true) => message("failed-missing-given-up"),
            (true, false) => message("failed-missing-fix"),
            (false, _) => message("failed-stripe-fix"),
        };
        lines.push(fix.into());
        let named = reads.iter().take(NAMED).map(|read| of_member(&read.object_id, read));
        Section::titled(title, with_names(lines, named.collect(), reads.len()))
    };
    alike.into_iter().map(section).collect()
}

fn of_member(id: &str, read: &FailedRead) -> Message {
    match read.member {
        Some(member) => message("failed-object-of").with("id", Value::code(id)).with("member", member),
        None => message("failed-object").with("id", Value::code(id)),
    }
}

/// The first line has the names below it.
fn with_names(mut lines: Vec<Line>, mut names: Vec<Message>, count: usize) -> Vec<Line> {
    if let Some(more) = count.checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(message("held-more").with("count", more));
    }
    if let Some(last) = lines.last_mut() {
        last.details = names;
    }
    lines
}

fn events(failed: &Failed) -> Vec<Section> {
    let of = |event: &LostEvent| {
        let title = message("failed-event")
            .with("id", Value::code(&event.event_id))
            .with("type", Value::code(&event.kind))
            .with("object", Value::code(&event.object_id));
        let lines = vec![times(Some(event.received_at), 0, None), message("failed-event-fix").into()];
        Section::titled(title, lines)
    };
    failed.events.iter().map(of).collect()
}

/// Those of one role that fail for the same reason stand together.
fn jobs(failed: &Failed) -> Vec<Section> {
    let mut alike: BTreeMap<(RoleId, bool, &str), Vec<&FailedJob>> = BTreeMap::new();
    for job in &failed.jobs {
        alike.entry((job.role_id, job.next_at.is_none(), &job.error)).or_default().push(job);
    }
    let section = |((role, is_given_up, why), jobs): ((RoleId, bool, &str), Vec<&FailedJob>)| {
        let title = message("failed-jobs")
            .with("id", Value::code(Target::Role(role)))
            .with("role", role)
            .with("count", jobs.len());
        let since = jobs.iter().map(|job| job.since).min();
        let attempts = jobs.iter().map(|job| job.attempts).max().unwrap_or(0);
        let next = jobs.iter().filter_map(|job| job.next_at).min();
        let fix = match is_given_up {
            true => message("failed-jobs-given-up"),
            false => message("failed-jobs-fix"),
        };
        let lines = vec![times(since, attempts, next), error(why), fix.into()];
        let named = jobs.iter().take(NAMED).map(|job| message("held-member").with("member", job.user_id));
        Section::titled(title, with_names(lines, named.collect(), jobs.len()))
    };
    alike.into_iter().map(section).collect()
}

fn notice(notice: &FailedNotice) -> Section {
    let title = message("failed-notice")
        .with("id", Value::code(Target::Notice(notice.notice_id)))
        .with("member", notice.user_id)
        .with("source", Value::code(&notice.source_id));
    let mut lines = vec![times(Some(notice.due_at), notice.attempts, notice.next_at)];
    lines.extend(notice.error.as_deref().map(error));
    let fix = match (notice.state, notice.may_be_sent) {
        (NoticeState::Unsure, _) | (_, false) => message("failed-notice-unsure"),
        (NoticeState::Pending, true) => message("failed-notice-pending"),
        (_, true) => message("failed-notice-fix"),
    };
    lines.push(fix.into());
    Section::titled(title, lines)
}

/// What came of a retry. `asked`: the id that was typed; `None`: all.
pub fn retried(guild: GuildId, asked: Option<&str>, outcome: &Retried) -> Result<Document, Message> {
    if outcome.is_nothing() {
        return Err(match asked {
            Some(id) => message("failed-unknown").with("guild", guild).with("id", Value::code(id)),
            None => none(guild),
        });
    }
    let said = [
        (message("retried-lists"), outcome.lists),
        (message("retried-objects"), outcome.objects),
        (message("retried-members"), outcome.members),
        (message("retried-notices"), outcome.notices),
        (message("retried-unsure"), outcome.unsure),
    ];
    let said = said.into_iter().filter(|(_, count)| *count > 0);
    let mut lines: Vec<Line> = said.map(|(said, count)| said.with("count", count).into()).collect();
    lines.push(message("retried-next").with("guild", guild).into());
    Ok(Document::of_lines(lines))
}

#[cfg(test)]
#[path = "failed_tests.rs"]
mod tests;

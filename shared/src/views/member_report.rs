//! Why a member has, or lacks, a role. In: what the database has of them, and the time. Out: a report with what helps.

use super::{
    connections,
    document::{Document, Line, Message, Section, Tone, Value, message},
    follow_questions, held, ownership, refusal,
};
use crate::{
    clock::Timestamp,
    domain::{
        delivery::refusal::tried_at,
        job::JobState,
        notices::NoticeState,
        roles::{enforcement::Enforcement, grant::GrantState},
    },
    ids::{GuildId, UserId},
    store::why::{Customer, Event, Held, MemberReport, Notice, OpenJob, Source, Trial},
};

pub fn document(guild: GuildId, member: UserId, report: &MemberReport, now: Timestamp) -> Document {
    let sections = [
        Some(customers(guild, report)),
        subscriptions(report),
        for_others(report),
        trials(report),
        Some(sources(guild, report)),
        Some(has(report)),
        by_hand(guild, report),
        Some(jobs(guild, member, report, now)),
        notices(report),
        Some(history(report)),
    ];
    Document {
        title: Some(message("member").with("member", member).with("guild", guild)),
        tone: Tone::Neutral,
        sections: sections.into_iter().flatten().collect(),
    }
}

fn customers(guild: GuildId, report: &MemberReport) -> Section {
    let line = |Customer { customer_id, holder, named }: &Customer| -> Line {
        let customer = Value::code(customer_id);
        match named {
            Some(named) if named != holder => {
                let disputed = message("member-customer-disputed").with("customer", customer);
                Line::from(disputed.with("dispute", ownership::dispute(*holder, *named)))
                    .fix(ownership::dispute_fix(guild, customer_id))
            }
            _ => message("member-customer").with("customer", customer).into(),
        }
    };
    let lines = report.customers.iter().map(line).collect();
    Section::titled(message("member-customers"), lines).if_empty(message("member-customers-none"))
}

fn subscriptions(report: &MemberReport) -> Option<Section> {
    let line = |(subscription, customer): &(String, String)| -> Line {
        let named = message("member-subscription").with("subscription", Value::code(subscription));
        named.with("customer", Value::code(customer)).into()
    };
    let lines: Vec<_> = report.subscriptions.iter().map(line).collect();
    (!lines.is_empty()).then(|| Section::titled(message("member-subscriptions"), lines))
}

fn for_others(report: &MemberReport) -> Option<Section> {
    let line = |(subscription, customer, other): &(String, String, UserId)| -> Line {
        let theirs = message("member-for-other").with("subscription", Value::code(subscription));
        theirs.with("customer", Value::code(customer)).with("other", *other).into()
    };
    let lines: Vec<_> = report.for_others.iter().map(line).collect();
    (!lines.is_empty()).then(|| Section::titled(message("member-for-others"), lines))
}

/// Only who had more than one is of interest.
fn trials(report: &MemberReport) -> Option<Section> {
    let line = |(place, trial): (usize, &Trial)| -> Line {
        let told = if place == 0 { message("member-trial-first") } else { message("member-trial-repeated") };
        let began = told.with("subscription", Value::code(&trial.subscription_id));
        let end = trial.ends_at.map(|at| message("member-trial-end").with("at", at));
        Line::from(began.with("since", trial.began_at)).note(end)
    };
    let lines: Vec<_> = report.trials.iter().enumerate().map(line).collect();
    (lines.len() > 1).then(|| Section::titled(message("member-trials"), lines))
}

fn sources(guild: GuildId, report: &MemberReport) -> Section {
    let line = |source: &Source| {
        let reason = message("member-source")
            .with("role", source.role_id)
            .with("state", &*source.state)
            .with("evidence", &*source.evidence)
            .with("since", source.changed_at);
        let end = source.given_until.filter(|_| source.state == "live");
        Line::from(reason)
            .note(
                source
                    .reason
                    .as_ref()
                    .map(|said| message("member-source-reason").with("reason", Value::code(said))),
            )
            .note(end.map(|at| message("member-source-until").with("until", at)))
            .note(without_effect(report, source))
            .note(unbacked(guild, source))
    };
    let lines = report.sources.iter().map(line).collect();
    Section::titled(message("member-sources"), lines).if_empty(message("member-sources-none"))
}

/// Why a reason gives nobody the role.
fn without_effect(report: &MemberReport, source: &Source) -> Option<Message> {
    match (source.enforcement, &source.danger) {
        _ if report.deleted.contains(&source.role_id) => Some(message("member-role-deleted")),
        (Some(_), Some(danger)) => Some(message("member-role-suspended").with("danger", &**danger)),
        (Some(Enforcement::On), None) => None,
        (Some(Enforcement::Unseen), None) => Some(message("member-role-unseen")),
        (Some(Enforcement::Observe), None) => Some(message("member-role-observed")),
        (None, _) => Some(message("member-role-unmapped")),
    }
}

/// A live reason whose end no read will show: why, and what helps.
fn unbacked(guild: GuildId, source: &Source) -> Option<Message> {
    let customer = source.customer_id.as_ref().filter(|_| source.state == "live")?;
    let why = if source.is_active {
        message("member-source-missing").with("since", source.missing_since?)
    } else {
        message("member-source-disconnected").with("mode", connections::mode(source.livemode))
    };
    let unbacked = message("member-source-unbacked").with("why", why).with("guild", guild.to_string());
    Some(unbacked.with("customer", ownership::customer_option(customer)))
}

fn has(report: &MemberReport) -> Section {
    let line = |held: &Held| -> Line {
        if report.deleted.contains(&held.role_id) {
            return message("member-held-deleted").with("role", held.role_id).into();
        }
        message("member-held").with("role", held.role_id).with("state", how_far(held)).into()
    };
    let lines = report.held.iter().map(line).collect();
    Section::titled(message("member-roles-held"), lines).if_empty(message("none"))
}

fn by_hand(guild: GuildId, report: &MemberReport) -> Option<Section> {
    let lines: Vec<_> =
        report.by_hand.iter().map(|asked| follow_questions::of_member(guild, asked)).collect();
    (!lines.is_empty()).then(|| Section::titled(message("member-by-hand"), lines))
}

fn how_far(held: &Held) -> Message {
    if let Some(at) = held.taken_at {
        return message("member-held-taken").with("at", at);
    }
    let state = match (held.state, held.confirmed_at) {
        (GrantState::Intended, _) | (GrantState::Confirmed, None) => message("member-held-intended"),
        (GrantState::Confirmed, Some(at)) => message("member-held-confirmed").with("at", at),
        (GrantState::Ending, _) => message("member-held-ending"),
    };
    match held.absent_since {
        Some(at) => message("member-held-absent").with("state", state).with("at", at),
        None => state,
    }
}

fn jobs(guild: GuildId, member: UserId, report: &MemberReport, now: Timestamp) -> Section {
    let line = |job: &OpenJob| -> Line {
        let outcome = match (&job.outcome, job.probe_at) {
            (Some(outcome), _) => Value::from(&**outcome),
            (None, Some(_)) => refusal::of_role(job.code).into(),
            (None, None) => message("member-job-not-tried").into(),
        };
        let at = tried_at(job.due_at, report.closed, job.probe_at);
        let next = if job.state == JobState::Held.as_str() {
            message("member-job-held").with("how", held::for_member(guild, job.role_id, member))
        } else {
            let next = if at > now { message("member-job-next") } else { message("member-job-due") };
            next.with("at", at)
        };
        message("member-job")
            .with("action", &*job.action)
            .with("role", job.role_id)
            .with("state", &*job.state)
            .with("next", next)
            .with("outcome", outcome)
            .into()
    };
    let mut lines: Vec<Line> =
        report.closed.map(|closed| refusal::held_up(closed).into()).into_iter().collect();
    lines.extend(report.jobs.iter().map(line));
    if report.jobs.is_empty() {
        lines.push(message("none").into());
    }
    Section::titled(message("member-jobs"), lines)
}

fn notices(report: &MemberReport) -> Option<Section> {
    let line = |notice: &Notice| -> Line {
        let said = message("member-notice").with("source", Value::code(&notice.source_id));
        said.with("kind", notice.kind.as_str()).with("state", told(notice)).into()
    };
    let lines: Vec<_> = report.notices.iter().map(line).collect();
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

fn history(report: &MemberReport) -> Section {
    /// Of an action's word.
    const WIDTH: usize = 13;
    let line = |event: &Event| -> Line {
        let line = match event.role_id {
            Some(role) => message("member-event-of-role").with("role", role),
            None => message("member-event"),
        };
        line.with("at", event.at)
            .with("action", Value::Cell(event.action.clone(), WIDTH))
            .with("actor", &*event.actor)
            .with("cause", &*event.cause)
            .into()
    };
    let lines = report.history.iter().map(line).collect();
    Section::titled(message("member-history"), lines).if_empty(message("nothing-yet"))
}

#[cfg(test)]
#[path = "member_report_tests.rs"]
mod tests;

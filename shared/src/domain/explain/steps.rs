//! The chain, from the first payment to what Discord answered last. In: the facts of a role. Out: steps.

use super::{
    explanation::{Answered, Step, What},
    facts::{Bought, Customer, Entry, Facts, Source},
    role::OfRole,
    source::state,
};
use crate::{
    clock::Timestamp,
    domain::{audit::AuditAction, roles::grant::GrantState},
};

/// Ended sources that are shown where something gives the role, and where nothing does.
const ENDED_BESIDE: usize = 0;
const ENDED_ALONE: usize = 1;

fn at(at: Timestamp, what: What) -> Step {
    Step { at: Some(at), what }
}

pub(super) fn of_role(facts: &Facts, of: &OfRole<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let ended = if of.is_due() { ENDED_BESIDE } else { ENDED_ALONE };
    let ended = of.sources.iter().copied().filter(|source| !source.is_live).take(ended);
    let shown: Vec<&Source> = of.live().chain(ended).collect();
    if let Some(first) = first(facts, of)
        && shown
            .iter()
            .all(|source| source.last_change(&facts.history).is_none_or(|entry| entry.at > first.at))
    {
        steps.push(at(first.at, What::First { cause: first.cause.clone() }));
    }
    for source in &shown {
        steps.extend(of_source(facts, source));
    }
    if shown.is_empty() {
        let sold =
            facts.bought.iter().find(|bought| facts.mappings_of(bought, of.role.role_id).next().is_some());
        steps.extend(sold.into_iter().flat_map(|bought| of_bought(facts, bought)));
    }
    if let Some(question) = of.role.question {
        steps.push(Step { at: of.role.answered_at.or(of.role.asked_at), what: What::Question(question) });
    }
    steps.push(Step { at: None, what: What::Desired(of.is_due()) });
    if let Some(job) = of.open().or_else(|| of.jobs.last().copied()) {
        let what = What::Job {
            id: job.job_id,
            action: job.action.clone(),
            state: job.state.clone(),
            outcome: job.outcome.clone(),
            tried_at: of.tried_at().filter(|_| job.finished_at.is_none()),
        };
        steps.push(at(job.finished_at.unwrap_or(job.created_at), what));
    }
    steps.extend(answered(facts, of));
    steps.extend(facts.pending_since.filter(|_| of.is_due()).map(|since| at(since, What::Pending)));
    steps
}

/// The first that is known of what gives the role.
fn first<'f>(facts: &'f Facts, of: &OfRole<'_>) -> Option<&'f Entry> {
    facts.history.iter().rev().find(|entry| {
        entry.role_id == Some(of.role.role_id) && entry.action == AuditAction::AccessBegan.as_str()
    })
}

fn of_source(facts: &Facts, source: &Source) -> Vec<Step> {
    let mut steps = Vec::new();
    let bought = facts.bought(source);
    if let Some(bought) = bought {
        steps.extend(link(facts, bought));
    }
    if let Some(entry) = source.last_change(&facts.history) {
        steps.push(cause(facts, entry));
    }
    if let Some(bought) = bought {
        steps.push(read(bought));
        for mapping in facts.mappings_of(bought, source.role_id) {
            if let Some((state, rule)) = state(bought, mapping, source.valid_until) {
                steps.push(Step {
                    at: None,
                    what: What::Rule { sold: mapping.sold.to_string(), state, rule },
                });
            }
        }
    }
    let what = What::Source {
        is_live: source.is_live,
        evidence: source.evidence.clone(),
        reason: source.reason.clone(),
        until: source.valid_until.filter(|_| source.is_live),
    };
    steps.push(at(source.changed_at, what));
    steps
}

/// What led to a line of the audit log.
fn cause(facts: &Facts, entry: &Entry) -> Step {
    let event = entry.event().and_then(|id| facts.events.iter().find(|event| event.event_id == id));
    match event {
        Some(event) => {
            let what = What::Heard {
                event: event.event_id.clone(),
                kind: event.kind.clone(),
                received_at: event.received_at,
            };
            at(event.created.unwrap_or(event.received_at), what)
        }
        None => at(entry.at, What::Done { actor: entry.actor.clone(), cause: entry.cause.clone() }),
    }
}

fn read(bought: &Bought) -> Step {
    let status = match &bought.pause_cause {
        Some(cause) => format!("{} ({cause})", bought.status),
        None => bought.status.clone(),
    };
    let what = What::Read { id: bought.id.clone(), customer: bought.customer_id.clone(), status };
    at(bought.synced_at, what)
}

/// Whose the customer of something is, if that decides whose it is.
fn link(facts: &Facts, bought: &Bought) -> Option<Step> {
    let customer = facts.customers.iter().find(|customer| {
        bought.named.is_none()
            && customer.connection_id == bought.connection_id
            && Some(&customer.customer_id) == bought.customer_id.as_ref()
    });
    linked(customer?)
}

fn linked(customer: &Customer) -> Option<Step> {
    let proof = customer.proof.clone()?;
    Some(at(customer.linked_at?, What::Linked { customer: customer.customer_id.clone(), proof }))
}

/// Of something that gives no role.
pub(super) fn of_bought(facts: &Facts, bought: &Bought) -> Vec<Step> {
    link(facts, bought).into_iter().chain([read(bought)]).collect()
}

pub(super) fn of_customer(customer: &Customer) -> Vec<Step> {
    linked(customer).into_iter().collect()
}

/// What is known of the role at Discord.
fn answered(facts: &Facts, of: &OfRole<'_>) -> Vec<Step> {
    let role = of.role;
    if role.is_deleted() {
        let what = What::Answered(Answered::Deleted);
        return role.unlisted_at.map(|read_at| at(read_at, what)).into_iter().collect();
    }
    let mut steps = Vec::new();
    let logged = facts
        .history
        .iter()
        .find(|entry| entry.role_id == Some(role.role_id) && entry.action.starts_with("role."));
    let (state, confirmed) = (role.grant_state, role.confirmed_at);
    match (state, confirmed) {
        (Some(GrantState::Confirmed), Some(since)) => {
            steps.push(at(since, What::Answered(Answered::Gave)));
        }
        (Some(GrantState::Ending), _) => {
            let seen = logged.map_or_else(
                || Step { at: None, what: What::Answered(Answered::Took) },
                |entry| at(entry.at, What::Answered(Answered::Took)),
            );
            steps.push(seen);
        }
        (Some(_), _) => steps.push(Step { at: None, what: What::Answered(Answered::Asked) }),
        (None, _) => {
            if let Some(entry) = logged {
                let what = Answered::Logged { action: entry.action.clone(), cause: entry.cause.clone() };
                steps.push(at(entry.at, What::Answered(what)));
            }
        }
    }
    if let Some(since) = role.absent_since {
        steps.push(at(since, What::Answered(Answered::Absent)));
    }
    if let Some(since) = role.taken_at {
        steps.push(at(since, What::Answered(Answered::TakenByOthers)));
    }
    if role.probe_at.is_some() {
        steps.push(Step { at: None, what: What::Answered(Answered::Refused(role.code)) });
    }
    steps
}

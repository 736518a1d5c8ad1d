//! How a server is doing, in a screen: what is counted, and what somebody should look at, each with what helps.

use super::{
    connections,
    document::{Document, Line, Message, Section, Tone, Value, message},
    ownership, refusal,
};
use crate::{
    domain::{delivery::refusal::Refusal, roles::safety::remedy},
    ids::RoleId,
    store::{access_sources::Unbacked, guild_summary::Summary, member_links::Dispute},
};

/// Roles, and customers, that are named one by one.
const NAMED: usize = 3;

/// What is known of a server.
#[derive(Debug, Clone, Default)]
pub struct ServerStatus {
    /// `None`: it is not set up.
    pub summary: Option<Summary>,
    /// Suspended roles, each with why.
    pub suspended: Vec<(RoleId, String)>,
    /// Why Discord refuses the bot the whole server.
    pub refusal: Option<Refusal>,
    pub disputes: Vec<Dispute>,
    pub unbacked: Vec<Unbacked>,
}

pub fn document(status: &ServerStatus) -> Document {
    let Some(summary) = &status.summary else {
        let how = Section::untitled(vec![message("status-how-to-set-up").into()]);
        return Document {
            title: Some(message("status-not-set-up")),
            tone: Tone::Warning,
            sections: vec![how],
        };
    };
    let todo: Vec<Line> = [
        refused(status),
        mapped(summary),
        stripe(summary),
        linked(status),
        observed(summary),
        suspended(status),
        deleted(summary),
        held(summary),
    ]
    .into_iter()
    .flatten()
    .map(Line::from)
    .collect();
    let mut lines: Vec<Line> = counted(summary).into_iter().map(Line::from).collect();
    let (is_moving, is_quiet) =
        (summary.pending + summary.unread > 0 || summary.listed.is_some(), todo.is_empty());
    if is_quiet && !is_moving {
        lines.push(message("status-up-to-date").into());
    }
    let mut sections = vec![Section::untitled(lines)];
    if !is_quiet {
        sections.push(Section { is_list: true, ..Section::titled(message("status-attention"), todo) });
    }
    let tone = if is_quiet { Tone::Good } else { Tone::Warning };
    Document { title: Some(message("status-title")), tone, sections }
}

fn counted(s: &Summary) -> Vec<Message> {
    let stripe = match s.last_read {
        Some(at) => message("status-stripe-read").with("at", at),
        None => message("status-stripe-unread"),
    };
    let mut lines = vec![
        stripe.with("connections", s.connections),
        message("status-mapped").with("count", s.mappings),
        message("status-paying").with("count", s.subscriptions),
        message("status-held").with("count", s.roles_held),
    ];
    if s.repeated_trials > 0 {
        lines.push(message("status-trials-repeated").with("count", s.repeated_trials));
    }
    if s.pending + s.unread > 0 {
        lines.push(message("status-moving").with("changes", s.pending).with("unread", s.unread));
    }
    if let Some(seen) = s.listed {
        lines.push(message("status-listing").with("list", connections::so_far(seen, s.listed_of)));
    }
    if s.absent > 0 {
        lines.push(message("status-absent").with("count", s.absent));
    }
    lines
}

fn refused(status: &ServerStatus) -> Vec<Message> {
    let refusal = status.refusal.iter();
    refusal
        .map(|refusal| {
            message("status-refused")
                .with("refusal", refusal::of_server(refusal))
                .with("until", refusal.until)
        })
        .collect()
}

fn mapped(s: &Summary) -> Vec<Message> {
    let mut todo = Vec::new();
    if s.mappings == 0 {
        todo.push(message("status-nothing-mapped"));
    }
    if s.unlinked > 0 {
        todo.push(message("status-unlinked").with("count", s.unlinked));
    }
    todo
}

fn stripe(s: &Summary) -> Vec<Message> {
    let trouble =
        s.trouble.iter().map(|trouble| message("status-stripe-trouble").with("trouble", &**trouble));
    // Where nothing can be read, what failed singly is the same trouble.
    let failure =
        s.failure.iter().filter(|_| s.trouble.is_none()).map(|failure| {
            message("status-stripe-failing").with("count", s.failing).with("failure", &**failure)
        });
    let silent = (s.webhooks_missed > 0).then(|| {
        let silent = message("status-webhooks-silent").with("count", s.webhooks_missed);
        match s.webhooks_at {
            Some(at) => silent.with("since", message("status-webhooks-since").with("at", at)),
            None => silent.with("since", message("status-webhooks-never")),
        }
    });
    trouble.chain(failure).chain(silent).collect()
}

fn linked(status: &ServerStatus) -> Vec<Message> {
    let mut todo: Vec<_> = status
        .disputes
        .iter()
        .take(NAMED)
        .map(|Dispute { customer_id, holder, named }| {
            message("status-dispute")
                .with("customer", customer_id)
                .with("dispute", ownership::dispute(*holder, *named))
        })
        .collect();
    if let Some(count) = beyond(status.disputes.len()) {
        todo.push(message("status-more-disputes").with("count", count));
    }
    if !status.unbacked.is_empty() {
        todo.push(
            message("status-unbacked")
                .with("roles", ownership::roles(&status.unbacked))
                .with("customers", ownership::customers(&status.unbacked, NAMED)),
        );
    }
    todo
}

fn observed(s: &Summary) -> Vec<Message> {
    if s.observed_roles > 0 {
        vec![message("status-observed").with("count", s.observed_roles)]
    } else {
        Vec::new()
    }
}

fn suspended(status: &ServerStatus) -> Vec<Message> {
    let named = status.suspended.iter().take(NAMED).map(|(role, danger)| {
        message("status-suspended")
            .with("role", *role)
            .with("danger", &**danger)
            .with("remedy", remedy(danger))
    });
    let more = beyond(status.suspended.len());
    named.chain(more.map(|count| message("status-more-suspended").with("count", count))).collect()
}

fn deleted(s: &Summary) -> Vec<Message> {
    let named = s
        .deleted_roles
        .iter()
        .take(NAMED)
        .map(|role| message("status-deleted").with("role", Value::code(role)));
    let more = beyond(s.deleted_roles.len());
    named.chain(more.map(|count| message("status-more-deleted").with("count", count))).collect()
}

fn held(s: &Summary) -> Vec<Message> {
    let unmanageable = s.parked_roles - s.two_factor_roles;
    let mut todo = Vec::new();
    if s.given_by_hand > 0 {
        todo.push(message("status-given-by-hand").with("count", s.given_by_hand));
    }
    if s.taken > 0 {
        todo.push(message("status-taken").with("count", s.taken));
    }
    if unmanageable > 0 {
        todo.push(message("status-unmanageable").with("count", unmanageable));
    }
    if s.two_factor_roles > 0 {
        todo.push(message("status-two-factor").with("count", s.two_factor_roles));
    }
    if s.held > 0 {
        todo.push(message("status-to-answer").with("count", s.held));
    }
    if s.parked > 0 {
        todo.push(message("status-waiting").with("count", s.parked));
    }
    todo
}

/// How many are not named.
fn beyond(all: usize) -> Option<usize> {
    all.checked_sub(NAMED).filter(|more| *more > 0)
}

#[cfg(test)]
#[path = "server_status_tests.rs"]
mod tests;

//! In which way a source gives a role, or does not any more. In: the source, and what was bought. Out: a [`Why`], and the rule.

use super::{
    explanation::{Fix, Reason, Why},
    facts::{Bought, BoughtKind, Facts, Source, SourceKind},
};
use crate::{
    clock::Timestamp,
    domain::{
        billing::subscription::PauseCause,
        entitlement::{
            diff::{NOT_LONG_ENOUGH, NOT_SOLD, TOO_LONG},
            mapping::Mapping,
            policy::Rule,
        },
    },
};

impl Facts {
    /// What a source at Stripe is.
    pub(super) fn bought(&self, source: &Source) -> Option<&Bought> {
        self.bought.iter().find(|bought| {
            source.kind == SourceKind::Stripe
                && Some(bought.connection_id) == source.connection_id
                && bought.id == source.source_id
        })
    }

    /// The mappings of something that was bought to a role.
    pub(super) fn mappings_of<'a>(
        &'a self,
        bought: &'a Bought,
        role: crate::ids::RoleId,
    ) -> impl Iterator<Item = &'a Mapping> {
        self.mappings.iter().filter(move |mapping| mapping.role == role && bought.has(&mapping.sold))
    }
}

pub(super) fn reason(facts: &Facts, source: &Source, now: Timestamp) -> Reason {
    let why = if source.is_live { gives(facts, source, now) } else { gave(facts, source) };
    let pay_page = facts.bought(source).and_then(|bought| bought.pay_page(now));
    Reason { source: source.source_id.clone(), why, evidence: source.evidence.clone(), pay_page }
}

fn gives(facts: &Facts, source: &Source, now: Timestamp) -> Why {
    let until = source.valid_until;
    match source.kind {
        SourceKind::Manual => {
            return Why::ByHand { reason: source.reason.clone(), by: source.given_by, until };
        }
        SourceKind::Import => return Why::Import { until },
        SourceKind::Seat => return Why::Seat,
        SourceKind::Stripe => {}
    }
    let connection = facts.connections.iter().find(|it| Some(it.connection_id) == source.connection_id);
    let bought = facts.bought(source);
    let customer = bought.and_then(|bought| bought.customer_id.clone());
    match (connection, bought) {
        (Some(connection), _) if !connection.is_active => {
            Why::Disconnected { livemode: connection.livemode, customer }
        }
        (_, Some(Bought { missing_since: Some(since), .. })) => Why::Missing { since: *since, customer },
        (_, Some(bought)) => runs(bought, until, now),
        (_, None) => Why::Read,
    }
}

/// What runs, and is what gives the role.
fn runs(bought: &Bought, until: Option<Timestamp>, now: Timestamp) -> Why {
    if bought.kind == BoughtKind::Purchase {
        return Why::Once(until);
    }
    let is_paused = bought.status == "paused";
    let pause = bought.pause_cause.as_deref().map(PauseCause::parse);
    match bought.status.as_str() {
        "past_due" => Why::Grace { since: bought.unpaid_since, until, is_paused },
        "paused" if pause == Some(PauseCause::FirstPaymentFailure) => {
            Why::Grace { since: bought.unpaid_since, until, is_paused }
        }
        "active" | "trialing" => match (&bought.collection, bought.ends_at, bought.trial_ends_at) {
            (_, Some(ends), _) => Why::Ending(ends),
            (Some(behaviour), ..) => Why::CollectionPaused {
                behaviour: behaviour.clone(),
                resumes_at: bought.collection_resumes_at,
            },
            (None, None, ends) if bought.status == "trialing" || ends.is_some_and(|ends| now < ends) => {
                Why::Trial(ends)
            }
            (None, None, _) => Why::Active,
        },
        _ => Why::Read,
    }
}

/// Why a source that ended did.
fn gave(facts: &Facts, source: &Source) -> Why {
    if source.kind != SourceKind::Stripe {
        let is_over = source.valid_until.is_some_and(|until| until <= source.changed_at);
        return if is_over { Why::TimeIsOver } else { Why::TakenBack };
    }
    let Some(bought) = facts.bought(source) else { return Why::NotTheirs(None) };
    if bought.user() != Some(facts.member) {
        return Why::NotTheirs(bought.user());
    }
    if facts.mappings_of(bought, source.role_id).next().is_none() {
        return Why::NotMapped;
    }
    if source.evidence.ends_with(NOT_SOLD) {
        return Why::NotInIt;
    }
    if source.evidence.ends_with(NOT_LONG_ENOUGH) {
        return Why::NotYet;
    }
    if source.evidence.ends_with(TOO_LONG) {
        return Why::Over(bought.unpaid_since);
    }
    does_not_give(bought)
}

/// What of a state gives nothing, by the usual rules.
pub(super) fn does_not_give(bought: &Bought) -> Why {
    match (bought.dispute.as_deref(), bought.refund.as_deref(), bought.status.as_str()) {
        (Some("open"), ..) => Why::Disputed { is_lost: false },
        (Some("lost"), ..) => Why::Disputed { is_lost: true },
        // Where the status ends it, a refund did not.
        (_, Some("full"), "paid" | "active" | "trialing" | "past_due") => Why::Refunded,
        (_, _, "canceled") => Why::Canceled,
        (_, _, "unpaid") => Why::Unpaid,
        (_, _, "incomplete" | "incomplete_expired" | "not_paid") => Why::NotPaid,
        (_, _, "paused") => Why::Paused(bought.pause_cause.clone().unwrap_or_default()),
        _ => Why::Ended,
    }
}

/// Which state of a policy something is in, if that is known. `until`: when a source ends by itself.
pub(super) fn state(
    bought: &Bought,
    mapping: &Mapping,
    until: Option<Timestamp>,
) -> Option<(&'static str, Rule)> {
    let policy = mapping.policy;
    let rules = policy.rules();
    let rule = |word: &str| rules.iter().find(|(state, _)| *state == word).copied();
    let refunded = match (bought.kind, bought.is_managed) {
        (BoughtKind::Purchase, _) => "refund_full",
        (BoughtKind::Subscription, true) => "invoice_refunded_managed",
        (BoughtKind::Subscription, false) => "invoice_refunded",
    };
    let reversed = [
        (bought.dispute.as_deref() == Some("open")).then_some("dispute_open"),
        (bought.dispute.as_deref() == Some("lost")).then_some("dispute_lost"),
        (bought.refund.as_deref() == Some("full")).then_some(refunded),
    ];
    let taken = reversed.into_iter().flatten().filter_map(rule).find(|(_, rule)| *rule == Rule::Remove);
    if taken.is_some() {
        return taken;
    }
    let behind = || {
        let days = |rule: Rule| match (rule, bought.unpaid_since) {
            (Rule::KeepDays(days), Some(since)) => since.checked_add(time::Duration::days(days.into())),
            _ => None,
        };
        let after_trial = days(policy.past_due_after_trial);
        let is_after_trial = until.is_some() && after_trial == until && days(policy.past_due) != until;
        if is_after_trial { "past_due_after_trial" } else { "past_due" }
    };
    let running = |word: &'static str| match bought.collection.as_deref() {
        Some(behaviour) if rule(word).is_some_and(|(_, rule)| rule == Rule::Keep) => match behaviour {
            "keep_as_draft" => "collection_as_draft",
            "mark_uncollectible" => "collection_uncollectible",
            "void" => "collection_void",
            _ => word,
        },
        _ => word,
    };
    let word = match bought.status.as_str() {
        "paid" if bought.kind == BoughtKind::Purchase => "one_time",
        "trialing" => running("trialing"),
        "active" => running("active"),
        "past_due" => behind(),
        "unpaid" => "unpaid",
        "incomplete" => "incomplete",
        "incomplete_expired" => "incomplete_expired",
        "canceled" => "canceled",
        "paused" => match bought.pause_cause.as_deref().map(PauseCause::parse)? {
            PauseCause::FirstPaymentFailure => behind(),
            PauseCause::FinalPaymentFailure => "paused_by_final_failure",
            PauseCause::TrialEndWithoutPaymentMethod => "paused_without_payment_method",
            PauseCause::PauseRequested => "pause_requested",
            PauseCause::System => "paused_by_system",
            PauseCause::Unknown(_) => return None,
        },
        _ => return None,
    };
    rule(word)
}

/// When what it gives ends, as far as that is known; `None`: not by itself.
pub(super) fn end(why: &Why) -> Option<Timestamp> {
    match why {
        Why::Ending(at) => Some(*at),
        Why::Grace { until, .. } | Why::Once(until) | Why::ByHand { until, .. } | Why::Import { until } => {
            *until
        }
        _ => None,
    }
}

/// What somebody can do about it.
pub(super) fn fix(reason: &Reason) -> Fix {
    let pays = || Fix::MemberPays(reason.pay_page.clone());
    match &reason.why {
        Why::Grace { .. } | Why::Unpaid | Why::Over(_) | Why::NotPaid => pays(),
        Why::Missing { customer, .. } | Why::Disconnected { customer, .. } => match customer {
            Some(customer) => Fix::EndUnbacked { customer: customer.clone() },
            None => Fix::ReconnectAccount,
        },
        Why::Paused(cause) => match PauseCause::parse(cause) {
            PauseCause::PauseRequested | PauseCause::System => Fix::Resume,
            _ => pays(),
        },
        Why::Disputed { .. } | Why::NotYet => Fix::Wait,
        Why::Refunded
        | Why::Canceled
        | Why::NotInIt
        | Why::TakenBack
        | Why::TimeIsOver
        | Why::Ended
        | Why::NotMapped
        | Why::NotTheirs(_) => Fix::BuyAgain,
        Why::Active
        | Why::Trial(_)
        | Why::CollectionPaused { .. }
        | Why::Ending(_)
        | Why::Once(_)
        | Why::ByHand { .. }
        | Why::Import { .. }
        | Why::Seat
        | Why::Read => Fix::Nothing,
    }
}

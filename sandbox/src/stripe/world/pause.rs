//! A pause as plain data. In: its cause. Out: a subscription that says so.

use serde::Deserialize;
use serde_json::{Value, json};

/// Why a subscription is paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PauseCause {
    /// By the owner, or by the customer in the portal.
    #[default]
    PauseRequested,
    /// The first attempt at a renewal failed.
    FirstPaymentFailure,
    /// The last attempt at an invoice failed.
    FinalPaymentFailure,
    TrialEndWithoutPaymentMethod,
    /// By Stripe.
    System,
}

impl PauseCause {
    fn word(self) -> &'static str {
        match self {
            Self::PauseRequested => "pause_requested",
            Self::FirstPaymentFailure => "first_payment_failure",
            Self::FinalPaymentFailure => "final_payment_failure",
            Self::TrialEndWithoutPaymentMethod => "trial_end_without_payment_method",
            Self::System => "system",
        }
    }
}

/// Whether a failed payment pauses; the owner chooses in the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PauseOnFailure {
    #[default]
    Off,
    /// At the first failed attempt at a renewal.
    First,
    /// When no attempt is left, instead of what dunning ends in.
    Final,
}

/// What a resumption waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResumeOn {
    /// Somebody tries to pay; if that fails the subscription is past due, and nobody tries again.
    #[default]
    #[serde(rename = "resume_on_payment_attempt")]
    Attempt,
    /// A payment, which is tried at once and again later; until then it stays paused.
    #[serde(rename = "resume_on_payment_success")]
    Success,
}

/// Marks a subscription as paused from now on.
pub(super) fn mark_paused(subscription: &mut Value, cause: PauseCause, now: i64) {
    subscription["status"] = "paused".into();
    subscription["status_details"] = json!({
        "paused": {
            "subscription": { "type": cause.word() }, "transitioned_at": now, "type": "subscription",
        },
    });
}

/// Only paused subscriptions have details of their status; answers what is gone.
pub(super) fn forget_pause(subscription: &mut Value) -> Option<Value> {
    match subscription["status"].as_str() {
        Some("paused") => None,
        _ => subscription.as_object_mut().and_then(|fields| fields.remove("status_details")),
    }
}

//! The clock of one fake Stripe, and the periods that it measures.

use serde::Deserialize;
use serde_json::Value;

/// Runs beside the real clock, at a distance, or stands still.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    pub(super) ahead: i64,
    pub(super) stopped_at: Option<i64>,
}

/// What becomes of a subscription whose invoice is never paid; the owner chooses in the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dunning {
    #[default]
    Cancel,
    Unpaid,
    /// It stays as it is, for good.
    PastDue,
}

/// When the first of a subscription's items is due.
pub(super) fn period_end(subscription: &Value) -> Option<i64> {
    let items = subscription["items"]["data"].as_array()?;
    items.iter().filter_map(|item| item["current_period_end"].as_i64()).min()
}

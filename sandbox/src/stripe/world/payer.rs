//! How a customer pays.

use serde::Deserialize;

/// What happens when a customer is to pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Payer {
    /// The bank agrees at once.
    #[default]
    Pays,
    /// The bank declines.
    Declines,
    /// The bank wants to see the customer first.
    NeedsAction,
    /// There is nothing to charge.
    NoMethod,
    /// The bank takes days to answer.
    Pending,
}

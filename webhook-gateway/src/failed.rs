//! Why something of a connection cannot be read from Stripe, whoever reads it: the poll of events, the lists, a backfill, the portal. In: what
//! failed. Out: a word for counting it, and when to try again.

use std::time::Duration;

use crate::stripe::{api::ReadError, credentials::NoKey};

/// After a failure; a person may have to act, and Stripe's read budget is not endless.
const RETRY: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(transparent)]
    Stripe(#[from] ReadError),
    #[error(transparent)]
    Key(#[from] NoKey),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("an event could not be stored")]
    NotStored,
    #[error("the gateway stops")]
    Stopping,
}

impl Failed {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stripe(error) => error.word(),
            Self::Key(_) => "no_key",
            Self::Database(_) | Self::NotStored => "database",
            Self::Stopping => "stopping",
        }
    }

    /// Until the next try.
    pub fn wait(&self) -> Duration {
        match self {
            Self::Stripe(ReadError::Busy(after) | ReadError::Spent(after)) => *after,
            Self::Stripe(_) | Self::Key(_) | Self::Database(_) | Self::NotStored | Self::Stopping => RETRY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stripe_asks_for_is_waited_and_else_a_minute() {
        let long = Duration::from_secs(1800);
        assert_eq!(Failed::Stripe(ReadError::Busy(long)).wait(), long);
        assert_eq!(Failed::Stripe(ReadError::Spent(long)).wait(), long);
        assert_eq!(Failed::Stripe(ReadError::Missing).wait(), RETRY);
        assert_eq!(Failed::Key(NoKey::Missing("none".to_owned())).word(), "no_key");
    }
}

//! What gives access: a subscription, a purchase, or somebody's word. A member has a role as long as one source of it is live.

use std::fmt;

use crate::ids::{CheckoutSessionId, ConnectionId, SubscriptionId};

/// One source of access, by its key in the table `access_sources`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceRef {
    /// A subscription at a connected account.
    Subscription { connection: ConnectionId, id: SubscriptionId },
    /// A one-time purchase at a connected account: its checkout session.
    Purchase { connection: ConnectionId, id: CheckoutSessionId },
    /// Given by hand; the id is ours.
    Manual { id: String },
    /// Taken over from what was before us; the id names the import.
    Import { id: String },
    /// A seat of somebody else's plan; the id names the plan and the seat.
    Seat { id: String },
}

impl SourceRef {
    /// The owner's word: one for each role of a member, however often it is given.
    pub fn by_hand() -> Self {
        Self::Manual { id: "owner".to_owned() }
    }

    /// A list of who had a role before us: one for each role of a member, however often it is imported.
    pub fn of_import() -> Self {
        Self::Import { id: "list".to_owned() }
    }

    /// `stripe`, `manual`, `import` or `seat`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Subscription { .. } | Self::Purchase { .. } => "stripe",
            Self::Manual { .. } => "manual",
            Self::Import { .. } => "import",
            Self::Seat { .. } => "seat",
        }
    }

    /// The account that the evidence came from; `None`: it did not come from Stripe.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Subscription { connection, .. } | Self::Purchase { connection, .. } => Some(*connection),
            Self::Manual { .. } | Self::Import { .. } | Self::Seat { .. } => None,
        }
    }

    /// Which kind of Stripe object it is; `None`: none.
    pub fn stripe_object(&self) -> Option<&'static str> {
        match self {
            Self::Subscription { .. } => Some("subscription"),
            Self::Purchase { .. } => Some("checkout_session"),
            Self::Manual { .. } | Self::Import { .. } | Self::Seat { .. } => None,
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Subscription { id, .. } => id.as_str(),
            Self::Purchase { id, .. } => id.as_str(),
            Self::Manual { id } | Self::Import { id } | Self::Seat { id } => id,
        }
    }
}

/// As evidence names it: `sub_…`, `cs_…`, `manual …`.
impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscription { id, .. } => write!(f, "{id}"),
            Self::Purchase { id, .. } => write!(f, "{id}"),
            Self::Manual { id } | Self::Import { id } | Self::Seat { id } => {
                write!(f, "{} {id}", self.kind())
            }
        }
    }
}

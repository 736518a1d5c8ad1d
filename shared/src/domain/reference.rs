//! For whom a purchase says that it is. In: the `client_reference_id` of a checkout session, and what we know of it. Out: a [`Meant`].
//!
//! Whoever makes a link writes what they like into it, and whoever opens the link pays. So a reference gives nobody anything: it only keeps
//! everybody else from claiming the purchase, until whoever bought it says so.

use std::{fmt, time::Duration};

use crate::{
    clock::Timestamp,
    ids::{CheckoutSessionId, ConnectionId, CustomerId, UserId},
};

/// What a token of a personal link begins with: `nx_ref_`.
pub const KIND: &str = "ref";
/// What ours begin with, whatever they are for.
const OURS: &str = "nx_";
/// How long a personal link says by itself whom it is for.
pub const LIVES: Duration = Duration::from_secs(600);
/// Personal links of one account in an hour.
pub const PER_HOUR: i64 = 20;

/// `client_reference_id`, as whoever made the link wrote it: a seller's own, a Discord id, or a token of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientReference(String);

/// Whoever reads logs is not to know a token.
impl fmt::Debug for ClientReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_ours() { "ClientReference(nx_…)" } else { "ClientReference(…)" })
    }
}

impl ClientReference {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For whoever looks it up.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it looks like one of ours: all that decides whether it is looked up.
    pub fn is_ours(&self) -> bool {
        self.0.starts_with(OURS)
    }
}

/// What we know of a token that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// For whom it was made.
    pub user: UserId,
    pub expires_at: Timestamp,
    /// The purchase that used it up.
    pub used_for: Option<(ConnectionId, CheckoutSessionId)>,
}

/// Whom a reference names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// Nobody: there is none, or it is the seller's own, an affiliate's for example.
    Anybody,
    /// Whoever made the link wrote a Discord id into it.
    User(UserId),
    /// Somebody's personal link; `late`: it was older than ten minutes when it was opened.
    Link { user: UserId, late: bool },
    /// It looks like ours, and is none, another server's, or that of another purchase.
    Unclear,
}

/// `known`: what we know of it, if it is one of ours. `opened_at`: when Stripe opened the session.
pub fn meant(
    reference: Option<&ClientReference>,
    known: Option<&Known>,
    (connection, session): (ConnectionId, &CheckoutSessionId),
    opened_at: Timestamp,
) -> Meant {
    let Some(reference) = reference else { return Meant::Anybody };
    if reference.is_ours() {
        return match known {
            Some(Known { used_for: Some((used, by)), .. }) if (*used, by) != (connection, session) => {
                Meant::Unclear
            }
            Some(known) => Meant::Link { user: known.user, late: opened_at > known.expires_at },
            None => Meant::Unclear,
        };
    }
    let looks_like_an_id = (17..=19).contains(&reference.0.len());
    match reference.0.parse() {
        Ok(user) if looks_like_an_id => Meant::User(user),
        _ => Meant::Anybody,
    }
}

impl Meant {
    /// Whether whoever claims is not who it is for, as far as the reference says.
    pub fn is_another_than(self, by: UserId) -> bool {
        match self {
            Self::Anybody => false,
            Self::User(user) | Self::Link { user, .. } => user != by,
            Self::Unclear => true,
        }
    }
}

/// A completed purchase with a reference that looks like ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    pub session: CheckoutSessionId,
    pub customer: CustomerId,
    pub reference: ClientReference,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: u64 = 81_384_788_765_712_384;

    fn user(id: u64) -> UserId {
        UserId::from_u64(id).unwrap()
    }

    fn said(reference: &str, known: Option<&Known>, opened_after: Duration) -> Meant {
        let session = "cs_1".parse().unwrap();
        let connection = ConnectionId::from_u64(1).unwrap();
        let reference = ClientReference::new(reference);
        meant(Some(&reference), known, (connection, &session), Timestamp::UNIX_EPOCH + opened_after)
    }

    #[test]
    fn a_sellers_own_reference_names_nobody_and_a_discord_id_names_its_user() {
        for own in
            ["", "order-17", "17", "d1f2c3", "someone@example.com", "8138478876571238412345", "Nx_ref_a"]
        {
            assert_eq!(said(own, None, Duration::ZERO), Meant::Anybody, "{own}");
        }
        assert_eq!(said(&ANA.to_string(), None, Duration::ZERO), Meant::User(user(ANA)));
        let session = "cs_1".parse().unwrap();
        let none = meant(None, None, (ConnectionId::from_u64(1).unwrap(), &session), Timestamp::UNIX_EPOCH);
        assert_eq!(none, Meant::Anybody);
    }

    #[test]
    fn a_link_names_whom_it_was_made_for_in_time_or_late_and_only_for_the_purchase_that_used_it() {
        let open = Known { user: user(7), expires_at: Timestamp::UNIX_EPOCH + LIVES, used_for: None };
        let link = |known: &Known, after| said("nx_ref_a", Some(known), after);
        assert_eq!(link(&open, LIVES), Meant::Link { user: user(7), late: false });
        assert_eq!(link(&open, LIVES + Duration::from_secs(1)), Meant::Link { user: user(7), late: true });
        let used = |connection, session: &str| Known {
            used_for: Some((ConnectionId::from_u64(connection).unwrap(), session.parse().unwrap())),
            ..open.clone()
        };
        assert_eq!(link(&used(1, "cs_1"), LIVES), Meant::Link { user: user(7), late: false });
        for other in [used(1, "cs_2"), used(2, "cs_1")] {
            assert_eq!(link(&other, LIVES), Meant::Unclear);
        }
        for unknown in ["nx_ref_a", "nx_", "nx_live_x", "nx_ref_"] {
            assert_eq!(said(unknown, None, Duration::ZERO), Meant::Unclear, "{unknown}");
        }
    }

    #[test]
    fn whoever_is_not_named_is_another() {
        let ana = user(ANA);
        assert!(!Meant::Anybody.is_another_than(ana) && Meant::Unclear.is_another_than(ana));
        for named in [Meant::User(ana), Meant::Link { user: ana, late: true }] {
            assert!(!named.is_another_than(ana) && named.is_another_than(user(7)));
        }
    }

    #[test]
    fn no_reference_is_written_into_a_log() {
        for text in ["nx_ref_secret", "order-secret"] {
            assert!(!format!("{:?}", ClientReference::new(text)).contains("secret"));
        }
    }
}

//! What failed, by the id that somebody types to have it tried again. In: the id. Out: a [`Target`].

use std::fmt;

use crate::ids::{ConnectionId, NoticeId, RoleId};

/// A list of Stripe's that is read on, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum FailedListKind {
    /// Of events that decide.
    Events,
    /// Of events about what is sold.
    Other,
    /// Of subscriptions.
    List,
    Backfill,
}

impl FailedListKind {
    /// Both lists of events are tried again together.
    pub fn target(self, connection: ConnectionId) -> Target {
        match self {
            Self::Events | Self::Other => Target::Events(connection),
            Self::List => Target::List(connection),
            Self::Backfill => Target::Backfill(connection),
        }
    }
}

/// One thing that failed, or all of a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `evt_…`: an event that no read will answer.
    Event(String),
    /// `sub_…`, `cus_…`, …: an object that cannot be read from Stripe.
    Object(String),
    /// `events-1`: Stripe's lists of events, of this connection.
    Events(ConnectionId),
    /// `list-1`: Stripe's list of subscriptions.
    List(ConnectionId),
    /// `backfill-1`
    Backfill(ConnectionId),
    /// `role-5`: changes of a role that cannot be made.
    Role(RoleId),
    /// `notice-7`: what a member could not be told.
    Notice(NoticeId),
}

impl Target {
    /// Whatever is nothing else is an object's id: those of customers are made up by whoever imported them.
    pub fn parse(text: &str) -> Self {
        let of = |prefix: &str| text.strip_prefix(prefix);
        let known = of("events-")
            .and_then(|id| Some(Self::Events(id.parse().ok()?)))
            .or_else(|| Some(Self::List(of("list-")?.parse().ok()?)))
            .or_else(|| Some(Self::Backfill(of("backfill-")?.parse().ok()?)))
            .or_else(|| Some(Self::Role(of("role-")?.parse().ok()?)))
            .or_else(|| Some(Self::Notice(of("notice-")?.parse().ok()?)))
            .or_else(|| of("evt_").map(|_| Self::Event(text.to_owned())));
        known.unwrap_or_else(|| Self::Object(text.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id) | Self::Object(id) => f.write_str(id),
            Self::Events(connection) => write!(f, "events-{connection}"),
            Self::List(connection) => write!(f, "list-{connection}"),
            Self::Backfill(connection) => write!(f, "backfill-{connection}"),
            Self::Role(role) => write!(f, "role-{role}"),
            Self::Notice(notice) => write!(f, "notice-{notice}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown() {
        for text in [
            "evt_1",
            "sub_1",
            "cus/5 $",
            "events-1",
            "list-2",
            "backfill-3",
            "role-4",
            "notice-5",
            "list-x",
            "",
        ] {
            assert_eq!(Target::parse(text).to_string(), text);
        }
        assert!(matches!(Target::parse("role-4"), Target::Role(_)));
        assert!(matches!(Target::parse("role-x"), Target::Object(_)));
    }
}

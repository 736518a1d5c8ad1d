//! What applying a fact needs beside it, and what it comes to.

use shared::{
    clock::Timestamp,
    domain::job::JobOrigin,
    ids::{ConnectionId, CustomerId, UserId},
};

use crate::stripe::credentials::MetadataLinks;

/// What is known of the read beside what was read.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) connection: ConnectionId,
    pub(super) metadata: MetadataLinks,
    /// How soon the bot is to act on it.
    pub(super) origin: JobOrigin,
    pub(super) others: Others,
    /// Why it was to be read.
    pub(super) asked: JobOrigin,
    /// The latest event that hinted at the object, if one did.
    pub(super) event: Option<&'a str>,
}

/// Whether the other subscriptions of who pays are known as Stripe lists them. Somebody who changes plans begins one and ends another,
/// and the event of the first may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    Unknown,
    Known,
}

/// The outcome of applying a fact.
#[derive(Default)]
pub(super) struct Outcome {
    /// It would take the last reason for a role, so this customer's other subscriptions are to be known first: nothing may be
    /// committed.
    pub(super) asks_for_others: Option<CustomerId>,
    pub(super) jobs: usize,
    /// A customer whose link is to follow its metadata.
    pub(super) to_correct: Option<CustomerId>,
    /// Of whose trials it is to be asked whether one is not their first.
    pub(super) tried_by: Option<UserId>,
    /// When the object is to be read again though nothing hints at it.
    pub(super) good_until: Option<Timestamp>,
}

/// What became of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Committed; so many role jobs were made.
    Committed(usize),
    /// Nothing was read: other reads tell as much, or there is nothing to tell.
    NotNeeded,
    /// Somebody else holds the lease; nothing was written.
    LostLease,
}

/// What applying came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    Done(Applied),
    /// Nothing was written, and the lease goes on: it ends somebody's last reason for a role, and this customer's other subscriptions
    /// are not known.
    AsksForOthers(CustomerId),
}

//! What is known of one member of one server, as our rows have it. Plain data, read in one transaction.

use crate::{
    clock::Timestamp,
    domain::{
        audit::AuditAction,
        billing::{
            page::{KeptPage, PayPage},
            portal::Portal,
        },
        delivery::refusal::Closed,
        entitlement::mapping::{Mapping, Sold},
        roles::{by_hand::Question, enforcement::Enforcement, grant::GrantState},
    },
    ids::{ConnectionId, JobId, RoleId, UserId},
};

/// Everything that an explanation is made of.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whom it is about.
    pub member: UserId,
    /// Stripe customers that are this member, or whose metadata names them.
    pub customers: Vec<Customer>,
    /// What these customers bought, and what names the member itself; the latest read first.
    pub bought: Vec<Bought>,
    /// What gives roles of all that was bought.
    pub mappings: Vec<Mapping>,
    /// Every role that any of it is about, by id.
    pub roles: Vec<Role>,
    /// Reasons for roles, present and past, the latest change first.
    pub sources: Vec<Source>,
    /// What waits, and the last that were done; by id.
    pub jobs: Vec<Job>,
    /// The last lines of the audit log, and the first ones; newest first.
    pub history: Vec<Entry>,
    /// The events that the sources' last changes name, as far as they are still kept.
    pub events: Vec<Event>,
    pub connections: Vec<Connection>,
    /// Since when they have the server's rules to accept, as far as that was heard.
    pub pending_since: Option<Timestamp>,
    /// Why nothing is done for the whole server for a while.
    pub closed: Option<Closed>,
}

/// A Stripe customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub connection_id: ConnectionId,
    /// `cus_…`, or what an owner made it.
    pub customer_id: String,
    /// To whom it is linked; `None`: to nobody.
    pub holder: Option<UserId>,
    /// `metadata` or `owner`.
    pub proof: Option<String>,
    pub linked_at: Option<Timestamp>,
    /// Whom its metadata names.
    pub named: Option<UserId>,
    pub read: Read,
}

/// How far the reading of an object is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Something was said about it that no read has answered yet.
    pub is_unread: bool,
    /// When it is read next; `None`: not before something is said about it.
    pub next_read_at: Option<Timestamp>,
    /// Why the last read of it failed.
    pub read_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum BoughtKind {
    Subscription,
    /// A checkout session in which something was bought once.
    Purchase,
}

/// A subscription, or a one-time purchase, as last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bought {
    pub kind: BoughtKind,
    /// `sub_…` or `cs_…`.
    pub id: String,
    pub connection_id: ConnectionId,
    /// `None`: a guest bought it.
    pub customer_id: Option<String>,
    /// Stripe's word; of a purchase `paid` or `not_paid`.
    pub status: String,
    pub pause_cause: Option<String>,
    /// What happens to its invoices while their collection is paused, in Stripe's word.
    pub collection: Option<String>,
    pub collection_resumes_at: Option<Timestamp>,
    /// Whom its own metadata named last.
    pub named: Option<UserId>,
    /// To whom its customer is linked.
    pub holder: Option<UserId>,
    pub price_ids: Vec<String>,
    pub product_ids: Vec<String>,
    pub unpaid_since: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    /// Of a purchase, when it was paid.
    pub paid_at: Option<Timestamp>,
    pub trial_began_at: Option<Timestamp>,
    pub trial_ends_at: Option<Timestamp>,
    pub missing_since: Option<Timestamp>,
    pub synced_at: Timestamp,
    /// What went back of what was paid last: `none`, `partial`, `full`, `unknown`.
    pub refund: Option<String>,
    /// `none`, `open`, `lost`, `unknown`.
    pub dispute: Option<String>,
    /// Stripe sells in its own name.
    pub is_managed: bool,
    /// Where its open invoice is paid.
    pub page: KeptPage,
    pub read: Read,
}

impl Bought {
    /// Whose it is: whom it names itself, else whoever its customer is.
    pub fn user(&self) -> Option<UserId> {
        self.named.or(self.holder)
    }

    /// Where its open invoice is paid, as far as that is known of what is still there.
    pub(super) fn pay_page(&self, now: Timestamp) -> Option<PayPage> {
        self.page.at(now).filter(|_| self.missing_since.is_none())
    }

    /// Whether something that is sold is in it.
    pub fn has(&self, sold: &Sold) -> bool {
        let ids = match sold {
            Sold::Price(_) => &self.price_ids,
            Sold::Product(_) => &self.product_ids,
        };
        ids.iter().any(|id| id == sold.id())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SourceKind {
    Stripe,
    Manual,
    Import,
    Seat,
}

/// A reason for a role, past or present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub role_id: RoleId,
    pub kind: SourceKind,
    pub connection_id: Option<ConnectionId>,
    /// `sub_…`, `cs_…`, or the id of what somebody said.
    pub source_id: String,
    pub is_live: bool,
    pub evidence: String,
    pub changed_at: Timestamp,
    /// When it ends by itself; of what was bought, when it is read for that.
    pub valid_until: Option<Timestamp>,
    /// Why it was given, in the owner's words.
    pub reason: Option<String>,
    /// The Discord user who gave it.
    pub given_by: Option<UserId>,
}

impl Source {
    /// The line of the audit log that was written with its last change; the newest comes first.
    pub fn last_change<'h>(&self, history: &'h [Entry]) -> Option<&'h Entry> {
        let action = if self.is_live { AuditAction::AccessBegan } else { AuditAction::AccessEnded };
        history.iter().find(|entry| {
            entry.role_id == Some(self.role_id)
                && entry.action == action.as_str()
                && entry.cause.contains(&self.evidence)
        })
    }
}

/// A role, and how far this member is with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub role_id: RoleId,
    /// `None`: it is not mapped.
    pub enforcement: Option<Enforcement>,
    /// Why it must not be given.
    pub danger: Option<String>,
    /// When the server's roles were read, if this one is not among them.
    pub unlisted_at: Option<Timestamp>,
    /// When it is found out whether Discord lets the bot manage it; `None`: it does, as far as is known.
    pub probe_at: Option<Timestamp>,
    /// With which code it does not.
    pub code: Option<i32>,
    /// What Discord holds because of us; `None`: nothing.
    pub grant_state: Option<GrantState>,
    pub confirmed_at: Option<Timestamp>,
    /// When Discord said that member or role is not there; it is asked once more.
    pub absent_since: Option<Timestamp>,
    /// When it was found gone, though the member had not left and we had not taken it.
    pub taken_at: Option<Timestamp>,
    /// Whether a role that a person gave is to follow the payment.
    pub question: Option<Question>,
    pub asked_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
}

impl Role {
    /// It is older than the last list of the server's roles, and not in it.
    pub fn is_deleted(&self) -> bool {
        self.unlisted_at.is_some_and(|read_at| self.role_id.created_at() < read_at)
    }
}

/// A check of the role, open or done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub job_id: JobId,
    pub role_id: RoleId,
    /// `grant`, `revoke` or `resync`.
    pub action: String,
    pub state: String,
    pub outcome: Option<String>,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub attempts: i32,
    /// `None`: it is open.
    pub finished_at: Option<Timestamp>,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub role_id: Option<RoleId>,
    pub cause: String,
}

impl Entry {
    /// The event that a cause ends with: `sub_1 is active (evt_1)`.
    pub fn event(&self) -> Option<&str> {
        let (_, event) = self.cause.strip_suffix(')')?.rsplit_once('(')?;
        event.starts_with("evt_").then_some(event)
    }
}

/// An event of Stripe's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub event_id: String,
    pub kind: String,
    /// When Stripe made it.
    pub created: Option<Timestamp>,
    /// When it came here, by a webhook or a poll.
    pub received_at: Timestamp,
}

/// A Stripe account in one mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub connection_id: ConnectionId,
    pub is_active: bool,
    pub livemode: bool,
    /// When its list of events was last read, and is read next.
    pub answered_at: Option<Timestamp>,
    pub next_poll_at: Option<Timestamp>,
    /// Since when that fails.
    pub failing_since: Option<Timestamp>,
    /// Where members manage or cancel what they pay for.
    pub portal: Portal,
}

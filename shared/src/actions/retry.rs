//! Has what failed tried again now. In: what failed, and which of it. Out: a [`Retried`].
//!
//! It is done by whoever does such things anyway, in its own order: the gateway reads within Stripe's limits, the bot changes roles within
//! Discord's. Nothing is believed, given or taken by the word alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{ActionError, begin_known, failed::Failed};
use crate::{
    db::{authorized::Authorized, pool::Pool, tenant::Tenant},
    domain::{
        audit::{AuditAction, AuditEntry},
        failed::{FailedListKind, Target},
        job::{JobAction, JobOrigin},
        stripe_object::ObjectKind,
    },
    ids::{ConnectionId, RoleId, UserId},
    store::{
        audit_log, failures::FailedNotice, member_notices, role_health, role_jobs, stripe_backfills,
        stripe_cursors, stripe_lists, stripe_sync,
    },
};

/// Between the reads of many: somebody may buy meanwhile, and Stripe allows 25 a second.
const SPACING: Duration = Duration::from_millis(100);
/// Why the bot checks a member.
const CAUSE: &str = "to be tried again";

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// Lists of Stripe's that are read on.
    pub lists: usize,
    /// Objects that are read.
    pub objects: usize,
    /// Members whose roles are checked.
    pub members: usize,
    /// Notices that are sent.
    pub notices: usize,
    /// Notices that Discord may have: they are not sent again.
    pub unsure: usize,
}

impl Retried {
    /// Whether nothing of what was asked for is there.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// `which`: one of what failed; `None`: all of it.
pub async fn retry(
    pool: &Pool,
    by: &Authorized,
    failed: &Failed,
    which: Option<&Target>,
) -> Result<Retried, ActionError> {
    let asked = |target: Target| which.is_none_or(|which| *which == target);
    let mut tenant = begin_known(pool, by).await?;
    // In the order in which a turn and a read lock the rows.
    let members = check_members(&mut tenant, by, failed, asked).await?;
    let objects = read_objects(&mut tenant, by, failed, asked).await?;
    let mut retried = Retried { members, objects, ..Retried::default() };
    let mut read_on = BTreeSet::new();
    for list in &failed.lists {
        let (connection, target) = (list.connection_id, list.what.target(list.connection_id));
        if !asked(target.clone()) {
            continue;
        }
        retried.lists += 1;
        if !read_on.insert(target.clone()) {
            continue;
        }
        match list.what {
            FailedListKind::List => stripe_lists::give_back(&mut tenant, connection).await?,
            FailedListKind::Backfill => stripe_backfills::go_on_now(&mut tenant, connection).await?,
            FailedListKind::Events | FailedListKind::Other => {
                stripe_cursors::poll_now(&mut tenant, connection).await?;
            }
        }
        note(&mut tenant, by, format!("{target}: to be read on")).await?;
    }
    for notice in failed.notices.iter().filter(|notice| asked(Target::Notice(notice.notice_id))) {
        if send(&mut tenant, by, notice).await? {
            retried.notices += 1;
        } else {
            retried.unsure += 1;
        }
    }
    if retried.members > 0 {
        role_jobs::announce_with(&mut tenant).await?;
    }
    tenant.commit().await?;
    Ok(retried)
}

async fn note(tenant: &mut Tenant, by: &Authorized, cause: String) -> Result<(), sqlx::Error> {
    audit_log::record(tenant, &AuditEntry::new(by.actor(), AuditAction::RetryAsked, cause)).await
}

/// A check finds out what is due, and whether Discord lets the bot now.
async fn check_members(
    tenant: &mut Tenant,
    by: &Authorized,
    failed: &Failed,
    asked: impl Fn(Target) -> bool,
) -> Result<usize, sqlx::Error> {
    let mut roles: BTreeMap<RoleId, BTreeSet<UserId>> = BTreeMap::new();
    for job in failed.jobs.iter().filter(|job| asked(Target::Role(job.role_id))) {
        roles.entry(job.role_id).or_default().insert(job.user_id);
    }
    let mut members = 0;
    for (role, users) in roles {
        let users: Vec<UserId> = users.into_iter().collect();
        let origin = if users.len() == 1 { JobOrigin::Command } else { JobOrigin::Bulk };
        role_jobs::enqueue_each(tenant, &users, role, JobAction::Resync, origin, CAUSE).await?;
        role_health::probe_now(tenant, role).await?;
        let entry = AuditEntry::new(by.actor(), AuditAction::RetryAsked, CAUSE).role(role);
        audit_log::record_about(tenant, &entry, &users).await?;
        members += users.len();
    }
    Ok(members)
}

/// Objects that cannot be read, and those of events that no read will answer.
async fn read_objects(
    tenant: &mut Tenant,
    by: &Authorized,
    failed: &Failed,
    asked: impl Fn(Target) -> bool,
) -> Result<usize, sqlx::Error> {
    let mut objects: BTreeSet<(ConnectionId, ObjectKind, &str)> = BTreeSet::new();
    for read in failed.reads.iter().filter(|read| asked(Target::Object(read.object_id.clone()))) {
        objects.insert((read.connection_id, read.object_kind, &read.object_id));
    }
    for event in failed.events.iter().filter(|event| asked(Target::Event(event.event_id.to_string()))) {
        // Without a row of its own an object is one that an event of a subscription's names, most likely: any other kind is read in vain.
        let kind = event.object_kind.or_else(|| ObjectKind::of_id(&event.object_id));
        objects.extend(kind.map(|kind| (event.connection_id, kind, &*event.object_id)));
    }
    let total = objects.len();
    let objects: Vec<_> = objects.into_iter().collect();
    for of_one_kind in objects.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (connection, kind, _) = of_one_kind[0];
        let ids: Vec<String> = of_one_kind.iter().map(|(.., id)| (*id).to_owned()).collect();
        if total == 1 {
            stripe_sync::mark_dirty(tenant, connection, kind, &ids, JobOrigin::Command).await?;
        } else {
            stripe_sync::mark_dirty_slowly(tenant, connection, kind, &ids, SPACING).await?;
        }
        let what = match &ids[..] {
            [id] => id.clone(),
            ids => format!("{} objects ({}) of connection {connection}", ids.len(), kind.as_str()),
        };
        note(tenant, by, format!("{what}: to be read again")).await?;
    }
    Ok(total)
}

async fn send(tenant: &mut Tenant, by: &Authorized, notice: &FailedNotice) -> Result<bool, sqlx::Error> {
    if !notice.may_be_sent || member_notices::send_again(tenant, notice.notice_id).await? == 0 {
        return Ok(false);
    }
    let cause = format!("notice of the payment of {}: to be sent again", notice.source_id);
    let entry = AuditEntry::new(by.actor(), AuditAction::RetryAsked, cause).about(notice.user_id);
    audit_log::record(tenant, &entry).await?;
    Ok(true)
}

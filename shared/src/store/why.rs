//! Why a member has, or lacks, a role: what we know of them, read in one transaction. What it means is [`crate::domain::explain`].
//!
//! A member's history may be long, and the server's is: of each table only the member's own rows are read, by an index that begins
//! with the member, and of those only the latest.

use std::collections::BTreeSet;

use super::{guild_gates, role_mappings};
use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        entitlement::mapping::Mapping,
        explain::{Bought, Connection, Customer, Entry, Event, Facts, Job, Role, Source},
        notices::{NoticeKind, NoticeState},
    },
    ids::{RoleId, UserId},
};

/// Of what was bought, and of reasons for roles.
const MOST: i64 = 50;
/// Of jobs that are done.
const DONE: i64 = 12;
/// Of the audit log: the last lines, and the first ones.
const LAST: i64 = 20;
const FIRST: i64 = 5;

/// What they were told of a payment that failed, are to be told, or could not be.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Notice {
    /// `sub_…`
    pub source_id: String,
    pub kind: NoticeKind,
    pub state: NoticeState,
    /// When it is tried, if it is to be sent.
    pub next_at: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
    pub outcome: Option<String>,
}

/// Everything we know about one member of one guild.
#[derive(Debug, Clone)]
pub struct MemberReport {
    pub facts: Facts,
    /// In the order of their payments and times.
    pub notices: Vec<Notice>,
}

pub async fn member_report(tenant: &mut Tenant, member: UserId) -> Result<MemberReport, sqlx::Error> {
    let customers = customers(tenant, member).await?;
    let bought = bought(tenant, member).await?;
    let ids = |of: fn(&Bought) -> &Vec<String>| bought.iter().flat_map(of).map(String::as_str).collect();
    let (prices, products): (Vec<&str>, Vec<&str>) = (ids(|it| &it.price_ids), ids(|it| &it.product_ids));
    let mappings = role_mappings::of_sold(tenant, &prices, &products).await?;
    let sources = sources(tenant, member).await?;
    let jobs = jobs(tenant, member).await?;
    let roles = roles(tenant, member, &mappings, &jobs).await?;
    let history = history(tenant, member).await?;
    let events = events(tenant, &history).await?;
    let connections = connections(tenant).await?;
    let pending_since = pending_since(tenant, member).await?;
    let closed = guild_gates::closed(tenant).await?;
    let notices = notices(tenant, member).await?;
    let facts = Facts {
        member,
        customers,
        bought,
        mappings,
        roles,
        sources,
        jobs,
        history,
        events,
        connections,
        pending_since,
        closed,
    };
    Ok(MemberReport { facts, notices })
}

async fn customers(tenant: &mut Tenant, member: UserId) -> Result<Vec<Customer>, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.connection_id, c.customer_id, l.user_id AS holder, l.proof, l.linked_at, m.named_user_id AS named,
                coalesce(y.dirty_seq > 0, false) AS is_unread, y.next_at AS next_read_at, y.last_error AS read_error
           FROM (SELECT connection_id, customer_id FROM member_links WHERE guild_id = $1 AND user_id = $2
                 UNION
                 SELECT connection_id, customer_id FROM customers WHERE guild_id = $1 AND named_user_id = $2) c
           LEFT JOIN member_links l ON (l.guild_id, l.connection_id, l.customer_id) = ($1, c.connection_id, c.customer_id)
           LEFT JOIN customers m ON (m.guild_id, m.connection_id, m.customer_id) = ($1, c.connection_id, c.customer_id)
           LEFT JOIN stripe_sync y ON (y.guild_id, y.connection_id, y.object_kind, y.object_id)
                                    = ($1, c.connection_id, 'customer', c.customer_id)
          ORDER BY c.customer_id COLLATE \"C\" LIMIT $3",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(MOST)
    .fetch_all(tenant.db())
    .await
}

async fn bought(tenant: &mut Tenant, member: UserId) -> Result<Vec<Bought>, sqlx::Error> {
    sqlx::query_as(
        "SELECT b.*, l.user_id AS holder, coalesce(y.dirty_seq > 0, false) AS is_unread, y.next_at AS next_read_at,
                y.last_error AS read_error
           FROM (SELECT 'subscription' AS kind, s.subscription_id AS id, s.connection_id, s.customer_id, s.status, s.pause_cause,
                        s.collection_pause AS collection, s.collection_resumes_at, s.user_id AS named, s.price_ids, s.product_ids,
                        s.unpaid_since, s.ends_at, NULL::timestamptz AS paid_at, s.trial_began_at, s.trial_ends_at, s.missing_since,
                        s.synced_at, r.refund, r.dispute, coalesce(r.is_managed, false) AS is_managed
                   FROM (SELECT * FROM subscriptions WHERE guild_id = $1 AND user_id = $2
                         UNION ALL
                         SELECT s.* FROM member_links l JOIN subscriptions s USING (guild_id, connection_id, customer_id)
                          WHERE l.guild_id = $1 AND l.user_id = $2 AND s.user_id IS DISTINCT FROM $2) s
                  CROSS JOIN LATERAL (
                        SELECT CASE WHEN bool_or(refund = 'full') THEN 'full' END AS refund,
                               CASE WHEN bool_or(dispute = 'open') THEN 'open' WHEN bool_or(dispute = 'lost') THEN 'lost' END AS dispute,
                               bool_or(is_managed) AS is_managed
                          FROM payment_reversals p
                         WHERE (p.guild_id, p.connection_id, p.subscription_id) = (s.guild_id, s.connection_id, s.subscription_id)
                           AND (s.paid_invoice_at IS NULL OR p.invoiced_at >= s.paid_invoice_at)) r
                 UNION ALL
                 SELECT 'purchase', p.session_id, p.connection_id, p.customer_id, p.status, NULL, NULL, NULL, p.user_id, p.price_ids,
                        p.product_ids, NULL, NULL, p.paid_at, NULL, NULL, p.missing_since, p.synced_at, p.refund, p.dispute, false
                   FROM (SELECT * FROM purchases WHERE guild_id = $1 AND user_id = $2
                         UNION ALL
                         SELECT p.* FROM member_links l JOIN purchases p USING (guild_id, connection_id, customer_id)
                          WHERE l.guild_id = $1 AND l.user_id = $2 AND p.user_id IS DISTINCT FROM $2) p) b
           LEFT JOIN member_links l ON (l.guild_id, l.connection_id, l.customer_id) = ($1, b.connection_id, b.customer_id)
           LEFT JOIN stripe_sync y ON (y.guild_id, y.connection_id, y.object_kind, y.object_id)
                = ($1, b.connection_id, CASE b.kind WHEN 'purchase' THEN 'checkout_session' ELSE b.kind END, b.id)
          ORDER BY b.synced_at DESC, b.id COLLATE \"C\" LIMIT $3",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(MOST)
    .fetch_all(tenant.db())
    .await
}

async fn sources(tenant: &mut Tenant, member: UserId) -> Result<Vec<Source>, sqlx::Error> {
    sqlx::query_as(
        "SELECT role_id, kind, connection_id, source_id, state = 'live' AS is_live, evidence, changed_at, valid_until, reason, given_by
           FROM access_sources WHERE guild_id = $1 AND user_id = $2
          ORDER BY state = 'live' DESC, changed_at DESC, source_id COLLATE \"C\" LIMIT $3",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(MOST)
    .fetch_all(tenant.db())
    .await
}

async fn jobs(tenant: &mut Tenant, member: UserId) -> Result<Vec<Job>, sqlx::Error> {
    sqlx::query_as(
        // Each part by its own index; of all together Postgres reads the server's whole history.
        "SELECT job_id, role_id, action, state, outcome, created_at, due_at, attempts, finished_at
           FROM (SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = $2 AND state = 'pending'
                 UNION ALL
                 SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = $2 AND state = 'parked'
                 UNION ALL
                 SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = $2 AND state = 'held'
                 UNION ALL
                 (SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = $2 AND finished_at IS NOT NULL
                   ORDER BY user_id DESC, guild_id DESC, job_id DESC LIMIT $3)) AS theirs
          ORDER BY job_id",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(DONE)
    .fetch_all(tenant.db())
    .await
}

/// Every role that anything about the member is about.
async fn roles(
    tenant: &mut Tenant,
    member: UserId,
    mappings: &[Mapping],
    jobs: &[Job],
) -> Result<Vec<Role>, sqlx::Error> {
    let others = mappings.iter().map(|mapping| mapping.role).chain(jobs.iter().map(|job| job.role_id));
    let others: BTreeSet<RoleId> = others.collect();
    sqlx::query_as(
        "SELECT r.role_id, m.enforcement, g.danger,
                CASE WHEN m.role_id IS NOT NULL AND g.role_id IS NULL THEN d.read_at END AS unlisted_at,
                h.next_probe_at AS probe_at, h.code, t.state AS grant_state, t.confirmed_at, t.absent_since, t.taken_at,
                q.state AS question, q.asked_at, q.answered_at
           FROM (SELECT role_id FROM access_sources WHERE guild_id = $1 AND user_id = $2
                 UNION SELECT role_id FROM role_grants WHERE guild_id = $1 AND user_id = $2
                 UNION SELECT role_id FROM follow_questions WHERE guild_id = $1 AND user_id = $2
                 UNION SELECT unnest($3::bigint[])) r
           LEFT JOIN mapped_roles m ON (m.guild_id, m.role_id) = ($1, r.role_id)
           LEFT JOIN guild_roles g ON (g.guild_id, g.role_id) = ($1, r.role_id)
           LEFT JOIN role_reads d ON d.guild_id = $1
           LEFT JOIN role_health h ON (h.guild_id, h.role_id) = ($1, r.role_id)
           LEFT JOIN role_grants t ON (t.guild_id, t.user_id, t.role_id) = ($1, $2, r.role_id)
           LEFT JOIN follow_questions q ON (q.guild_id, q.user_id, q.role_id) = ($1, $2, r.role_id)
          ORDER BY r.role_id",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(others.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
    .fetch_all(tenant.db())
    .await
}

async fn history(tenant: &mut Tenant, member: UserId) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as(
        "SELECT at, actor, action, role_id, cause
           FROM ((SELECT * FROM audit_log WHERE guild_id = $1 AND user_id = $2 ORDER BY audit_id DESC LIMIT $3)
                 UNION ALL
                 (SELECT * FROM audit_log WHERE guild_id = $1 AND user_id = $2 ORDER BY audit_id LIMIT $4)) AS theirs
          GROUP BY audit_id, at, actor, action, role_id, cause ORDER BY audit_id DESC",
    )
    .bind(tenant.guild())
    .bind(member)
    .bind(LAST)
    .bind(FIRST)
    .fetch_all(tenant.db())
    .await
}

/// The events that began or ended access, by the lines of the audit log.
async fn events(tenant: &mut Tenant, history: &[Entry]) -> Result<Vec<Event>, sqlx::Error> {
    let of_access = history.iter().filter(|entry| entry.action.starts_with("access."));
    let ids: BTreeSet<&str> = of_access.filter_map(Entry::event).collect();
    sqlx::query_as(
        "SELECT event_id, type AS kind, created, received_at FROM stripe_events
          WHERE guild_id = $1 AND event_id = ANY ($2)
            AND connection_id = ANY (ARRAY (SELECT connection_id FROM stripe_connections WHERE guild_id = $1))",
    )
    .bind(tenant.guild())
    .bind(ids.into_iter().collect::<Vec<_>>())
    .fetch_all(tenant.db())
    .await
}

async fn connections(tenant: &mut Tenant) -> Result<Vec<Connection>, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.connection_id, c.state = 'active' AS is_active, c.livemode, k.answered_at, k.next_poll_at, k.failing_since
           FROM stripe_connections c LEFT JOIN stripe_cursors k USING (guild_id, connection_id)
          WHERE c.guild_id = $1 ORDER BY c.connection_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}

async fn pending_since(tenant: &mut Tenant, member: UserId) -> Result<Option<Timestamp>, sqlx::Error> {
    sqlx::query_scalar("SELECT heard_at FROM pending_members WHERE guild_id = $1 AND user_id = $2")
        .bind(tenant.guild())
        .bind(member)
        .fetch_optional(tenant.db())
        .await
}

async fn notices(tenant: &mut Tenant, member: UserId) -> Result<Vec<Notice>, sqlx::Error> {
    sqlx::query_as(
        "SELECT source_id, kind, state, next_at, sent_at, outcome FROM member_notices
          WHERE guild_id = $1 AND user_id = $2 AND state <> 'cancelled' ORDER BY anchor, source_id, due_at",
    )
    .bind(tenant.guild())
    .bind(member)
    .fetch_all(tenant.db())
    .await
}

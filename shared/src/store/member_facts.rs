//! What is known of many members, for lists: the facts of which their explanations are made, by as many statements for hundreds of
//! members as for one. In: members. Out: each one's [`Facts`], but for the history, which no answer depends on, and [`super::why`] adds.
//! What they mean is [`crate::domain::explain`].

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{FromRow, Row as _, postgres::PgRow};

use super::{guild_gates, role_mappings};
use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        billing::page::KeptPage,
        delivery::refusal::Closed,
        explain::{Bought, Connection, Customer, Facts, Job, Role, Source},
    },
    ids::{RoleId, UserId},
};

/// Of what one member bought, and of their reasons for roles.
const MOST: i64 = 50;
/// Of a member's jobs that are done: the last about each role is among them, where there are not very many roles.
pub(super) const DONE: i64 = 12;

/// What is the same for all members of a server.
#[derive(Debug, Clone)]
pub struct Surroundings {
    connections: Vec<Connection>,
    closed: Option<Closed>,
}

pub async fn surroundings(tenant: &mut Tenant) -> Result<Surroundings, sqlx::Error> {
    let connections = sqlx::query_as(
        "SELECT c.connection_id, c.state = 'active' AS is_active, c.livemode, k.answered_at, k.next_poll_at, k.failing_since,
                c.portal_url, k.portal_read, k.portal_login_url
           FROM stripe_connections c LEFT JOIN stripe_cursors k USING (guild_id, connection_id)
          WHERE c.guild_id = $1 ORDER BY c.connection_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await?;
    Ok(Surroundings { connections, closed: guild_gates::closed(tenant).await? })
}

/// Of each of these members, in their order; without the pages of their invoices, for a list is no place for what opens one.
pub async fn facts(
    tenant: &mut Tenant,
    surroundings: &Surroundings,
    members: &[UserId],
) -> Result<Vec<Facts>, sqlx::Error> {
    let jobs = jobs(tenant, members).await?;
    let mut found = facts_with(tenant, surroundings, members, jobs).await?;
    for bought in found.iter_mut().flat_map(|facts| &mut facts.bought) {
        bought.page = KeptPage::default();
    }
    Ok(found)
}

/// The same with their jobs, which are known, and with those pages.
pub(super) async fn facts_with(
    tenant: &mut Tenant,
    surroundings: &Surroundings,
    members: &[UserId],
    mut jobs: BTreeMap<UserId, Vec<Job>>,
) -> Result<Vec<Facts>, sqlx::Error> {
    let mut customers = customers(tenant, members).await?;
    let mut bought = bought(tenant, members).await?;
    let all: Vec<&Bought> = bought.values().flatten().collect();
    let ids = |of: fn(&Bought) -> &Vec<String>| -> Vec<&str> {
        let ids: BTreeSet<&str> = all.iter().flat_map(|bought| of(bought)).map(String::as_str).collect();
        ids.into_iter().collect()
    };
    let (prices, products) = (ids(|it| &it.price_ids), ids(|it| &it.product_ids));
    let mappings = role_mappings::of_sold(tenant, &prices, &products).await?;
    let mut sources = sources(tenant, members).await?;
    let mut pending = pending(tenant, members).await?;
    let mut found: Vec<Facts> = Vec::with_capacity(members.len());
    for &member in members {
        let bought = bought.remove(&member).unwrap_or_default();
        let theirs = |sold: &_| bought.iter().any(|bought: &Bought| bought.has(sold));
        found.push(Facts {
            member,
            customers: customers.remove(&member).unwrap_or_default(),
            mappings: mappings.iter().filter(|mapping| theirs(&mapping.sold)).cloned().collect(),
            bought,
            roles: Vec::new(),
            sources: sources.remove(&member).unwrap_or_default(),
            jobs: jobs.remove(&member).unwrap_or_default(),
            history: Vec::new(),
            events: Vec::new(),
            connections: surroundings.connections.clone(),
            pending_since: pending.remove(&member),
            closed: surroundings.closed,
        });
    }
    let mut roles = roles(tenant, members, &found).await?;
    for facts in &mut found {
        facts.roles = roles.remove(&facts.member).unwrap_or_default();
    }
    Ok(found)
}

/// A row about one of the members.
struct Of<T> {
    member: UserId,
    fact: T,
}

impl<'r, T: FromRow<'r, PgRow>> FromRow<'r, PgRow> for Of<T> {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { member: row.try_get("of_member")?, fact: T::from_row(row)? })
    }
}

fn numbers(members: &[UserId]) -> Vec<i64> {
    members.iter().map(|member| member.to_i64()).collect()
}

/// In the order of the rows.
fn by_member<T>(rows: Vec<Of<T>>) -> BTreeMap<UserId, Vec<T>> {
    let mut found: BTreeMap<UserId, Vec<T>> = BTreeMap::new();
    for row in rows {
        found.entry(row.member).or_default().push(row.fact);
    }
    found
}

async fn customers(
    tenant: &mut Tenant,
    members: &[UserId],
) -> Result<BTreeMap<UserId, Vec<Customer>>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT u.user_id AS of_member, theirs.*
           FROM unnest($2::bigint[]) AS u (user_id)
          CROSS JOIN LATERAL (
                SELECT c.connection_id, c.customer_id, l.user_id AS holder, l.proof, l.linked_at, m.named_user_id AS named,
                       coalesce(y.dirty_seq > 0, false) AS is_unread, y.next_at AS next_read_at, y.last_error AS read_error
                  FROM (SELECT connection_id, customer_id FROM member_links WHERE guild_id = $1 AND user_id = u.user_id
                        UNION
                        SELECT connection_id, customer_id FROM customers WHERE guild_id = $1 AND named_user_id = u.user_id) c
                  LEFT JOIN member_links l ON (l.guild_id, l.connection_id, l.customer_id) = ($1, c.connection_id, c.customer_id)
                  LEFT JOIN customers m ON (m.guild_id, m.connection_id, m.customer_id) = ($1, c.connection_id, c.customer_id)
                  LEFT JOIN stripe_sync y ON (y.guild_id, y.connection_id, y.object_kind, y.object_id)
                                           = ($1, c.connection_id, 'customer', c.customer_id)
                 ORDER BY c.customer_id COLLATE \"C\" LIMIT $3) AS theirs
          ORDER BY u.user_id, theirs.customer_id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(numbers(members))
    .bind(MOST)
    .fetch_all(tenant.db())
    .await?;
    Ok(by_member(rows))
}

async fn bought(
    tenant: &mut Tenant,
    members: &[UserId],
) -> Result<BTreeMap<UserId, Vec<Bought>>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT u.user_id AS of_member, theirs.*
           FROM unnest($2::bigint[]) AS u (user_id)
          CROSS JOIN LATERAL (
                SELECT b.*, l.user_id AS holder, coalesce(y.dirty_seq > 0, false) AS is_unread, y.next_at AS next_read_at,
                       y.last_error AS read_error
                  FROM (SELECT 'subscription' AS kind, s.subscription_id AS id, s.connection_id, s.customer_id, s.status, s.pause_cause,
                               s.collection_pause AS collection, s.collection_resumes_at, s.user_id AS named, s.price_ids, s.product_ids,
                               s.unpaid_since, s.ends_at, NULL::timestamptz AS paid_at, s.trial_began_at, s.trial_ends_at,
                               s.missing_since, s.synced_at, r.refund, r.dispute, coalesce(r.is_managed, false) AS is_managed,
                               s.open_invoice_url, s.open_invoice_read_at
                          FROM (SELECT * FROM subscriptions WHERE guild_id = $1 AND user_id = u.user_id
                                UNION ALL
                                SELECT s.* FROM member_links l JOIN subscriptions s USING (guild_id, connection_id, customer_id)
                                 WHERE l.guild_id = $1 AND l.user_id = u.user_id AND s.user_id IS DISTINCT FROM u.user_id) s
                         CROSS JOIN LATERAL (
                               SELECT CASE WHEN bool_or(refund = 'full') THEN 'full' END AS refund,
                                      CASE WHEN bool_or(dispute = 'open') THEN 'open' WHEN bool_or(dispute = 'lost') THEN 'lost' END
                                          AS dispute,
                                      bool_or(is_managed) AS is_managed
                                 FROM payment_reversals p
                                WHERE (p.guild_id, p.connection_id, p.subscription_id) = (s.guild_id, s.connection_id, s.subscription_id)
                                  AND (s.paid_invoice_at IS NULL OR p.invoiced_at >= s.paid_invoice_at)) r
                        UNION ALL
                        SELECT 'purchase', p.session_id, p.connection_id, p.customer_id, p.status, NULL, NULL, NULL, p.user_id,
                               p.price_ids, p.product_ids, NULL, NULL, p.paid_at, NULL, NULL, p.missing_since, p.synced_at, p.refund,
                               p.dispute, false, NULL, NULL
                          FROM (SELECT * FROM purchases WHERE guild_id = $1 AND user_id = u.user_id
                                UNION ALL
                                SELECT p.* FROM member_links l JOIN purchases p USING (guild_id, connection_id, customer_id)
                                 WHERE l.guild_id = $1 AND l.user_id = u.user_id AND p.user_id IS DISTINCT FROM u.user_id) p) b
                  LEFT JOIN member_links l ON (l.guild_id, l.connection_id, l.customer_id) = ($1, b.connection_id, b.customer_id)
                  LEFT JOIN stripe_sync y ON (y.guild_id, y.connection_id, y.object_kind, y.object_id)
                       = ($1, b.connection_id, CASE b.kind WHEN 'purchase' THEN 'checkout_session' ELSE b.kind END, b.id)
                 ORDER BY b.synced_at DESC, b.id COLLATE \"C\" LIMIT $3) AS theirs
          ORDER BY u.user_id, theirs.synced_at DESC, theirs.id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(numbers(members))
    .bind(MOST)
    .fetch_all(tenant.db())
    .await?;
    Ok(by_member(rows))
}

async fn sources(
    tenant: &mut Tenant,
    members: &[UserId],
) -> Result<BTreeMap<UserId, Vec<Source>>, sqlx::Error> {
    let rows = sqlx::query_as(
        "SELECT u.user_id AS of_member, theirs.*
           FROM unnest($2::bigint[]) AS u (user_id)
          CROSS JOIN LATERAL (
                SELECT role_id, kind, connection_id, source_id, state = 'live' AS is_live, evidence, changed_at, valid_until, reason,
                       given_by
                  FROM access_sources WHERE guild_id = $1 AND user_id = u.user_id
                 ORDER BY state = 'live' DESC, changed_at DESC, source_id COLLATE \"C\" LIMIT $3) AS theirs
          ORDER BY u.user_id, theirs.is_live DESC, theirs.changed_at DESC, theirs.source_id COLLATE \"C\"",
    )
    .bind(tenant.guild())
    .bind(numbers(members))
    .bind(MOST)
    .fetch_all(tenant.db())
    .await?;
    Ok(by_member(rows))
}

async fn jobs(tenant: &mut Tenant, members: &[UserId]) -> Result<BTreeMap<UserId, Vec<Job>>, sqlx::Error> {
    let rows = sqlx::query_as(
        // Each part by its own index; of all together Postgres reads the server's whole history.
        "SELECT u.user_id AS of_member, theirs.*
           FROM unnest($2::bigint[]) AS u (user_id)
          CROSS JOIN LATERAL (
                SELECT job_id, role_id, action, state, outcome, created_at, due_at, attempts, finished_at
                  FROM (SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = u.user_id AND state = 'pending'
                        UNION ALL
                        SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = u.user_id AND state = 'parked'
                        UNION ALL
                        SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = u.user_id AND state = 'held'
                        UNION ALL
                        (SELECT * FROM role_jobs WHERE guild_id = $1 AND user_id = u.user_id AND finished_at IS NOT NULL
                          ORDER BY user_id DESC, guild_id DESC, job_id DESC LIMIT $3)) AS theirs) AS theirs
          ORDER BY theirs.job_id",
    )
    .bind(tenant.guild())
    .bind(numbers(members))
    .bind(DONE)
    .fetch_all(tenant.db())
    .await?;
    Ok(by_member(rows))
}

/// Every role that anything about each of them is about; `found`: what is known of them so far.
async fn roles(
    tenant: &mut Tenant,
    members: &[UserId],
    found: &[Facts],
) -> Result<BTreeMap<UserId, Vec<Role>>, sqlx::Error> {
    let known = found.iter().flat_map(|facts| {
        let mapped = facts.mappings.iter().map(|mapping| mapping.role);
        let given = facts.sources.iter().map(|source| source.role_id);
        let roles: BTreeSet<RoleId> =
            mapped.chain(given).chain(facts.jobs.iter().map(|job| job.role_id)).collect();
        roles.into_iter().map(|role| (facts.member.to_i64(), role.to_i64()))
    });
    let (users, roles): (Vec<i64>, Vec<i64>) = known.unzip();
    let rows = sqlx::query_as(
        "SELECT r.user_id AS of_member, r.role_id, m.enforcement, g.danger,
                CASE WHEN m.role_id IS NOT NULL AND g.role_id IS NULL THEN d.read_at END AS unlisted_at,
                h.next_probe_at AS probe_at, h.code, t.state AS grant_state, t.confirmed_at, t.absent_since, t.taken_at,
                q.state AS question, q.asked_at, q.answered_at
           FROM (SELECT user_id, role_id FROM unnest($3::bigint[], $4::bigint[]) AS known (user_id, role_id)
                 UNION SELECT user_id, role_id FROM role_grants WHERE guild_id = $1 AND user_id = ANY ($2)
                 UNION SELECT user_id, role_id FROM follow_questions WHERE guild_id = $1 AND user_id = ANY ($2)) r
           LEFT JOIN mapped_roles m ON (m.guild_id, m.role_id) = ($1, r.role_id)
           LEFT JOIN guild_roles g ON (g.guild_id, g.role_id) = ($1, r.role_id)
           LEFT JOIN role_reads d ON d.guild_id = $1
           LEFT JOIN role_health h ON (h.guild_id, h.role_id) = ($1, r.role_id)
           LEFT JOIN role_grants t ON (t.guild_id, t.user_id, t.role_id) = ($1, r.user_id, r.role_id)
           LEFT JOIN follow_questions q ON (q.guild_id, q.user_id, q.role_id) = ($1, r.user_id, r.role_id)
          ORDER BY r.user_id, r.role_id",
    )
    .bind(tenant.guild())
    .bind(numbers(members))
    .bind(users)
    .bind(roles)
    .fetch_all(tenant.db())
    .await?;
    Ok(by_member(rows))
}

async fn pending(
    tenant: &mut Tenant,
    members: &[UserId],
) -> Result<BTreeMap<UserId, Timestamp>, sqlx::Error> {
    let rows: Vec<(UserId, Timestamp)> = sqlx::query_as(
        "SELECT user_id, heard_at FROM pending_members WHERE guild_id = $1 AND user_id = ANY ($2)",
    )
    .bind(tenant.guild())
    .bind(numbers(members))
    .fetch_all(tenant.db())
    .await?;
    Ok(rows.into_iter().collect())
}

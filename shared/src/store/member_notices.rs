//! What members are told of a payment that failed: written by the gateway with the access that it changes, sent by the bot.

use std::time::Duration;

use super::audit_log;
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::{
        audit::{Actor, AuditAction, AuditEntry},
        billing::{page::KeptPage, portal::Portal},
        entitlement::source::SourceRef,
        notices::{
            NoticeKind, NoticeState, Pages,
            delivery::{Other, RoleFacts, Settled, Situation},
            series::{NewNotice, Noted, Step},
        },
    },
    ids::{GuildId, NoticeId, RoleId, UserId},
};

/// What is told of a subscription, oldest first. Those rows stay so until the transaction ends.
pub async fn of_source(tenant: &mut Tenant, source: &SourceRef) -> Result<Vec<Noted>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        notice_id: NoticeId,
        user_id: UserId,
        anchor: Timestamp,
        kind: NoticeKind,
        state: NoticeState,
        due_at: Timestamp,
        ends_at: Timestamp,
        role_ids: Vec<RoleId>,
        is_tried: bool,
        created_at: Timestamp,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT notice_id, user_id, anchor, kind, state, due_at, ends_at, role_ids, tried_at IS NOT NULL AS is_tried, created_at
           FROM member_notices WHERE guild_id = $1 AND connection_id = $2 AND source_id = $3
          ORDER BY notice_id FOR NO KEY UPDATE",
    )
    .bind(tenant.guild())
    .bind(source.connection())
    .bind(source.id())
    .fetch_all(tenant.db())
    .await?;
    let noted = |row: Row| Noted {
        id: row.notice_id,
        user: row.user_id,
        anchor: row.anchor,
        kind: row.kind,
        state: row.state,
        due_at: row.due_at,
        ends_at: row.ends_at,
        roles: row.role_ids.into_iter().collect(),
        is_tried: row.is_tried,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(noted).collect())
}

/// Writes what changes about them. The caller has them from [`of_source`], in the same transaction.
pub async fn change(tenant: &mut Tenant, source: &SourceRef, steps: &[Step]) -> Result<(), sqlx::Error> {
    for step in steps {
        match step {
            Step::Add(notice) => add(tenant, source, notice).await?,
            Step::Set { id, due_at, ends_at, roles } => {
                sqlx::query(
                    "UPDATE member_notices SET state = 'pending', due_at = $3, next_at = $3, ends_at = $4, role_ids = $5, outcome = NULL,
                                               finished_at = NULL
                      WHERE guild_id = $1 AND notice_id = $2 AND state IN ('pending', 'cancelled') AND tried_at IS NULL",
                )
                .bind(tenant.guild())
                .bind(id)
                .bind(due_at)
                .bind(ends_at)
                .bind(roles.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
                .execute(tenant.db())
                .await?;
            }
            Step::Cancel { id, why } => {
                sqlx::query(
                    "UPDATE member_notices SET state = 'cancelled', next_at = NULL, outcome = $3, finished_at = now()
                      WHERE guild_id = $1 AND notice_id = $2 AND state = 'pending' AND tried_at IS NULL",
                )
                .bind(tenant.guild())
                .bind(id)
                .bind(why)
                .execute(tenant.db())
                .await?;
            }
        }
    }
    Ok(())
}

async fn add(tenant: &mut Tenant, source: &SourceRef, notice: &NewNotice) -> Result<(), sqlx::Error> {
    let NewNotice { user, anchor, kind, due_at, ends_at, roles, cancelled } = notice;
    sqlx::query(
        "INSERT INTO member_notices
                (guild_id, user_id, connection_id, source_id, anchor, kind, role_ids, ends_at, due_at, state, next_at, outcome, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::timestamptz, CASE WHEN $10::text IS NULL THEN 'pending' ELSE 'cancelled' END,
                 CASE WHEN $10 IS NULL THEN $9::timestamptz END, $10, CASE WHEN $10 IS NOT NULL THEN now() END)
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.guild())
    .bind(user)
    .bind(source.connection())
    .bind(source.id())
    .bind(anchor)
    .bind(kind.as_str())
    .bind(roles.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
    .bind(ends_at)
    .bind(due_at)
    .bind(cancelled)
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// A notice that is ours to send, until `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Taken {
    #[sqlx(rename = "guild_id")]
    pub guild: GuildId,
    #[sqlx(rename = "notice_id")]
    pub id: NoticeId,
    /// The end of the lease, and its proof.
    #[sqlx(rename = "next_at")]
    pub until: Timestamp,
}

/// Takes the notice that waits longest of those that are due, for so long; one that another process has it leaves to that.
pub async fn take_due(crossing: &mut Crossing, lease: Duration) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as(
        "WITH due AS (
             SELECT guild_id, notice_id FROM member_notices WHERE next_at <= now()
              ORDER BY next_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
         )
         UPDATE member_notices n SET next_at = clock_timestamp() + make_interval(secs => $1) FROM due
          WHERE (n.guild_id, n.notice_id) = (due.guild_id, due.notice_id)
         RETURNING n.guild_id, n.notice_id, n.next_at",
    )
    .bind(lease.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// A taken notice, with what decides about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub user: UserId,
    /// How often it failed.
    pub failures: u32,
    pub situation: Situation,
    pub pages: Pages,
}

/// Reads it; `None`: it is not ours any more.
pub async fn open(tenant: &mut Tenant, taken: &Taken) -> Result<Option<Opened>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        user_id: UserId,
        kind: NoticeKind,
        due_at: Timestamp,
        ends_at: Timestamp,
        tried_at: Option<Timestamp>,
        attempts: i32,
        is_on: bool,
        is_away: bool,
        now: Timestamp,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT user_id, kind, due_at, ends_at, tried_at, attempts, g.tells_members AS is_on, coalesce(gate.away, false) AS is_away,
                clock_timestamp() AS now
           FROM member_notices n JOIN guilds g USING (guild_id) LEFT JOIN guild_gates gate USING (guild_id)
          WHERE n.guild_id = $1 AND notice_id = $2 AND state = 'pending' AND next_at = $3",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .bind(taken.until)
    .fetch_optional(tenant.db())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (others, roles) = (series_of(tenant, taken).await?, role_facts(tenant, taken).await?);
    let pages = pages(tenant, taken, row.now).await?;
    let Row { user_id: user, kind, due_at, ends_at, tried_at, attempts, is_on, is_away, now } = row;
    let situation = Situation { kind, due_at, ends_at, tried_at, others, roles, is_on, is_away, now };
    Ok(Some(Opened { user, failures: attempts.try_into().unwrap_or(0), situation, pages }))
}

/// Where its payment, and its connection's portal, are at Stripe.
async fn pages(tenant: &mut Tenant, taken: &Taken, now: Timestamp) -> Result<Pages, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        page: KeptPage,
        #[sqlx(flatten)]
        portal: Portal,
    }
    let row: Row = sqlx::query_as(
        "SELECT s.open_invoice_url, s.open_invoice_read_at, c.portal_url, k.portal_read, k.portal_login_url
           FROM member_notices n
           JOIN stripe_connections c USING (guild_id, connection_id)
           LEFT JOIN stripe_cursors k USING (guild_id, connection_id)
           LEFT JOIN subscriptions s ON (s.guild_id, s.connection_id, s.subscription_id) = (n.guild_id, n.connection_id, n.source_id)
                AND s.missing_since IS NULL
                -- One customer may pay for several people: who gets a role as a present is not shown the payer's invoice.
                AND NOT EXISTS (SELECT FROM member_links l
                                 WHERE (l.guild_id, l.connection_id, l.customer_id) = (s.guild_id, s.connection_id, s.customer_id)
                                   AND l.user_id <> n.user_id)
                AND NOT EXISTS (SELECT FROM customers p
                                 WHERE (p.guild_id, p.connection_id, p.customer_id) = (s.guild_id, s.connection_id, s.customer_id)
                                   AND p.named_user_id <> n.user_id)
          WHERE n.guild_id = $1 AND n.notice_id = $2",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .fetch_one(tenant.db())
    .await?;
    Ok(Pages { pay: row.page.at(now), manage: row.portal.page().cloned() })
}

/// The others of its series.
async fn series_of(tenant: &mut Tenant, taken: &Taken) -> Result<Vec<Other>, sqlx::Error> {
    let rows: Vec<(NoticeKind, NoticeState, Timestamp, Option<Timestamp>)> = sqlx::query_as(
        "SELECT o.kind, o.state, o.due_at, o.sent_at
           FROM member_notices n JOIN member_notices o USING (guild_id, user_id, connection_id, source_id, anchor)
          WHERE n.guild_id = $1 AND n.notice_id = $2 AND o.notice_id <> $2",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .fetch_all(tenant.db())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(kind, state, due_at, sent_at)| Other { kind, state, due_at, sent_at })
        .collect())
}

/// What its roles are to the member.
async fn role_facts(tenant: &mut Tenant, taken: &Taken) -> Result<Vec<RoleFacts>, sqlx::Error> {
    let rows: Vec<(RoleId, bool, bool, bool, bool, bool)> = sqlx::query_as(
        "SELECT role.id AS role_id, coalesce(m.enforcement <> 'observe', false) AS is_enforced,
                EXISTS (SELECT FROM access_sources a JOIN stripe_connections c USING (guild_id, connection_id)
                         WHERE (a.guild_id, a.user_id, a.role_id, a.connection_id, a.source_id)
                             = (n.guild_id, n.user_id, role.id, n.connection_id, n.source_id)
                           AND a.kind = 'stripe' AND a.state = 'live' AND c.state = 'active') AS is_live,
                EXISTS (SELECT FROM access_sources a
                         WHERE (a.guild_id, a.user_id, a.role_id) = (n.guild_id, n.user_id, role.id) AND a.state = 'live'
                           AND (a.valid_until IS NULL OR a.valid_until > n.ends_at)
                           AND (a.connection_id, a.source_id) IS DISTINCT FROM (n.connection_id, n.source_id)) AS is_kept,
                coalesce(held.state = 'confirmed' AND held.absent_since IS NULL AND held.taken_at IS NULL, false) AS is_held,
                held.absent_since IS NOT NULL AS is_absent
           FROM member_notices n CROSS JOIN unnest(n.role_ids) AS role (id)
           LEFT JOIN mapped_roles m ON (m.guild_id, m.role_id) = (n.guild_id, role.id)
           LEFT JOIN role_grants held ON (held.guild_id, held.user_id, held.role_id) = (n.guild_id, n.user_id, role.id)
          WHERE n.guild_id = $1 AND n.notice_id = $2 ORDER BY role.id",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .fetch_all(tenant.db())
    .await?;
    let facts = |(role, is_enforced, is_live, is_kept, is_held, is_absent)| RoleFacts {
        role,
        is_enforced,
        is_live,
        is_kept,
        is_held,
        is_absent,
    };
    Ok(rows.into_iter().map(facts).collect())
}

/// The message is about to be sent: from now on Discord may have it. `false`: it is not ours any more, and must not be sent.
pub async fn intend(tenant: &mut Tenant, taken: &Taken) -> Result<bool, sqlx::Error> {
    let intended = sqlx::query(
        "UPDATE member_notices SET tried_at = coalesce(tried_at, clock_timestamp())
          WHERE guild_id = $1 AND notice_id = $2 AND state = 'pending' AND next_at = $3 AND next_at > clock_timestamp()",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .bind(taken.until)
    .execute(tenant.db())
    .await?;
    Ok(intended.rows_affected() == 1)
}

/// Writes what came of it; what was sent, with its entry in the audit log. `false`: it is not ours any more, and nothing was written.
pub async fn settle(tenant: &mut Tenant, taken: &Taken, settled: &Settled) -> Result<bool, sqlx::Error> {
    let (state, why) = match settled {
        Settled::Again { wait, why, failed, is_tried } => {
            return again(tenant, taken, (*wait, why.as_str(), *failed, *is_tried)).await;
        }
        Settled::Sent => (NoticeState::Sent, None),
        Settled::Close(state, why) => (*state, Some(why)),
    };
    let told: Option<(UserId, String, NoticeKind)> = sqlx::query_as(
        "UPDATE member_notices SET state = $4, outcome = $5, finished_at = clock_timestamp(), next_at = NULL,
                                   sent_at = CASE $4 WHEN 'sent' THEN clock_timestamp() WHEN 'unsure' THEN tried_at END
          WHERE guild_id = $1 AND notice_id = $2 AND state = 'pending' AND next_at = $3
         RETURNING user_id, source_id, kind",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .bind(taken.until)
    .bind(state.as_str())
    .bind(why)
    .fetch_optional(tenant.db())
    .await?;
    let Some((user, source, kind)) = told else { return Ok(false) };
    if state == NoticeState::Sent {
        let cause = format!("the payment of {source}: {}", kind.as_str());
        let entry = AuditEntry::new(Actor::Bot, AuditAction::MemberNotified, cause).about(user);
        audit_log::record(tenant, &entry).await?;
    }
    Ok(true)
}

async fn again(
    tenant: &mut Tenant,
    taken: &Taken,
    (wait, why, failed, is_tried): (Duration, &str, bool, bool),
) -> Result<bool, sqlx::Error> {
    let put_off = sqlx::query(
        "UPDATE member_notices SET next_at = clock_timestamp() + make_interval(secs => $4), outcome = $5,
                                   attempts = attempts + $6::int, tried_at = CASE WHEN $7 THEN tried_at END
          WHERE guild_id = $1 AND notice_id = $2 AND state = 'pending' AND next_at = $3",
    )
    .bind(tenant.guild())
    .bind(taken.id)
    .bind(taken.until)
    .bind(wait.as_secs_f64())
    .bind(why)
    .bind(i32::from(failed))
    .bind(is_tried)
    .execute(tenant.db())
    .await?;
    Ok(put_off.rows_affected() == 1)
}

/// Has a notice sent after all that was not, with what was not sent before it of the same payment, which would stand in its way. Not what
/// Discord may have. Answers how many that are.
pub async fn send_again(tenant: &mut Tenant, notice: NoticeId) -> Result<u64, sqlx::Error> {
    let pending = sqlx::query(
        "UPDATE member_notices n SET state = 'pending', next_at = now(), tried_at = NULL, outcome = NULL, finished_at = NULL
           FROM member_notices it
          WHERE it.guild_id = $1 AND it.notice_id = $2 AND n.guild_id = $1
            AND (n.user_id, n.connection_id, n.source_id, n.anchor) = (it.user_id, it.connection_id, it.source_id, it.anchor)
            AND (n.state = 'pending' AND n.notice_id = $2 AND n.tried_at IS NULL OR n.state = 'undeliverable' AND n.attempts = 0)",
    )
    .bind(tenant.guild())
    .bind(notice)
    .execute(tenant.db())
    .await?;
    Ok(pending.rows_affected())
}

/// Whether members are told; the server's row stays so until the transaction ends.
pub async fn lock_switch(tenant: &mut Tenant) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT tells_members FROM guilds WHERE guild_id = $1 FOR NO KEY UPDATE")
        .bind(tenant.guild())
        .fetch_one(tenant.db())
        .await
}

/// Has members told, or not.
pub async fn switch(tenant: &mut Tenant, on: bool) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE guilds SET tells_members = $2 WHERE guild_id = $1")
        .bind(tenant.guild())
        .bind(on)
        .execute(tenant.db())
        .await?;
    Ok(())
}

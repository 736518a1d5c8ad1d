//! Why a member has, or lacks, a role: what we know of them, read in one transaction: what decides, as [`member_facts`] reads it of many, and
//! their history. What it means is [`crate::domain::explain`].
//!
//! A member's history may be long, and the server's is: of each table only the member's own rows are read, by an index that begins
//! with the member, and of those only the latest.

use std::collections::BTreeSet;

use super::member_facts;
use crate::db::tenant::Tenant;
use crate::{
    clock::Timestamp,
    domain::{
        explain::{Entry, Event, Facts, Job, Source},
        notices::{NoticeKind, NoticeState},
    },
    ids::UserId,
};

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
    let surroundings = member_facts::surroundings(tenant).await?;
    let jobs = [(member, jobs(tenant, member).await?)].into();
    let facts = member_facts::facts_with(tenant, &surroundings, &[member], jobs).await?;
    // There are facts of everybody who is asked about.
    let facts = facts.into_iter().next().ok_or(sqlx::Error::RowNotFound)?;
    let history = history(tenant, member).await?;
    let events = events(tenant, &facts.sources, &history).await?;
    let notices = notices(tenant, member).await?;
    Ok(MemberReport { facts: Facts { history, events, ..facts }, notices })
}

/// A statement of its own: of whom it is about Postgres knows how many jobs they have, and finds the last of very many by the index.
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
    .bind(member_facts::DONE)
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

/// The events of the sources' last changes; an explanation tells of no others, and each costs four pages.
async fn events(
    tenant: &mut Tenant,
    sources: &[Source],
    history: &[Entry],
) -> Result<Vec<Event>, sqlx::Error> {
    let changes = sources.iter().filter_map(|source| source.last_change(history));
    let ids: BTreeSet<&str> = changes.filter_map(Entry::event).collect();
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

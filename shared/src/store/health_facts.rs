//! What `nexrole doctor` asks a database. In: a connection that can change nothing. Out: facts; what they mean is the doctor's.
//!
//! A bare connection, and neither [`crate::db::tenant::Tenant`] nor [`crate::db::cross_tenant::Crossing`]: those are made from a service's pool,
//! and the doctor must check databases where no service could start. Its session is read-only, and no service's.

use std::str::FromStr;

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};

use super::{
    access_sources::{self, Unbacked},
    mails,
    member_links::{self, Dispute},
    sealed::{self, Sealed},
};
use crate::db::{
    migrate::MIGRATOR,
    pg_roles::{self, ROLES, Standing},
};
use crate::{
    clock::Timestamp,
    domain::billing::{READS_GRANTED, portal::Portal, reads_left},
    ids::{ConnectionId, GuildId, RoleId},
};

/// Connects; whatever is asked on it, Postgres writes nothing.
pub async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    let mut db = PgConnectOptions::from_str(url)?.application_name("nexrole doctor").connect().await?;
    // By SET, not as startup options: poolers refuse unknown startup parameters.
    let prepare =
        "SET default_transaction_read_only = on; SET statement_timeout = '15s'; SET lock_timeout = '2s'";
    sqlx::raw_sql(prepare).execute(&mut db).await?;
    Ok(db)
}

/// How a server is set up, as a session without rights sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Server {
    /// `15.14`.
    pub version: String,
    /// `150014`.
    pub version_number: i32,
    /// `''`: sockets only.
    pub listen_addresses: String,
    /// Whether a crash of the machine leaves the database whole.
    pub fsync: bool,
    /// The same, of a page that was half written.
    pub full_page_writes: bool,
    /// Whether what is committed is on disk, for whoever does not ask for it.
    pub commits_wait: bool,
    /// Its owner says that all of it may go.
    pub may_lose_data: bool,
    /// Whether a page that a disk changed is found.
    pub checksums: bool,
    /// Whether the write-ahead log is archived.
    pub archives: bool,
    /// A standby takes no writes.
    pub standby: bool,
    /// TLS version of this very connection.
    pub tls: Option<String>,
    pub at: Timestamp,
}

pub async fn server(db: &mut PgConnection) -> Result<Server, sqlx::Error> {
    sqlx::query_as(
        "SELECT current_setting('server_version') AS version,
                current_setting('server_version_num')::integer AS version_number,
                current_setting('listen_addresses') AS listen_addresses,
                current_setting('fsync') = 'on' AS fsync,
                current_setting('full_page_writes') = 'on' AS full_page_writes,
                current_setting('synchronous_commit') <> 'off' AS commits_wait,
                coalesce(current_setting('nexrole.may_lose_data', true) = 'on', false) AS may_lose_data,
                current_setting('data_checksums') = 'on' AS checksums,
                current_setting('archive_mode') <> 'off' AS archives,
                pg_is_in_recovery() AS standby,
                (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS tls,
                clock_timestamp() AS at",
    )
    .fetch_one(db)
    .await
}

/// How this login stands to all roles, and the statements that help.
pub async fn standing(db: &mut PgConnection) -> Result<(Standing, String), sqlx::Error> {
    Ok((pg_roles::standing(&mut *db, &ROLES).await?, pg_roles::by_hand(db).await?))
}

/// Where the schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Migrations of this release that are not applied.
    pub behind: usize,
    /// Applied migrations that this release does not know.
    pub ahead: usize,
}

/// Compares; as the operator, from here on.
pub async fn schema(db: &mut PgConnection) -> Result<Schema, sqlx::Error> {
    sqlx::raw_sql("SET ROLE nexrole_operator").execute(&mut *db).await?;
    let applied = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success");
    let applied: Vec<i64> = match applied.fetch_all(db).await {
        // 42P01: the table does not exist, so nothing was ever migrated.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Vec::new(),
        applied => applied?,
    };
    let behind = MIGRATOR.iter().filter(|known| !applied.contains(&known.version)).count();
    let ahead = applied.iter().filter(|applied| MIGRATOR.iter().all(|known| known.version != **applied));
    Ok(Schema { behind, ahead: ahead.count() })
}

/// An active connection, and its key if the database has it.
#[derive(Debug, sqlx::FromRow)]
pub struct Connected {
    pub guild_id: GuildId,
    pub connection_id: ConnectionId,
    pub label: String,
    /// Live or test.
    pub livemode: bool,
    /// Sealed; `None`: held by the environment, or none.
    pub api_key: Option<Vec<u8>>,
    /// Reads of Stripe's API in this calendar month, UTC.
    pub reads: i32,
    /// The last part of its webhook address.
    pub endpoint_id: String,
    /// Where its members manage or cancel what they pay for.
    #[sqlx(flatten)]
    pub portal: Portal,
    /// How many Stripe grants the account.
    pub granted: i32,
}

impl Connected {
    /// Reads of this month that are left.
    pub fn left(&self) -> i32 {
        reads_left(self.granted, self.reads)
    }
}

/// All active connections; as the operator.
pub async fn connected(db: &mut PgConnection) -> Result<Vec<Connected>, sqlx::Error> {
    sqlx::query_as(
        "SELECT guild_id, connection_id, label, livemode, api_key,
                CASE WHEN c.reads_month = date_trunc('month', now() AT TIME ZONE 'UTC')::date THEN c.reads ELSE 0 END AS reads,
                coalesce(c.reads_granted, $1) AS granted, endpoint_id, portal_url, c.portal_read, c.portal_login_url
           FROM stripe_connections LEFT JOIN stripe_cursors c USING (guild_id, connection_id)
          WHERE state = 'active' ORDER BY guild_id, connection_id",
    )
    .bind(READS_GRANTED)
    .fetch_all(db)
    .await
}

/// All tenants, also those whose connections are not active any more; as the operator. Every one has had a connection.
pub async fn guilds(db: &mut PgConnection) -> Result<Vec<GuildId>, sqlx::Error> {
    let guilds = sqlx::query_scalar("SELECT DISTINCT guild_id FROM stripe_connections ORDER BY guild_id");
    guilds.fetch_all(db).await
}

/// [`sealed::page`]; as the operator.
pub async fn sealed_page(db: &mut PgConnection, after: Option<&Sealed>) -> Result<Vec<Sealed>, sqlx::Error> {
    sealed::page_on(db, after).await
}

/// The roles that a guild has mapped, without those that were deleted in Discord and have another in their place; as the operator.
pub async fn mapped(db: &mut PgConnection, guild: GuildId) -> Result<Vec<RoleId>, sqlx::Error> {
    enter(db, guild).await?;
    let mapped = sqlx::query_as(
        "SELECT r.role_id, coalesce(read_at, 'epoch') AS read_at,
                EXISTS (SELECT FROM guild_roles g WHERE (g.guild_id, g.role_id) = (r.guild_id, r.role_id))
                OR EXISTS (SELECT FROM role_mappings m
                            WHERE (m.guild_id, m.role_id) = (r.guild_id, r.role_id)
                              AND NOT EXISTS (SELECT FROM role_mappings o JOIN guild_roles USING (guild_id, role_id)
                                               WHERE (o.guild_id, o.source_kind, o.source_id)
                                                   = (m.guild_id, m.source_kind, m.source_id))) AS is_needed
           FROM mapped_roles r LEFT JOIN role_reads USING (guild_id)
          WHERE r.guild_id = $1
            -- Its last mapping may be removed; then it matters until nobody has it from us.
            AND (EXISTS (SELECT FROM role_mappings m WHERE (m.guild_id, m.role_id) = (r.guild_id, r.role_id))
                 OR EXISTS (SELECT FROM role_grants g WHERE (g.guild_id, g.role_id) = (r.guild_id, r.role_id)))
          ORDER BY r.role_id",
    );
    let mapped: Result<Vec<(RoleId, Timestamp, bool)>, _> = mapped.bind(guild).fetch_all(&mut *db).await;
    leave(db).await?;
    // One that was made after the list was read is not in it either.
    let kept = mapped?.into_iter().filter(|(role, read_at, needed)| *needed || role.created_at() >= *read_at);
    Ok(kept.map(|(role, ..)| role).collect())
}

/// Customers of a guild that are linked to another member than their metadata names; as the operator.
pub async fn disputes(db: &mut PgConnection, guild: GuildId) -> Result<Vec<Dispute>, sqlx::Error> {
    enter(db, guild).await?;
    let found = sqlx::query_as(member_links::DISPUTES).bind(guild).fetch_all(&mut *db).await;
    leave(db).await?;
    found
}

/// Customers who paid a guild on an account that is not connected any more; as the operator.
pub async fn unbacked(db: &mut PgConnection, guild: GuildId) -> Result<Vec<Unbacked>, sqlx::Error> {
    enter(db, guild).await?;
    let found = sqlx::query_as(access_sources::UNBACKED).bind(guild).fetch_all(&mut *db).await;
    leave(db).await?;
    found
}

/// Of how many roles of a guild jobs are held, and how many jobs; as the operator.
pub async fn held(db: &mut PgConnection, guild: GuildId) -> Result<(i64, i64), sqlx::Error> {
    enter(db, guild).await?;
    let held =
        "SELECT count(DISTINCT role_id), count(*) FROM role_jobs WHERE guild_id = $1 AND state = 'held'";
    let found = sqlx::query_as(held).bind(guild).fetch_one(&mut *db).await;
    leave(db).await?;
    found
}

/// Mails of a guild that were not simply sent lately, and why; as the operator.
pub async fn mails_not_sent(
    db: &mut PgConnection,
    guild: GuildId,
) -> Result<Vec<mails::NotSent>, sqlx::Error> {
    enter(db, guild).await?;
    let found = mails::not_sent(db, guild).await;
    leave(db).await?;
    found
}

/// A role that members pay for, of which Stripe sells nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Unsold {
    pub role_id: RoleId,
    /// `price_…` and `prod_…`: what is mapped to it.
    pub sold: Vec<String>,
    /// Who pays for it.
    pub members: i64,
}

/// Such roles of a guild, where what is sold was read; as the operator.
pub async fn unsold(db: &mut PgConnection, guild: GuildId) -> Result<Vec<Unsold>, sqlx::Error> {
    enter(db, guild).await?;
    let found = sqlx::query_as(
        "SELECT * FROM (
             SELECT m.role_id, array_agg(m.source_id ORDER BY m.source_id) AS sold,
                    (SELECT count(DISTINCT user_id) FROM access_sources a
                      WHERE a.guild_id = $1 AND a.role_id = m.role_id AND a.kind = 'stripe' AND a.state = 'live') AS members
               FROM role_mappings m
              WHERE m.guild_id = $1
              GROUP BY m.role_id
             HAVING NOT bool_or(EXISTS (SELECT FROM prices p
                                         WHERE p.guild_id = $1 AND m.source_id IN (p.price_id, p.product_id)))) AS unsold
          WHERE members > 0
            AND EXISTS (SELECT FROM stripe_sync s JOIN stripe_connections c USING (guild_id, connection_id)
                         WHERE s.guild_id = $1 AND s.object_kind = 'catalogue' AND s.synced_at IS NOT NULL AND c.state = 'active')
          ORDER BY role_id",
    )
    .bind(guild)
    .fetch_all(&mut *db)
    .await;
    leave(db).await?;
    found
}

/// What must never be; all of it zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Broken {
    /// Audited changes of one member's one role that do not alternate between given and gone.
    pub changes: i64,
    /// Events that were accepted, and that no read will answer any more.
    pub events: i64,
    /// Role jobs that nobody took up for ten minutes, of guilds that the bot is in and need not wait for.
    pub jobs: i64,
}

/// Looks for it in one guild's rows; each question as the role whose business it is.
pub async fn broken(db: &mut PgConnection, guild: GuildId) -> Result<Broken, sqlx::Error> {
    enter(db, guild).await?;
    let broken = find_broken(db, guild).await;
    leave(db).await?;
    broken
}

async fn find_broken(db: &mut PgConnection, guild: GuildId) -> Result<Broken, sqlx::Error> {
    let changes = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT action IN ('role.granted', 'role.adopted') AS given,
                    lag(action IN ('role.granted', 'role.adopted'), 1, false) OVER (PARTITION BY user_id, role_id ORDER BY audit_id) AS before
               FROM audit_log
              -- Who was forgotten is nobody any more: their changes cannot be told from those of others who were.
              WHERE guild_id = $1 AND user_id IS NOT NULL
                AND action IN ('role.granted', 'role.adopted', 'role.revoked', 'role.lost')) AS changes
          WHERE given = before",
    );
    let changes = changes.bind(guild).fetch_one(&mut *db).await?;
    sqlx::raw_sql("SET ROLE nexrole_gateway").execute(&mut *db).await?;
    let events = sqlx::query_scalar(
        "SELECT count(*) FROM stripe_events e
          WHERE guild_id = $1 AND state = 'recorded'
            AND NOT EXISTS (SELECT FROM stripe_sync s
                             WHERE (s.guild_id, s.connection_id, s.object_id) = (e.guild_id, e.connection_id, e.object_id)
                               AND s.next_at IS NOT NULL AND (s.dirty_seq > 0 OR s.next_at <= now()))",
    );
    let events = events.bind(guild).fetch_one(&mut *db).await?;
    sqlx::raw_sql("SET ROLE nexrole_bot").execute(&mut *db).await?;
    let jobs = sqlx::query_scalar(
        "SELECT count(*) FROM role_jobs JOIN guild_gates USING (guild_id)
          WHERE guild_id = $1 AND state = 'pending' AND due_at < now() - interval '10 minutes'
            -- Told to wait, or not in the guild.
            AND NOT away AND open_at < now()",
    );
    let jobs = jobs.bind(guild).fetch_one(&mut *db).await?;
    Ok(Broken { changes, events, jobs })
}

/// Row-level security shows this guild's rows from here on, and nobody else's.
async fn enter(db: &mut PgConnection, guild: GuildId) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('nexrole.guild', $1, false)").bind(guild.to_string()).execute(db).await?;
    Ok(())
}

async fn leave(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("SET nexrole.guild = ''; SET ROLE nexrole_operator").execute(db).await?;
    Ok(())
}

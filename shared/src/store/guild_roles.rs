//! Which roles of a server may be given, as last read from Discord, and how long ago that was.
//!
//! In: whole lists of roles, judged; hints that something changed. Out: what may be given now. A mapped role that turns out to be
//! dangerous is suspended: none is given, none is taken. When it is not dangerous any more it goes on by itself.

use std::{collections::BTreeSet, time::Duration};

use super::{audit_log, role_health, role_jobs};
use crate::db::{cross_tenant::Crossing, tenant::Tenant};
use crate::{
    clock::Timestamp,
    domain::{
        delivery::backoff::{REFUSED, SURELY_REFUSED},
        roles::{
            safety::is_lasting,
            suspension::{JudgedRoles, SuspensionChange, changes},
        },
    },
    ids::{GuildId, RoleId},
};

/// Something about the roles of a guild changed, or may have: nothing is given on what was read before.
pub async fn hint(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    // Only of guilds that use us; the bot may be in others.
    sqlx::query(
        "INSERT INTO role_reads (guild_id, hinted_at) SELECT guild_id, clock_timestamp() FROM guilds WHERE guild_id = $1
         ON CONFLICT (guild_id) DO UPDATE SET hinted_at = excluded.hinted_at",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Has the roles of a guild read again, also if nobody is to get one. The bot is in the guild: what Discord refused is over.
pub async fn request_read(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE role_reads SET look_at = now(), refusals = 0, refused_code = NULL WHERE guild_id = $1",
    )
    .bind(tenant.guild())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Discord told us to wait, or refuses: nobody checks the guild's roles for so long, unless the bot is invited before.
pub async fn leave_alone(tenant: &mut Tenant, wait: Duration) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE role_reads SET look_at = now() + make_interval(secs => $2) WHERE guild_id = $1")
        .bind(tenant.guild())
        .bind(wait.as_secs_f64())
        .execute(tenant.db())
        .await?;
    sqlx::query(
        "UPDATE mapped_roles SET look_at = now() + make_interval(secs => $2)
          WHERE guild_id = $1 AND enforcement = 'unseen'",
    )
    .bind(tenant.guild())
    .bind(wait.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// Discord refuses with this code to show the guild's roles: they are left alone, longer each time.
pub async fn refused(tenant: &mut Tenant, code: u32) -> Result<(), sqlx::Error> {
    let before: i32 = sqlx::query_scalar(
        "INSERT INTO role_reads (guild_id, refusals, refused_code) VALUES ($1, 1, $2)
         ON CONFLICT (guild_id) DO UPDATE SET refusals = least(role_reads.refusals + 1, 100), refused_code = excluded.refused_code
         RETURNING refusals - 1",
    )
    .bind(tenant.guild())
    .bind(code.cast_signed())
    .fetch_one(tenant.db())
    .await?;
    leave_alone(tenant, REFUSED.wait(before.try_into().unwrap_or(0))).await
}

/// The bot was removed from the guild, by Discord's own word.
pub async fn removed(tenant: &mut Tenant) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE role_reads SET refusals = $2 WHERE guild_id = $1")
        .bind(tenant.guild())
        .bind(SURELY_REFUSED.cast_signed())
        .execute(tenant.db())
        .await?;
    leave_alone(tenant, REFUSED.wait(SURELY_REFUSED)).await
}

/// Takes one guild whose roles are to be read, and moves its next read on by `again`: one that fails costs no more.
pub async fn take_due(crossing: &mut Crossing, again: Duration) -> Result<Option<GuildId>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE role_reads SET look_at = clock_timestamp() + make_interval(secs => $1)
          WHERE guild_id = (SELECT guild_id FROM role_reads WHERE look_at <= now()
                             ORDER BY look_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
         RETURNING guild_id",
    )
    .bind(again.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// Writes a list that Discord was asked for `age` ago; one that is older than what is known changes nothing. While a mapped role
/// is suspended, there is another read after `suspended`: whoever fixes the role may not be heard. The caller has taken
/// [`super::role_mappings::hold`], so that no role is mapped between the reading of mapped roles below and the end.
pub async fn write(
    tenant: &mut Tenant,
    judged: &JudgedRoles,
    age: Duration,
    suspended: Duration,
) -> Result<(), sqlx::Error> {
    let guild = tenant.guild();
    let newest = sqlx::query(
        "INSERT INTO role_reads (guild_id, read_at) VALUES ($1, clock_timestamp() - make_interval(secs => $2))
         ON CONFLICT (guild_id) DO UPDATE SET read_at = excluded.read_at, refusals = 0, refused_code = NULL
          WHERE role_reads.read_at IS NULL OR role_reads.read_at < excluded.read_at
             -- Its clock has gone back since.
             OR role_reads.read_at > clock_timestamp()",
    )
    .bind(guild)
    .bind(age.as_secs_f64())
    .execute(tenant.db())
    .await?;
    if newest.rows_affected() == 0 {
        return Ok(());
    }
    let mapped: Vec<(RoleId, Option<String>)> = sqlx::query_as(
        "SELECT m.role_id, r.danger FROM mapped_roles m LEFT JOIN guild_roles r USING (guild_id, role_id)
          WHERE m.guild_id = $1 ORDER BY m.role_id",
    )
    .bind(guild)
    .fetch_all(tenant.db())
    .await?;
    sqlx::query("DELETE FROM guild_roles WHERE guild_id = $1 AND role_id <> ALL ($2)")
        .bind(guild)
        .bind(judged.keys().map(|role| role.to_i64()).collect::<Vec<_>>())
        .execute(tenant.db())
        .await?;
    sqlx::query(
        "INSERT INTO guild_roles (guild_id, role_id, danger)
         SELECT $1, role_id, danger FROM unnest($2::bigint[], $3::text[]) AS read (role_id, danger)
         ON CONFLICT (guild_id, role_id) DO UPDATE SET danger = excluded.danger
          -- Most reads change nothing.
          WHERE guild_roles.danger IS DISTINCT FROM excluded.danger",
    )
    .bind(guild)
    .bind(judged.keys().map(|role| role.to_i64()).collect::<Vec<_>>())
    .bind(judged.values().cloned().collect::<Vec<_>>())
    .execute(tenant.db())
    .await?;
    let is_suspended = |(role, _): &(RoleId, Option<String>)| judged.get(role).is_some_and(Option::is_some);
    let any_suspended = mapped.iter().any(is_suspended);
    for change in changes(mapped, judged) {
        audit_log::record(tenant, &change.entry()).await?;
        if let SuspensionChange::Resumed { role, .. } = change {
            role_health::release_role(tenant, role).await?;
            role_jobs::announce_with(tenant).await?;
        }
    }
    // A hint that came after Discord was asked wants another read.
    sqlx::query(
        "UPDATE role_reads SET look_at = CASE WHEN $2 THEN clock_timestamp() + make_interval(secs => $3) END
          WHERE guild_id = $1 AND coalesce(hinted_at < read_at, true)",
    )
    .bind(guild)
    .bind(any_suspended)
    .bind(suspended.as_secs_f64())
    .execute(tenant.db())
    .await?;
    Ok(())
}

/// What is known about some roles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Read lately enough, and nothing was heard since.
    pub is_fresh: bool,
    /// Those of them that there are, each with why it must not be given.
    pub roles: JudgedRoles,
}

/// Looks up roles; what was read longer than `lately` ago is not fresh.
pub async fn known(
    tenant: &mut Tenant,
    roles: &BTreeSet<RoleId>,
    lately: Duration,
) -> Result<Known, sqlx::Error> {
    let is_fresh = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM role_reads
                         WHERE guild_id = $1
                           AND read_at BETWEEN clock_timestamp() - make_interval(secs => $2) AND clock_timestamp()
                           AND coalesce(hinted_at < read_at, true))",
    )
    .bind(tenant.guild())
    .bind(lately.as_secs_f64())
    .fetch_one(tenant.db())
    .await?;
    let roles: Vec<(RoleId, Option<String>)> =
        sqlx::query_as("SELECT role_id, danger FROM guild_roles WHERE guild_id = $1 AND role_id = ANY ($2)")
            .bind(tenant.guild())
            .bind(roles.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
            .fetch_all(tenant.db())
            .await?;
    Ok(Known { is_fresh, roles: roles.into_iter().collect() })
}

/// Why a role must not be mapped, as far as is known: read within a day, and nothing heard since; who gives it, whenever that was
/// read. What is not known is checked before the role is given to anybody.
pub async fn danger(tenant: &mut Tenant, role: RoleId) -> Result<Option<String>, sqlx::Error> {
    let known: Option<(String, bool)> = sqlx::query_as(
        "SELECT danger, coalesce(coalesce(hinted_at < read_at, true)
                                 AND read_at > clock_timestamp() - interval '1 day', false)
           FROM guild_roles JOIN role_reads USING (guild_id)
          WHERE guild_id = $1 AND role_id = $2 AND danger IS NOT NULL",
    )
    .bind(tenant.guild())
    .bind(role)
    .fetch_optional(tenant.db())
    .await?;
    Ok(known.filter(|(danger, is_fresh)| *is_fresh || is_lasting(danger)).map(|(danger, _)| danger))
}

/// The mapped roles that are not there any more: older than the last list of the server's roles, and not in it.
pub async fn deleted(tenant: &mut Tenant) -> Result<Vec<RoleId>, sqlx::Error> {
    let missing: Vec<(RoleId, Timestamp)> = sqlx::query_as(
        "SELECT m.role_id, read_at FROM mapped_roles m JOIN role_reads USING (guild_id)
          WHERE m.guild_id = $1 AND read_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM guild_roles r WHERE (r.guild_id, r.role_id) = (m.guild_id, m.role_id))
          ORDER BY m.role_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await?;
    // One that was made since is not in it either.
    let older = missing.into_iter().filter(|(role, read_at)| role.created_at() < *read_at);
    Ok(older.map(|(role, _)| role).collect())
}

/// Of deleted roles, those that something is sold by which gives no other role instead: a person has to map one.
pub async fn unreplaced(tenant: &mut Tenant, deleted: &[RoleId]) -> Result<Vec<RoleId>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT m.role_id FROM role_mappings m
          WHERE m.guild_id = $1 AND m.role_id = ANY ($2)
            AND NOT EXISTS (SELECT FROM role_mappings o
                             WHERE (o.guild_id, o.source_kind, o.source_id) = (m.guild_id, m.source_kind, m.source_id)
                               AND o.role_id <> ALL ($2))
          ORDER BY m.role_id",
    )
    .bind(tenant.guild())
    .bind(deleted.iter().map(|role| role.to_i64()).collect::<Vec<_>>())
    .fetch_all(tenant.db())
    .await
}

/// The mapped roles that are suspended, each with why.
pub async fn suspended(tenant: &mut Tenant) -> Result<Vec<(RoleId, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT role_id, danger FROM guild_roles JOIN mapped_roles USING (guild_id, role_id)
          WHERE guild_id = $1 AND danger IS NOT NULL ORDER BY role_id",
    )
    .bind(tenant.guild())
    .fetch_all(tenant.db())
    .await
}

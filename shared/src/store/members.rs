//! What the Gateway tells about members and guilds: turned into jobs, never into calls.

use sqlx::PgConnection;

use crate::ids::{GuildId, UserId};

/// A member joined, re-joined or left: look again at every role that is due to them, that we gave them, or that waits
/// for them. Answers how many jobs were made; none for a stranger.
pub async fn look_again(
    db: &mut PgConnection,
    guild: GuildId,
    user: UserId,
    cause: &str,
) -> Result<u64, sqlx::Error> {
    // What waited for the member is answered by the new jobs.
    sqlx::query(
        "UPDATE role_jobs SET state = 'superseded', outcome = $3, finished_at = now()
          WHERE guild_id = $1 AND user_id = $2 AND state = 'parked'",
    )
    .bind(guild)
    .bind(user)
    .bind(cause)
    .execute(&mut *db)
    .await?;
    let made = sqlx::query(
        "INSERT INTO role_jobs (guild_id, user_id, role_id, action, cause)
         SELECT $1, $2, role_id, 'resync', $3 FROM (
             SELECT role_id FROM access_sources WHERE guild_id = $1 AND user_id = $2 AND state = 'live'
             UNION
             SELECT role_id FROM role_grants WHERE guild_id = $1 AND user_id = $2) AS ours",
    )
    .bind(guild)
    .bind(user)
    .bind(cause)
    .execute(db)
    .await?;
    Ok(made.rows_affected())
}

/// The bot is in the guild (again): open its gate, unless a worker holds it.
pub async fn guild_available(db: &mut PgConnection, guild: GuildId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE guild_gates SET open_at = now() WHERE guild_id = $1 AND owner IS NULL AND open_at > now()",
    )
    .bind(guild)
    .execute(db)
    .await?;
    Ok(())
}

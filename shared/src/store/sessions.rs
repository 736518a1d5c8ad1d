//! Who is logged in. A session belongs to a Discord user and to no server, so it is reached across tenants; of its secrets only hashes
//! are here, and what it says of the person opens with the cookie alone.

use crate::{clock::Timestamp, db::cross_tenant::Crossing, domain::session::Times, ids::UserId};

/// A session, and when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub user: UserId,
    /// Sealed by the cookie.
    pub username: String,
    pub current: String,
    pub previous: Option<String>,
    pub times: Times,
    /// By the database's clock, as are the other times.
    pub now: Timestamp,
}

/// Begins one. `session` and `current`: hashes of the cookie's halves.
pub async fn begin(
    crossing: &mut Crossing,
    session: &str,
    current: &str,
    user: UserId,
    username: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions (session_hash, current_hash, user_id, username) VALUES ($1, $2, $3, $4)",
    )
    .bind(session)
    .bind(current)
    .bind(user)
    .bind(username)
    .execute(crossing.db())
    .await?;
    Ok(())
}

pub async fn find(crossing: &mut Crossing, session: &str) -> Result<Option<Found>, sqlx::Error> {
    type Row = (UserId, String, String, Option<String>, Timestamp, Timestamp, Timestamp);
    let row: Option<Row> = sqlx::query_as(
        "SELECT user_id, username, current_hash, previous_hash, began_at, replaced_at, clock_timestamp()
           FROM sessions WHERE session_hash = $1",
    )
    .bind(session)
    .fetch_optional(crossing.db())
    .await?;
    Ok(row.map(|(user, username, current, previous, began, replaced, now)| Found {
        user,
        username,
        current,
        previous,
        times: Times { began, replaced },
        now,
    }))
}

/// Replaces the second half; `false`: somebody else was faster, or it has ended.
pub async fn replace(
    crossing: &mut Crossing,
    session: &str,
    current: &str,
    next: &str,
) -> Result<bool, sqlx::Error> {
    let replaced = sqlx::query(
        "UPDATE sessions SET previous_hash = current_hash, current_hash = $3, replaced_at = now()
          WHERE session_hash = $1 AND current_hash = $2",
    )
    .bind(session)
    .bind(current)
    .bind(next)
    .execute(crossing.db())
    .await?;
    Ok(replaced.rows_affected() > 0)
}

pub async fn end(crossing: &mut Crossing, session: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sessions WHERE session_hash = $1").bind(session).execute(crossing.db()).await?;
    Ok(())
}

/// Ends all that somebody has, on whatever device. Answers how many.
pub async fn end_all(crossing: &mut Crossing, user: UserId) -> Result<u64, sqlx::Error> {
    let ended =
        sqlx::query("DELETE FROM sessions WHERE user_id = $1").bind(user).execute(crossing.db()).await?;
    Ok(ended.rows_affected())
}

//! Who is logged in. A session belongs to a Discord user and to no server, so it is reached across tenants; of its secrets only hashes
//! are here, and what it says of the person opens with the cookie alone.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    db::cross_tenant::Crossing,
    domain::session::Times,
    ids::{GuildId, UserId},
};

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

/// Begins one. `session` and `current`: hashes of the cookie's halves. `join_token`: what lets us add them to a server, sealed.
pub async fn begin(
    crossing: &mut Crossing,
    session: &str,
    current: &str,
    user: UserId,
    username: &str,
    join_token: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sessions (session_hash, current_hash, user_id, username, join_token, join_token_at)
         VALUES ($1, $2, $3, $4, $5::text, CASE WHEN $5::text IS NOT NULL THEN now() END)",
    )
    .bind(session)
    .bind(current)
    .bind(user)
    .bind(username)
    .bind(join_token)
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

/// A session's token for a server, as it waits.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct JoinToken {
    /// Sealed by the cookie; `None`: there is none, or it is too old.
    pub token: Option<String>,
    /// Somebody clicked a moment ago.
    pub is_taken: bool,
}

/// What a session has. `lives`: tokens that are older are not good any more. `held`: how long one is its taker's.
pub async fn join_token(
    crossing: &mut Crossing,
    session: &str,
    lives: Duration,
    held: Duration,
) -> Result<Option<JoinToken>, sqlx::Error> {
    sqlx::query_as(
        "SELECT CASE WHEN join_token_at > now() - make_interval(secs => $2) THEN join_token END AS token,
                coalesce(join_taken_at > now() - make_interval(secs => $3), false) AS is_taken
           FROM sessions WHERE session_hash = $1",
    )
    .bind(session)
    .bind(lives.as_secs_f64())
    .bind(held.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// Takes it; of two at once one gets it. Whoever dies with it leaves it to the next one after `held`.
pub async fn take_join_token(
    crossing: &mut Crossing,
    session: &str,
    lives: Duration,
    held: Duration,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE sessions SET join_taken_at = clock_timestamp()
          WHERE session_hash = $1 AND join_token IS NOT NULL AND join_token_at > now() - make_interval(secs => $2)
            AND (join_taken_at IS NULL OR join_taken_at <= now() - make_interval(secs => $3))
         RETURNING join_token",
    )
    .bind(session)
    .bind(lives.as_secs_f64())
    .bind(held.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// Nothing was done with it: the next click may take it at once.
pub async fn give_back_join_token(crossing: &mut Crossing, session: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sessions SET join_taken_at = NULL WHERE session_hash = $1")
        .bind(session)
        .execute(crossing.db())
        .await?;
    Ok(())
}

/// It was used.
pub async fn forget_join_token(crossing: &mut Crossing, session: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sessions SET join_token = NULL, join_token_at = NULL WHERE session_hash = $1")
        .bind(session)
        .execute(crossing.db())
        .await?;
    Ok(())
}

/// Forgets those that wait since longer than `lives`. Answers how many.
pub async fn forget_old_join_tokens(crossing: &mut Crossing, lives: Duration) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query(
        "UPDATE sessions SET join_token = NULL, join_token_at = NULL
          WHERE join_token_at <= now() - make_interval(secs => $1)",
    )
    .bind(lives.as_secs_f64())
    .execute(crossing.db())
    .await?;
    Ok(forgotten.rows_affected())
}

/// An offer to another account, as whoever has its secret finds it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Offered {
    #[sqlx(rename = "user_id")]
    pub user: UserId,
    #[sqlx(rename = "offer_guild")]
    pub guild: GuildId,
    /// Sealed by the offer's secret.
    #[sqlx(rename = "offer_name")]
    pub name: String,
}

/// A session offers what its user has in a server; of several offers the last one counts. `false`: the session has ended.
pub async fn offer(
    crossing: &mut Crossing,
    session: &str,
    offer: &str,
    guild: GuildId,
    name: &str,
) -> Result<bool, sqlx::Error> {
    let offered = sqlx::query(
        "UPDATE sessions SET offer_hash = $2, offer_guild = $3, offer_name = $4, offer_at = clock_timestamp()
          WHERE session_hash = $1",
    )
    .bind(session)
    .bind(offer)
    .bind(guild)
    .bind(name)
    .execute(crossing.db())
    .await?;
    Ok(offered.rows_affected() > 0)
}

/// An offer that is not older than `lives`, of a session that still lives.
pub async fn offered(
    crossing: &mut Crossing,
    offer: &str,
    lives: Duration,
) -> Result<Option<Offered>, sqlx::Error> {
    sqlx::query_as(
        "SELECT user_id, offer_guild, offer_name FROM sessions
          WHERE offer_hash = $1 AND offer_at > clock_timestamp() - make_interval(secs => $2)",
    )
    .bind(offer)
    .bind(lives.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

/// Takes it: of two at once one gets it.
pub async fn take_offer(
    crossing: &mut Crossing,
    offer: &str,
    lives: Duration,
) -> Result<Option<Offered>, sqlx::Error> {
    sqlx::query_as(
        "WITH taken AS (
             SELECT session_hash, user_id, offer_guild, offer_name FROM sessions
              WHERE offer_hash = $1 AND offer_at > clock_timestamp() - make_interval(secs => $2) FOR UPDATE)
         UPDATE sessions s SET offer_hash = NULL, offer_guild = NULL, offer_name = NULL, offer_at = NULL
           FROM taken WHERE s.session_hash = taken.session_hash
         RETURNING taken.user_id, taken.offer_guild, taken.offer_name",
    )
    .bind(offer)
    .bind(lives.as_secs_f64())
    .fetch_optional(crossing.db())
    .await
}

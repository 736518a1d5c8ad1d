//! Logins that were begun: a browser was sent to Discord, and has not come back yet. Each is taken once.

use std::time::Duration;

use crate::db::cross_tenant::Crossing;

/// Remembers where the browser that holds this secret's hash wants to go.
pub async fn begin(crossing: &mut Crossing, secret: &str, destination: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO logins (secret_hash, destination) VALUES ($1, $2)")
        .bind(secret)
        .bind(destination)
        .execute(crossing.db())
        .await?;
    Ok(())
}

/// Takes it: where to go, if it was begun no longer than `lives` ago. Of two at once one gets it.
pub async fn take(
    crossing: &mut Crossing,
    secret: &str,
    lives: Duration,
) -> Result<Option<String>, sqlx::Error> {
    let taken: Option<(String, bool)> = sqlx::query_as(
        "DELETE FROM logins WHERE secret_hash = $1
         RETURNING destination, began_at > now() - make_interval(secs => $2)",
    )
    .bind(secret)
    .bind(lives.as_secs_f64())
    .fetch_optional(crossing.db())
    .await?;
    Ok(taken.filter(|(_, lives)| *lives).map(|(destination, _)| destination))
}

//! Secrets where they are kept: each column of bytes is sealed, and what is sealed opens in its own place alone.

use shared::{
    crypto::{CryptoError, Keyring},
    db::pg_roles::Login,
    store::sealed::Column,
};

use crate::support::{
    cluster::Database,
    tenants::{ENCRYPTION_KEYS, all_sealed, numbered},
};

/// Whoever adds a sealed column must tell `keys rotate` of it.
#[tokio::test]
async fn every_column_of_bytes_is_known_to_be_sealed() {
    let database = Database::create().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
          WHERE data_type = 'bytea' AND table_schema = 'public' AND table_name <> '_sqlx_migrations' ORDER BY 1",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let kept = Column::ALL.map(|column| format!("stripe_connections.{}", column.name()));
    // Open for two seconds, or ten minutes, and never again: there is nothing to seal anew.
    let expiring =
        ["mails.arguments", "mails.recipient", "service_requests.answer", "service_requests.arguments"];
    // It is a hash, which nobody opens.
    let hashes = ["link_tokens.hash"];
    let known: Vec<String> = hashes.into_iter().chain(expiring).map(str::to_owned).chain(kept).collect();
    assert_eq!(columns, known);
    database.remove().await;
}

#[tokio::test]
async fn a_sealed_value_opens_nowhere_but_in_its_own_column_of_its_own_tenants_row() {
    let database = Database::create().await;
    let keyring = Keyring::parse(ENCRYPTION_KEYS).unwrap();
    let operator = database.login(Login::Operator);
    for number in 0..2 {
        numbered(&operator, ENCRYPTION_KEYS, number).await;
    }
    let nobodys = "UPDATE stripe_connections a SET api_key = b.api_key FROM stripe_connections b WHERE a.guild_id <> b.guild_id";
    let columns = "UPDATE stripe_connections SET api_key = webhook_secrets, webhook_secrets = api_key";
    for swap in [nobodys, columns] {
        sqlx::query(swap).execute(&database.pool).await.unwrap();
        let swapped = all_sealed(&operator).await;
        let keys = swapped.iter().filter(|value| value.column == Column::ApiKey);
        let errors: Vec<_> = keys.map(|value| value.opens(&keyring).unwrap_err()).collect();
        assert_eq!(errors, [0, 1].map(|_| CryptoError::Refused("k1".into())), "{swap}");
        // And back.
        sqlx::query(swap).execute(&database.pool).await.unwrap();
    }
    assert!(all_sealed(&operator).await.iter().all(|value| value.opens(&keyring).is_ok()));
    let known = all_sealed(&operator).await;
    let place = known[0].connection.place("api_key");
    for part in
        ["stripe_connections", &known[0].connection.guild.to_string(), &known[0].connection.id.to_string()]
    {
        assert!(place.split('/').any(|word| word == part), "{place} does not name {part}");
    }
    database.remove().await;
}

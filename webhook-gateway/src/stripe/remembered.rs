//! What was read of objects that never change, so that each is read once, and what a key may not read. In: a key and an id. Out: what was
//! read with that key.

use std::time::Duration;

use moka::future::Cache;

use super::budget::ApiKey;

/// One object is many customers'; each is a few hundred bytes.
const MOST: u64 = 10_000;
/// Should one change after all.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Objects of one kind, by the key that read them and their id: what one account's key may not read, another's does not tell it.
#[derive(Debug, Clone)]
pub(super) struct Remembered<T: Clone + Send + Sync + 'static>(Cache<(String, String), T>);

impl<T: Clone + Send + Sync + 'static> Default for Remembered<T> {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(KEPT_FOR).build())
    }
}

impl<T: Clone + Send + Sync + 'static> Remembered<T> {
    pub(super) async fn get(&self, key: &ApiKey, id: &str) -> Option<T> {
        self.0.get(&name(key, id)).await
    }

    pub(super) async fn insert(&self, key: &ApiKey, id: &str, read: T) {
        self.0.insert(name(key, id), read).await;
    }
}

fn name(key: &ApiKey, id: &str) -> (String, String) {
    (key.fingerprint().to_string(), id.to_owned())
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use shared::{
        ids::{ConnectionId, GuildId},
        store::stripe_connections::Connection,
    };

    use super::*;
    use crate::stripe::budget::Budgets;

    #[tokio::test]
    async fn what_one_key_may_not_read_another_is_asked_for() {
        let connection =
            Connection { guild: GuildId::from_u64(1).unwrap(), id: ConnectionId::from_u64(1).unwrap() };
        let budget = Budgets::default().of(connection);
        let key = |secret: &str| ApiKey::new(SecretString::from(secret), budget.clone());
        let refused = Remembered::default();
        refused.insert(&key("rk_test_1"), "offers", ()).await;
        assert!(refused.get(&key("rk_test_1"), "offers").await.is_some());
        assert!(refused.get(&key("rk_test_2"), "offers").await.is_none());
    }
}

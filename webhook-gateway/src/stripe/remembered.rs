//! What was read of objects that never change, so that each is read once. In: a key and an id. Out: what was read with that key.

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

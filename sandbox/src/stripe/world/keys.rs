//! What an owner does with API keys. In: permissions. Out: keys, made and changed.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::key::{ACCOUNT, Access, Key, KeyState};
use super::state::World;
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;

/// What a test says about a new key.
#[derive(Deserialize)]
pub(crate) struct NewKey {
    /// `rk_test`, `rk_live`, `sk_test` or `sk_live`.
    prefix: String,
    /// By kind, as in `{"subscriptions": "read"}`. Without it everything is allowed, with it nothing else.
    permissions: Option<BTreeMap<String, Access>>,
}

/// What a test changes about a key.
#[derive(Deserialize)]
pub(crate) struct KeyChange {
    permissions: Option<BTreeMap<String, Access>>,
    state: Option<KeyState>,
}

impl World {
    pub(crate) fn create_key(&mut self, params: NewKey) -> Result<String, Refusal> {
        let prefix = params.prefix.as_str();
        if !matches!(prefix, "rk_test" | "rk_live" | "sk_test" | "sk_live") {
            return Err(Refusal::malformed("prefix: rk_test, rk_live, sk_test or sk_live"));
        }
        if prefix.starts_with("sk") && params.permissions.is_some() {
            return Err(Refusal::malformed("a secret key may do everything"));
        }
        let key = Key {
            text: fresh_key(prefix),
            live: prefix.ends_with("live"),
            state: KeyState::Active,
            allowed: params.permissions.map(spelt).transpose()?,
        };
        let text = key.text.clone();
        self.keys.insert(text.clone(), key);
        Ok(text)
    }

    pub(crate) fn change_key(&mut self, text: &str, change: KeyChange) -> Result<(), Refusal> {
        let allowed = change.permissions.map(spelt).transpose()?;
        let key = self.keys.get_mut(text).ok_or_else(|| Refusal::missing(format!("key: {text}")))?;
        if allowed.is_some() {
            key.allowed = allowed;
        }
        key.state = change.state.unwrap_or(key.state);
        Ok(())
    }
}

/// As long as Stripe's: 107 characters, of which the account's begin with 51.
fn fresh_key(prefix: &str) -> String {
    const LENGTH: usize = 107;
    let random: String = (0..4).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    let mut key = format!("{prefix}_51{random}");
    key.truncate(LENGTH);
    key
}

/// Permissions by Stripe's own words. A kind may also be named as in the API's paths: prices need `plan`, refunds `charge`.
fn spelt(params: BTreeMap<String, Access>) -> Result<BTreeMap<&'static str, Access>, Refusal> {
    let word = |name: &str| {
        let named = |kind: &Kind| kind.permission() == name || kind.path()[1..].replace('/', "_") == name;
        let kind = Kind::ALL.into_iter().find(named).map(Kind::permission);
        kind.or_else(|| (name == "account").then_some(ACCOUNT))
    };
    let spell = |(name, access): (String, Access)| {
        let word =
            word(&name).ok_or_else(|| Refusal::malformed(format!("no permission is called {name}")))?;
        Ok((word, access))
    };
    params.into_iter().map(spell).collect()
}

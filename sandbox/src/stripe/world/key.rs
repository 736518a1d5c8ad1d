//! An API key as plain data. In: a permission. Out: whether the key has it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The one key every fake Stripe has from the start: it reads everything of test mode.
pub const KEY: &str = "rk_test_sandbox";

/// The permission for `GET /v1/account`.
pub(crate) const ACCOUNT: &str = "accounts_kyc_basic";

/// What a key may do with one kind of object. The sandbox has nothing to write, so that `write` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    None,
    Read,
    Write,
}

/// Whether a key still opens anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    #[default]
    Active,
    /// Rolled or deleted by the owner.
    Revoked,
    /// Its time is over.
    Expired,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) live: bool,
    pub(crate) state: KeyState,
    /// By Stripe's word for the permission; `None` is everything.
    pub(super) allowed: Option<BTreeMap<&'static str, Access>>,
}

impl Key {
    pub(crate) fn initial() -> Self {
        Self { text: KEY.to_owned(), live: false, state: KeyState::Active, allowed: None }
    }

    /// Whether the key reads what needs this permission.
    pub(crate) fn reads(&self, permission: &str) -> bool {
        let granted = |allowed: &BTreeMap<&str, Access>| {
            allowed.get(permission).is_some_and(|access| *access != Access::None)
        };
        self.allowed.as_ref().is_none_or(granted)
    }
}

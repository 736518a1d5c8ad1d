//! Entries of a guild's audit log. In: what was changed. Out: how an entry says it.

use serde_json::{Map, Value, json};

/// <https://discord.com/developers/docs/resources/audit-log#audit-log-entry-object-audit-log-events>
pub(crate) const MEMBER_ROLE_UPDATE: u64 = 25;
pub(crate) const ROLE_CREATE: u64 = 30;
pub(crate) const ROLE_UPDATE: u64 = 31;
pub(crate) const ROLE_DELETE: u64 = 32;

pub(crate) struct Line {
    pub(crate) id: u64,
    pub(crate) action: u64,
    pub(crate) user: u64,
    pub(crate) target: u64,
    pub(crate) entry: Value,
}

/// A role as entries about members name it: in `$add` and `$remove`.
pub(crate) fn role_change(key: &str, role: u64, name: &str) -> Value {
    json!([{ "key": key, "new_value": [{ "id": role.to_string(), "name": name }] }])
}

/// What differs between two shapes of the same thing.
pub(crate) fn differences(before: &Value, after: &Value) -> Value {
    let mut changes = Vec::new();
    for key in ["name", "permissions", "position", "managed"] {
        if before[key] != after[key] {
            let mut change = Map::from_iter([("key".to_owned(), json!(key))]);
            for (word, value) in [("old_value", &before[key]), ("new_value", &after[key])] {
                if !value.is_null() {
                    change.insert(word.to_owned(), value.clone());
                }
            }
            changes.push(Value::Object(change));
        }
    }
    changes.into()
}

//! What keeps people out of guilds, or waiting, whom the bot adds. Plain data.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::snowflake;

/// What keeps people out, or waiting.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Door {
    /// Banned from every guild of this world.
    #[serde(deserialize_with = "snowflake::many")]
    pub(crate) banned: BTreeSet<u64>,
    /// In as many guilds as they may be.
    #[serde(deserialize_with = "snowflake::many")]
    pub(crate) full: BTreeSet<u64>,
    /// Newcomers have rules to accept.
    pub(crate) screening: bool,
}

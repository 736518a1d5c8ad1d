//! What a person says of themselves. In: what a test wants. Out: plain data.

use serde::Deserialize;

/// Beside their username.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) global_name: Option<String>,
    pub(crate) email: Option<String>,
    /// Whether the address is known to be theirs.
    pub(crate) verified: bool,
}

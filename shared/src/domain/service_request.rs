//! What one service asks of the other: questions and answers as plain data.

use serde::{Deserialize, Serialize};

use super::{
    adding::{AccessToken, Adding},
    roles::permissions::Permissions,
};
use crate::ids::UserId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Gateway,
    Bot,
}

impl Service {
    /// As in the schema.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Bot => "bot",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Gateway => Self::Bot,
            Self::Bot => Self::Gateway,
        }
    }
}

/// About the server that the request belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "arguments", rename_all = "snake_case")]
pub enum Question {
    /// To the bot: what may this member do in the server as a whole?
    MemberPermissions { user: UserId },
    /// To the bot: add them to the server, as they allowed by this token, with the roles that are due to them.
    AddMember { user: UserId, token: AccessToken },
}

impl Question {
    /// Every kind that this release knows, in the words of its JSON.
    pub const KINDS: [&str; 2] = ["member_permissions", "add_member"];
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    MemberPermissions(Permissions),
    /// They are not in the server.
    MemberAbsent,
    /// What came of adding somebody.
    Adding(Adding),
    /// The vendor cannot be asked, or did not say, just now.
    Unavailable,
}

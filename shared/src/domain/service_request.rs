//! What one service asks of the other: questions and answers as plain data. Pure.
//!
//! A question is kept as its kind and a JSON object of arguments, so that releases that run side by side understand each other: an
//! argument that one does not know is passed over, and a kind that it does not know is answered "not known".

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::roles::permissions::Permissions;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// To the bot: what may this member do in the server as a whole?
    MemberPermissions { user: UserId },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    MemberPermissions(Permissions),
    /// They are not in the server.
    MemberAbsent,
    /// The vendor cannot be asked, or did not say, just now.
    Unavailable,
}

/// Why a stored question cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("this release does not know the kind of question")]
    NotKnown,
    #[error("the question's arguments are not those of its kind")]
    Malformed,
}

const MEMBER_PERMISSIONS: &str = "member_permissions";

#[derive(Deserialize)]
struct OfMember {
    user: UserId,
}

impl Question {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MemberPermissions { .. } => MEMBER_PERMISSIONS,
        }
    }

    /// A JSON object.
    pub fn arguments(&self) -> String {
        match self {
            Self::MemberPermissions { user } => json!({ "user": user }).to_string(),
        }
    }

    /// From what [`Question::kind`] and [`Question::arguments`] of any release made.
    pub fn read(kind: &str, arguments: &str) -> Result<Self, Unreadable> {
        match kind {
            MEMBER_PERMISSIONS => {
                let OfMember { user } = serde_json::from_str(arguments).map_err(|_| Unreadable::Malformed)?;
                Ok(Self::MemberPermissions { user })
            }
            _ => Err(Unreadable::NotKnown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_reads_as_it_was_written_and_anothers_is_not_known() {
        let question = Question::MemberPermissions { user: "81384788765712384".parse().unwrap() };
        assert_eq!(question.arguments(), r#"{"user":81384788765712384}"#);
        assert_eq!(Question::read(question.kind(), &question.arguments()), Ok(question.clone()));
        let newer = r#"{"user":81384788765712384,"channel":1}"#;
        assert_eq!(Question::read(question.kind(), newer), Ok(question));
        assert_eq!(Question::read("of_tomorrow", "{}"), Err(Unreadable::NotKnown));
        for wrong in ["", "{}", r#"{"user":"x"}"#] {
            assert_eq!(Question::read(MEMBER_PERMISSIONS, wrong), Err(Unreadable::Malformed), "{wrong}");
        }
    }

    #[test]
    fn answers_are_kept_in_words_that_do_not_change() {
        for (answer, json) in [
            (Answer::MemberPermissions(Permissions(8)), r#"{"member_permissions":"8"}"#),
            (Answer::MemberAbsent, r#""member_absent""#),
            (Answer::Unavailable, r#""unavailable""#),
        ] {
            assert_eq!(serde_json::to_string(&answer).unwrap(), json);
            assert_eq!(serde_json::from_str::<Answer>(json).unwrap(), answer);
        }
    }
}

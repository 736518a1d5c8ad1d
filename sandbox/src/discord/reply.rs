//! Discord's own ways to refuse. In: the reason. Out: status and `{message, code}` as Discord words them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal by the fake Discord's REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    /// No token, or not the bot's.
    Unauthorized,
    NotFound,
    /// The route exists, but not with this method.
    MethodNotAllowed,
    /// An id or body that cannot be read.
    InvalidForm,
    UnknownChannel,
    UnknownGuild,
    UnknownMember,
    UnknownMessage,
    UnknownRole,
    UnknownWebhook,
    UnknownInteraction,
    /// The interaction already got its first answer.
    AlreadyAcknowledged,
    /// The token of an interaction is older than 15 minutes.
    InvalidWebhookToken,
    /// The bot is not in the guild, or may not see the channel.
    MissingAccess,
    /// The bot may not touch this role, or not do this here.
    MissingPermissions,
    /// A message without anything in it.
    EmptyMessage,
    /// Somebody else's message cannot be edited.
    NotItsMessage,
    /// Nobody a direct channel could be opened with.
    InvalidRecipient,
    /// The user takes no direct messages from the bot.
    CannotMessage,
    /// The user shares no guild with the bot.
    OutOfReach,
    /// Not that user's token for this application, or not one to join with.
    InvalidAccessToken,
    /// The user is banned from the guild.
    Banned,
    /// The user is in as many guilds as they may be.
    TooManyGuilds,
}

impl No {
    fn words(self) -> (StatusCode, u32, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, 0, "401: Unauthorized"),
            Self::NotFound => (StatusCode::NOT_FOUND, 0, "404: Not Found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, 0, "405: Method Not Allowed"),
            Self::InvalidForm => (StatusCode::BAD_REQUEST, 50035, "Invalid Form Body"),
            Self::UnknownChannel => (StatusCode::NOT_FOUND, 10003, "Unknown Channel"),
            Self::UnknownGuild => (StatusCode::NOT_FOUND, 10004, "Unknown Guild"),
            Self::UnknownMember => (StatusCode::NOT_FOUND, 10007, "Unknown Member"),
            Self::UnknownMessage => (StatusCode::NOT_FOUND, 10008, "Unknown Message"),
            Self::UnknownRole => (StatusCode::NOT_FOUND, 10011, "Unknown Role"),
            Self::UnknownWebhook => (StatusCode::NOT_FOUND, 10015, "Unknown Webhook"),
            Self::UnknownInteraction => (StatusCode::NOT_FOUND, 10062, "Unknown interaction"),
            Self::AlreadyAcknowledged => {
                (StatusCode::BAD_REQUEST, 40060, "Interaction has already been acknowledged.")
            }
            Self::InvalidWebhookToken => (StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token"),
            Self::MissingAccess => (StatusCode::FORBIDDEN, 50001, "Missing Access"),
            Self::MissingPermissions => (StatusCode::FORBIDDEN, 50013, "Missing Permissions"),
            Self::EmptyMessage => (StatusCode::BAD_REQUEST, 50006, "Cannot send an empty message"),
            Self::NotItsMessage => {
                (StatusCode::FORBIDDEN, 50005, "Cannot edit a message authored by another user")
            }
            Self::InvalidRecipient => (StatusCode::BAD_REQUEST, 50033, "Invalid Recipient(s)"),
            Self::OutOfReach => (
                StatusCode::FORBIDDEN,
                50278,
                "Cannot send messages to this user due to having no mutual guilds",
            ),
            Self::InvalidAccessToken => (StatusCode::FORBIDDEN, 50025, "Invalid OAuth2 access token"),
            Self::Banned => (StatusCode::FORBIDDEN, 40007, "The user is banned from this guild."),
            Self::TooManyGuilds => (StatusCode::BAD_REQUEST, 30001, "Maximum number of guilds reached (100)"),
            Self::CannotMessage => (StatusCode::FORBIDDEN, 50007, "Cannot send messages to this user"),
        }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let (status, code, message) = self.words();
        (status, Json(json!({ "message": message, "code": code }))).into_response()
    }
}

/// The shape of errors that have no code of their own, such as a 503.
pub(crate) fn plain(status: StatusCode) -> Value {
    let words = status.canonical_reason().unwrap_or("Error");
    json!({ "message": format!("{}: {words}", status.as_u16()), "code": 0 })
}

//! Mail that waits to be sent. In: how it stands. Out: whether it is sent now, and how long to wait after a failure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::delivery::backoff::Schedule;
use crate::clock::Timestamp;

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum MailKind {
    /// A code, to the address that Stripe has of a customer: the recipient is what was typed, and nobody if no customer has it.
    ClaimCode,
    /// To a customer who pays and is linked to nobody: how to claim. The recipient is the invitation's id.
    Invitation,
}

impl MailKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClaimCode => "claim_code",
            Self::Invitation => "invitation",
        }
    }
}

/// What stands in a [`MailKind::ClaimCode`]. A secret: it has no `Debug`.
#[derive(Serialize, Deserialize)]
pub struct ClaimCode {
    pub code: String,
}

/// What stands in a [`MailKind::Invitation`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Invitation {
    pub invitation: Uuid,
    pub is_reminder: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum MailState {
    /// To be sent.
    Pending,
    /// The mail server took it.
    Sent,
    /// The mail server may have taken it.
    Unsure,
    /// The mail server will not take it.
    Refused,
    /// Nobody is to get it.
    Nobody,
    /// Its time was over before it could be sent.
    Expired,
    /// A newer one says more.
    Cancelled,
}

impl MailState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Unsure => "unsure",
            Self::Refused => "refused",
            Self::Nobody => "nobody",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Waits after failure 1, 2, …: somebody waits for it, and greylisting (RFC 6647) wants a few minutes.
pub const FAILED: Schedule = Schedule {
    first: &[Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)],
    then: Duration::from_secs(120),
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    Send,
    /// Not at all.
    Close(MailState, &'static str),
}

/// What is done with a mail whose turn it is. `tried_at`: since when the mail server may have it.
pub fn judge(tried_at: Option<Timestamp>, expires_at: Timestamp, now: Timestamp) -> Judgement {
    if tried_at.is_some() {
        // SMTP knows no way to ask; who waits for it can have another.
        return Judgement::Close(MailState::Unsure, "it was not heard whether the mail server took it");
    }
    if now >= expires_at {
        return Judgement::Close(MailState::Expired, "its time was over before it could be sent");
    }
    Judgement::Send
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn what_the_server_may_have_is_not_sent_again_and_what_is_too_old_not_at_all() {
        let (now, second) = (datetime!(2026-12-01 12:00 UTC), Duration::from_secs(1));
        assert_eq!(judge(None, now + second, now), Judgement::Send);
        assert!(matches!(judge(None, now, now), Judgement::Close(MailState::Expired, _)));
        assert!(matches!(judge(Some(now), now + second, now), Judgement::Close(MailState::Unsure, _)));
    }
}

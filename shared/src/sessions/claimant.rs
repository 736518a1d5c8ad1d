//! The right of a subscriber to act for themselves. In: a login's session. Out: a [`Claimant`], which nothing else makes.

use super::Subscriber;
use crate::ids::{GuildId, UserId};

/// A Discord user who wants what they paid for, in one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant {
    guild: GuildId,
    user: UserId,
}

impl Claimant {
    pub fn of_session(subscriber: &Subscriber, guild: GuildId) -> Self {
        Self { guild, user: subscriber.user() }
    }

    pub fn guild(&self) -> GuildId {
        self.guild
    }

    pub fn user(&self) -> UserId {
        self.user
    }
}

//! The right of a subscriber to act for themselves. In: proof of who somebody is. Out: a [`Claimant`], which only such a proof can make.

use super::{
    authorized::{Authorized, NotTheOperator},
    pool::Pool,
};
use crate::ids::{GuildId, UserId};

/// A Discord user who wants what they paid for, in one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant {
    guild: GuildId,
    user: UserId,
}

impl Claimant {
    /// The operator may stand in for everybody. A login's session is to be the other way here.
    pub fn operator(pool: &Pool, guild: GuildId, user: UserId) -> Result<Self, NotTheOperator> {
        Authorized::operator(pool, guild).map(|_| Self { guild, user })
    }

    pub fn guild(&self) -> GuildId {
        self.guild
    }

    pub fn user(&self) -> UserId {
        self.user
    }
}

//! The right to act for a guild's owner. In: proof that somebody may. Out: an [`Authorized`], which only a permission check can make.

use super::{pg_roles::Login, pool::Pool};
use crate::{domain::audit::Actor, ids::GuildId};

/// Who may act for the owner of which guild. Nobody else has both a guild and a transaction that changes what the owner decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorized {
    guild: GuildId,
    actor: Actor,
}

/// The pool is a service's, which may not act for owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only the operator's database login may act for every server's owner; this one is the {0:?}'s")]
pub struct NotTheOperator(Login);

impl Authorized {
    /// The operator, who holds the database login of the `nexrole` commands, may act for every guild's owner.
    pub fn operator(pool: &Pool, guild: GuildId) -> Result<Self, NotTheOperator> {
        match pool.login() {
            Login::Operator => Ok(Self { guild, actor: Actor::Operator }),
            service => Err(NotTheOperator(service)),
        }
    }

    pub fn guild(&self) -> GuildId {
        self.guild
    }

    /// In whose name the audit log is written.
    pub fn actor(&self) -> Actor {
        self.actor
    }
}

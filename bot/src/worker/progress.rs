//! What a turn has decided so far. Each stage adds to it; nothing of it is written before settlement.

use std::collections::BTreeSet;

use shared::{
    domain::{
        delivery::update::{Decision, GuildGate, RoleHealth},
        roles::work::{Manageability, RoleWork},
    },
    ids::{RoleId, UserId},
};

#[derive(Default)]
pub(super) struct Progress {
    pub(super) guild: GuildGate,
    pub(super) decisions: Vec<Decision>,
    /// What Discord was asked to change.
    pub(super) called: Vec<(UserId, RoleId)>,
    refused: BTreeSet<RoleId>,
    /// Discord has answered a call as it answers a bot that is in the guild.
    pub(super) reached: bool,
    /// This turn has read what the server's roles may do.
    pub(super) roles_read: bool,
}

/// Why a member's way through the stages ends early.
pub(super) enum Ended {
    /// Nothing more is done for this member now.
    Member,
    /// Nor for any other: the guild is left alone, the lease is used up, or we are to stop.
    Turn,
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Ended {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Progress {
    /// Keeps a decision; one that closes the guild ends the turn.
    pub(super) fn add(&mut self, decision: Decision) -> Result<(), Ended> {
        if let Some(RoleHealth::Parked { role, .. }) = decision.role {
            self.refused.insert(role);
        }
        let guild = decision.guild;
        self.decisions.push(decision);
        self.close(guild)
    }

    /// How the guild is left, if the turn ends now.
    pub(super) fn close(&mut self, guild: GuildGate) -> Result<(), Ended> {
        self.guild = guild;
        if guild == GuildGate::Open { Ok(()) } else { Err(Ended::Turn) }
    }

    /// Whether a call for the role would be refused.
    pub(super) fn is_refused(&self, role: &RoleWork) -> bool {
        role.manageability == Manageability::Refused || self.refused.contains(&role.view.role)
    }
}

//! What servers and roles are called, remembered for a while. In: a server. Out: its names, or why Discord does not tell them.
//!
//! Where a message to a member names a role by its id, Discord shows nothing: the conversation is in no server.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use shared::{domain::delivery::outcome::CallOutcome, ids::GuildId};

use crate::discord::{
    client::{NoTime, RoleClient},
    messages::Names,
};

/// Many members of one server are told at the same time; a new name shows after this.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The names that were read lately.
#[derive(Default)]
pub(super) struct KnownNames(Mutex<HashMap<GuildId, (Instant, Names)>>);

impl KnownNames {
    fn get(&self, guild: GuildId) -> Option<Names> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (read, _)| read.elapsed() < REMEMBERED);
        known.get(&guild).map(|(_, names)| names.clone())
    }

    fn keep(&self, guild: GuildId, names: Names) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(guild, (Instant::now(), names));
    }

    /// As remembered, or read.
    pub(super) async fn of(
        &self,
        discord: &RoleClient,
        guild: GuildId,
        until: Instant,
    ) -> Result<Result<Names, CallOutcome>, NoTime> {
        if let Some(known) = self.get(guild) {
            return Ok(Ok(known));
        }
        let read = discord.names(guild, until).await?;
        if let Ok(names) = &read {
            self.keep(guild, names.clone());
        }
        Ok(read)
    }
}

//! What the Gateway tells, as jobs. Events only enqueue: they may be lost, doubled or late, and never call a role route.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use serenity::all::FullEvent;
use shared::store::database::Pool;
use shared::{
    domain::job::JobOrigin,
    ids::{GuildId, UserId},
    store::{
        database::within,
        guild_roles, members, role_jobs,
        tenant::{self, Tenant},
    },
};
use tokio::sync::Semaphore;

use crate::role_changes::RoleChanges;

/// Events at the same time: a session begins with one for each guild, and turns need connections too.
const AT_ONCE: usize = 4;
/// Waits after failure 1, 2, …: Discord does not say again that the bot was invited.
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(240),
];

/// Takes events.
pub struct Events {
    pool: Pool,
    turns: Semaphore,
    role_changes: Mutex<RoleChanges>,
}

impl Events {
    /// Into this database.
    pub fn new(pool: Pool) -> Self {
        Self { pool, turns: Semaphore::new(AT_ONCE), role_changes: Mutex::default() }
    }

    /// Takes one event; again, if the database refuses it.
    pub async fn receive(&self, bot: serenity::all::UserId, event: &FullEvent) -> anyhow::Result<()> {
        let Some(event) = ours(bot, event)? else { return Ok(()) };
        if let Event::RolesChanged(guild) = event {
            // At once: from now on no role is given on what was read before.
            self.persistently(Event::RolesUnsure(guild)).await?;
            let changes = &self.role_changes;
            let heard = changes.lock().unwrap_or_else(PoisonError::into_inner).heard(guild, Instant::now());
            let Some(quiet) = heard else { return Ok(()) };
            tokio::time::sleep(quiet).await;
        }
        self.persistently(event).await
    }

    async fn persistently(&self, event: Event) -> anyhow::Result<()> {
        for wait in WAITS {
            match self.attempt(event).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, again_in_s = wait.as_secs(), "an event could not be taken up yet");
                }
            }
            tokio::time::sleep(wait).await;
        }
        Ok(self.attempt(event).await?)
    }

    async fn attempt(&self, event: Event) -> Result<(), sqlx::Error> {
        // Never closed; without a permit it would only be busier.
        let _turn = self.turns.acquire().await;
        within(async {
            let mut tenant = tenant::begin(&self.pool, event.guild()).await?;
            let jobs = take(&mut tenant, event).await?;
            // These events are rare, unlike Stripe's: the wake-up may ride in their transaction.
            if jobs > 0 {
                role_jobs::announce_with(&mut tenant).await?;
            }
            tenant.commit().await
        })
        .await
    }
}

/// What an event means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// A member joined or left.
    Moved(GuildId, UserId, JobOrigin, &'static str),
    /// The start of a session, or the bot was invited: what happened before is not told.
    Available(GuildId),
    /// The bot was removed from the guild.
    Removed(GuildId),
    /// What the guild's roles may do must be read again before one is given.
    RolesUnsure(GuildId),
    /// The order or the permissions of roles, or the bot's own roles, changed: what Discord refused may work now, and what was
    /// harmless may not be any more.
    RolesChanged(GuildId),
}

impl Event {
    fn guild(self) -> GuildId {
        match self {
            Self::Moved(guild, ..)
            | Self::Available(guild)
            | Self::Removed(guild)
            | Self::RolesUnsure(guild)
            | Self::RolesChanged(guild) => guild,
        }
    }
}

/// `None`: nothing.
fn ours(bot: serenity::all::UserId, event: &FullEvent) -> anyhow::Result<Option<Event>> {
    Ok(Some(match event {
        FullEvent::GuildMemberAddition { new_member } => {
            let (guild, user) = (our_guild(new_member.guild_id)?, our_user(new_member.user.id)?);
            Event::Moved(guild, user, JobOrigin::Join, "the member joined")
        }
        FullEvent::GuildMemberRemoval { guild_id, user, .. } => {
            // Nobody waits for it.
            Event::Moved(our_guild(*guild_id)?, our_user(user.id)?, JobOrigin::Sweep, "the member left")
        }
        FullEvent::GuildCreate { guild, .. } => Event::Available(our_guild(guild.id)?),
        // `unavailable`: an outage of Discord's.
        FullEvent::GuildDelete { incomplete, .. } if !incomplete.unavailable => {
            Event::Removed(our_guild(incomplete.id)?)
        }
        FullEvent::GuildRoleUpdate { new, .. } => Event::RolesChanged(our_guild(new.guild_id)?),
        FullEvent::GuildRoleCreate { new } => Event::RolesChanged(our_guild(new.guild_id)?),
        FullEvent::GuildMemberUpdate { event, .. } if event.user.id == bot => {
            Event::RolesChanged(our_guild(event.guild_id)?)
        }
        _ => return Ok(None),
    }))
}

/// Answers how many jobs there are to wake somebody for.
async fn take(tenant: &mut Tenant, event: Event) -> Result<u64, sqlx::Error> {
    match event {
        Event::Moved(guild, user, origin, cause) => {
            let jobs = members::look_again(tenant, user, origin, cause).await?;
            if jobs > 0 {
                tracing::info!(guild.id = %guild, user.id = %user, jobs, cause, "looking again at a member");
            }
            Ok(jobs)
        }
        Event::Available(_) => {
            members::guild_available(tenant).await?;
            members::sweep_guild(tenant).await
        }
        Event::Removed(guild) => {
            tracing::warn!(guild.id = %guild, "the bot was removed from this server");
            members::guild_removed(tenant).await?;
            Ok(0)
        }
        Event::RolesUnsure(_) => {
            guild_roles::hint(tenant).await?;
            Ok(0)
        }
        Event::RolesChanged(_) => {
            guild_roles::look(tenant).await?;
            let parked = role_jobs::parked_roles(tenant).await?;
            for &role in &parked {
                role_jobs::release_role(tenant, role).await?;
            }
            Ok(u64::from(!parked.is_empty()))
        }
    }
}

fn our_guild(guild: serenity::all::GuildId) -> anyhow::Result<GuildId> {
    GuildId::from_u64(guild.get()).context("a guild id beyond 63 bits")
}

fn our_user(user: serenity::all::UserId) -> anyhow::Result<UserId> {
    UserId::from_u64(user.get()).context("a user id beyond 63 bits")
}

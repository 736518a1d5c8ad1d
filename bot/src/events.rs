//! What the Gateway tells, as jobs. Events only enqueue: they may be lost, doubled or late, and never call a role route.

use std::time::Duration;

use anyhow::Context;
use serenity::all::FullEvent;
use shared::{
    ids::{GuildId, UserId},
    store::{database::within, members, role_jobs},
};
use sqlx::PgPool;
use tokio::sync::Semaphore;

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
    pool: PgPool,
    turns: Semaphore,
}

impl Events {
    /// Into this database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, turns: Semaphore::new(AT_ONCE) }
    }

    /// Takes one event; again, if the database refuses it.
    pub async fn receive(&self, bot: serenity::all::UserId, event: &FullEvent) -> anyhow::Result<()> {
        for wait in WAITS {
            match self.attempt(bot, event).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(
                    error = format!("{error:#}"),
                    again_in_s = wait.as_secs(),
                    "an event could not be taken up yet"
                ),
            }
            tokio::time::sleep(wait).await;
        }
        self.attempt(bot, event).await
    }

    async fn attempt(&self, bot: serenity::all::UserId, event: &FullEvent) -> anyhow::Result<()> {
        let _turn = self.turns.acquire().await?;
        within(async { Ok(take(&self.pool, bot, event).await) }).await?
    }
}

/// Takes one event.
async fn take(pool: &PgPool, bot: serenity::all::UserId, event: &FullEvent) -> anyhow::Result<()> {
    match event {
        FullEvent::GuildMemberAddition { new_member } => {
            look_again(pool, new_member.guild_id, new_member.user.id, "the member joined").await
        }
        FullEvent::GuildMemberRemoval { guild_id, user, .. } => {
            look_again(pool, *guild_id, user.id, "the member left").await
        }
        // At the start of a session, and when the bot is invited: what happened before is not told.
        FullEvent::GuildCreate { guild, .. } => available(pool, guild.id).await,
        // The order or the permissions of roles changed: roles that Discord refused may work now.
        FullEvent::GuildRoleUpdate { new, .. } => roles_changed(pool, new.guild_id).await,
        FullEvent::GuildRoleCreate { new } => roles_changed(pool, new.guild_id).await,
        // The bot got, or lost, a role: perhaps the one that lets it manage others.
        FullEvent::GuildMemberUpdate { event, .. } if event.user.id == bot => {
            roles_changed(pool, event.guild_id).await
        }
        _ => Ok(()),
    }
}

async fn look_again(
    pool: &PgPool,
    guild: serenity::all::GuildId,
    user: serenity::all::UserId,
    cause: &str,
) -> anyhow::Result<()> {
    let guild = our_guild(guild)?;
    let user = UserId::from_u64(user.get()).context("a user id beyond 63 bits")?;
    let mut tx = pool.begin().await?;
    let jobs = members::look_again(&mut tx, guild, user, cause).await?;
    notify(&mut tx, jobs).await?;
    tx.commit().await?;
    if jobs > 0 {
        tracing::info!(guild.id = %guild, user.id = %user, jobs, cause, "looking again at a member");
    }
    Ok(())
}

async fn available(pool: &PgPool, guild: serenity::all::GuildId) -> anyhow::Result<()> {
    let guild = our_guild(guild)?;
    let mut tx = pool.begin().await?;
    members::guild_available(&mut tx, guild).await?;
    let jobs = members::sweep(&mut tx, Some(guild), Duration::ZERO, i64::MAX).await?;
    notify(&mut tx, jobs).await?;
    tx.commit().await?;
    Ok(())
}

async fn roles_changed(pool: &PgPool, guild: serenity::all::GuildId) -> anyhow::Result<()> {
    let guild = our_guild(guild)?;
    let mut tx = pool.begin().await?;
    let parked = role_jobs::parked_roles(&mut tx, guild).await?;
    for &role in &parked {
        role_jobs::release_role(&mut tx, guild, role).await?;
    }
    notify(&mut tx, u64::from(!parked.is_empty())).await?;
    tx.commit().await?;
    Ok(())
}

/// These events are rare, unlike Stripe's: the wake-up may ride in their transaction.
async fn notify(db: &mut sqlx::PgConnection, jobs: u64) -> Result<(), sqlx::Error> {
    if jobs > 0 {
        role_jobs::announce(db).await?;
    }
    Ok(())
}

fn our_guild(guild: serenity::all::GuildId) -> anyhow::Result<GuildId> {
    GuildId::from_u64(guild.get()).context("a guild id beyond 63 bits")
}

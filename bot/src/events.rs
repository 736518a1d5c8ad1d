//! What the Gateway tells, as jobs. Events only enqueue: they may be lost, doubled or late, and never call a role route.

use std::time::Duration;

use anyhow::Context;
use serenity::all::FullEvent;
use shared::{
    ids::{GuildId, UserId},
    store::{members, role_jobs},
};
use sqlx::PgPool;

/// Takes one event.
pub async fn receive(pool: &PgPool, bot: serenity::all::UserId, event: &FullEvent) -> anyhow::Result<()> {
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

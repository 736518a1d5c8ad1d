//! Reminds of what is held and nobody answered, a day, three and seven after it began. In: the time. Out: a line in the log and in the
//! server's activity, each once. Nothing else happens without an answer.

use shared::{
    db::{
        pool::{Pool, within},
        tenant,
    },
    domain::activity::{Activity, ActivityEntry},
    ids::GuildId,
    store::{activity_log, role_holds},
};

/// Guilds per search.
const AT_ONCE: i64 = 500;

/// Makes what is due of them.
pub async fn remind(pool: &Pool) -> Result<(), sqlx::Error> {
    let guilds =
        within(async { role_holds::guilds_to_remind(&mut pool.across().await?, AT_ONCE).await }).await?;
    for guild in guilds {
        within(in_guild(pool, guild)).await?;
    }
    Ok(())
}

async fn in_guild(pool: &Pool, guild: GuildId) -> Result<(), sqlx::Error> {
    let mut tenant = tenant::begin(pool, guild).await?;
    let reminders = role_holds::take_reminders(&mut tenant).await?;
    for reminder in &reminders {
        let detail = Some(format!("role {}: {} held", reminder.role_id, reminder.held));
        activity_log::record(&mut tenant, ActivityEntry { detail, ..Activity::HeldReminded.into() }).await?;
    }
    tenant.commit().await?;
    for reminder in reminders {
        tracing::error!(guild.id = %guild, role.id = %reminder.role_id, held = reminder.held, since = %reminder.since,
            "members keep a role because taking it from so many is held: approve or discard it (nexrole held)");
    }
    Ok(())
}

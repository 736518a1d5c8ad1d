//! `nexrole activity`: what went on in a server lately. Text on stdout, newest first.

use shared::{
    db::{pool::Pool, tenant::Tenant},
    domain::activity::{Activity, ActivityEntry},
    ids::{GuildId, UserId},
    store::activity_log,
    views::{activity, terminal},
};

use super::guild::known;

/// Prints the last lines.
pub(super) async fn show(pool: &Pool, guild: GuildId, count: i64) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let found = activity_log::last(&mut tenant, count).await?;
    write_down(tenant, Activity::ActivityRead, None).await?;
    println!("{}", terminal::render(&activity::document(guild, &found)));
    Ok(())
}

/// Writes down that the operator read it, and ends the read.
pub(super) async fn write_down(
    mut tenant: Tenant,
    activity: Activity,
    about: Option<UserId>,
) -> anyhow::Result<()> {
    let entry = ActivityEntry { user: about, ..activity.into() };
    activity_log::record(&mut tenant, entry).await?;
    Ok(tenant.commit().await?)
}

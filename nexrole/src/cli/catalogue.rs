//! `nexrole catalogue`: what a server's owner sells at Stripe, and which roles it gives. Text on stdout.

use shared::{
    db::pool::Pool,
    domain::activity::Activity,
    ids::GuildId,
    store::catalogue,
    views::{catalogue::document, terminal},
};

use super::{activity::write_down, guild::known};

pub(super) async fn show(pool: &Pool, guild: GuildId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let offers = catalogue::offers(&mut tenant).await?;
    let links = catalogue::links(&mut tenant).await?;
    write_down(tenant, Activity::CatalogueRead, None).await?;
    println!("{}", terminal::render(&document(&offers, &links)));
    Ok(())
}

//! `nexrole map list`.

use shared::{
    clock,
    db::pool::Pool,
    ids::GuildId,
    store::{guild_gates, guild_roles, mapped_roles},
    views::{
        mappings::{self, Mappings},
        terminal,
    },
};

use crate::cli::guild::known;

pub(super) async fn show(pool: &Pool, guild: GuildId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let roles = mapped_roles::list(&mut tenant).await?;
    let deleted = guild_roles::deleted(&mut tenant).await?;
    let unreplaced = guild_roles::unreplaced(&mut tenant, &deleted).await?;
    let closed = guild_gates::closed(&mut tenant).await?;
    let found = Mappings { roles, deleted, unreplaced, closed };
    println!("{}", terminal::render(&mappings::document(guild, &found, clock::now())));
    Ok(())
}

//! `nexrole map preview`.

use anyhow::bail;
use shared::{
    db::pool::Pool,
    domain::activity::Activity,
    ids::{GuildId, RoleId},
    store::{guild_roles, mapped_roles},
    views::{mapping_changes::not_mapped, preview, terminal},
};

use crate::cli::{activity::write_down, guild::known};

pub(super) async fn show(pool: &Pool, guild: GuildId, role: RoleId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    if !mapped_roles::list(&mut tenant).await?.iter().any(|mapped| mapped.role_id == role) {
        bail!(terminal::text(&not_mapped(guild, role)));
    }
    let found = mapped_roles::preview(&mut tenant, role).await?;
    let is_deleted = guild_roles::deleted(&mut tenant).await?.contains(&role);
    write_down(tenant, Activity::PreviewRead, None).await?;
    println!("{}", terminal::render(&preview::document(role, is_deleted, &found)));
    Ok(())
}

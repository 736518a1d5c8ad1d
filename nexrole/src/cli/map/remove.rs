//! `nexrole map remove`.

use anyhow::bail;
use shared::{
    actions::unmap::{preview, unmap},
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::mapping::Sold,
    ids::{GuildId, RoleId},
    views::{mapping_changes, terminal},
};

use crate::cli::{ask::is_agreed, guild::failed, text::say};

pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    sold: &Sold,
    role: RoleId,
    yes: bool,
) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let concerned = preview(pool, &by, sold, role).await.map_err(|error| failed(guild, error))?;
    let Some(concerned) = concerned else {
        bail!(terminal::text(&mapping_changes::not_mapped_by(guild, sold, role)))
    };
    println!("{}", terminal::render(&mapping_changes::holders(role, &concerned)));
    if !yes && !is_agreed("Remove the mapping?")? {
        bail!("nothing was changed");
    }
    let outcome = unmap(pool, &by, sold, role).await.map_err(|error| failed(guild, error))?;
    say(mapping_changes::unmapped(guild, sold, role, &outcome))
}

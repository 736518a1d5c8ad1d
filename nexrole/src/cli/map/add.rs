//! `nexrole map add`.

use shared::{
    actions::map::map,
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::mapping::Sold,
    ids::{GuildId, RoleId},
    views::mapping_changes::mapped,
};

use crate::cli::{guild::failed, text::say};

pub(super) async fn run(pool: &Pool, guild: GuildId, sold: &Sold, role: RoleId) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let outcome = map(pool, &by, sold, role).await.map_err(|error| failed(guild, error))?;
    say(mapped(guild, role, &outcome))
}

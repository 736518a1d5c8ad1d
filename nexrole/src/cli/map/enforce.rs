//! `nexrole map enforce`.

use shared::{
    actions::enforce::{Enforce, enforce},
    db::{authorized::Authorized, pool::Pool},
    ids::{GuildId, RoleId},
    views::mapping_changes::enforced,
};

use crate::cli::{guild::failed, text::say};

pub(super) async fn run(pool: &Pool, guild: GuildId, role: RoleId, wanted: Enforce) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let outcome = enforce(pool, &by, role, wanted).await.map_err(|error| failed(guild, error))?;
    say(enforced(guild, role, &outcome))
}

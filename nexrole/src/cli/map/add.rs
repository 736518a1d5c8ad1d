//! `nexrole map add`.

use anyhow::anyhow;
use shared::{
    actions::map::map,
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::{
        mapping::Sold,
        policy::{Policy, words::Choices},
    },
    ids::{GuildId, RoleId},
    views::mapping_changes::mapped,
};

use crate::cli::{guild::failed, text::say};

/// `choices`: what differs from the default policy.
pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    sold: &Sold,
    role: RoleId,
    choices: &[String],
) -> anyhow::Result<()> {
    let choices = Choices::parse(choices).map_err(|bad| anyhow!("{bad}\nNothing was changed."))?;
    let policy = Policy::DEFAULT.with(&choices);
    let by = Authorized::operator(pool, guild)?;
    let outcome = map(pool, &by, sold, role, policy).await.map_err(|error| failed(guild, error))?;
    say(mapped(guild, role, &outcome))
}

//! `nexrole link move`.

use shared::{
    actions::move_by_owner::move_by_owner,
    db::{authorized::Authorized, pool::Pool},
    ids::{CustomerId, GuildId, UserId},
    views::link_changes::moved,
};

use crate::cli::{guild::failed, text::say};

pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    customer: &CustomerId,
    to: UserId,
) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let outcome = move_by_owner(pool, &by, customer, to).await.map_err(|error| failed(guild, error))?;
    say(moved(guild, customer, to, &outcome))
}

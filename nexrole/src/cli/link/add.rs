//! `nexrole link add`.

use shared::{
    actions::link::link,
    db::{authorized::Authorized, pool::Pool},
    ids::{CustomerId, GuildId, UserId},
    views::link_changes::linked,
};

use crate::cli::{guild::failed, text::say};

pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    customer: &CustomerId,
    user: UserId,
) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let outcome = link(pool, &by, customer, user).await.map_err(|error| failed(guild, error))?;
    say(linked(guild, customer, user, &outcome))
}

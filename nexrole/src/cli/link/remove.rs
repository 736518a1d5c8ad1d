//! `nexrole link remove`.

use shared::{
    actions::unlink::unlink,
    db::{authorized::Authorized, pool::Pool},
    ids::{CustomerId, GuildId},
    views::link_changes::unlinked,
};

use crate::cli::{guild::failed, text::say};

pub(super) async fn run(pool: &Pool, guild: GuildId, customer: &CustomerId) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let outcome = unlink(pool, &by, customer).await.map_err(|error| failed(guild, error))?;
    say(Ok(unlinked(customer, &outcome)))
}

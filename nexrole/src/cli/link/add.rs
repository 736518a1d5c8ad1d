//! `nexrole link add`.

use anyhow::bail;
use shared::{
    actions::link::{Linked, link},
    db::{authorized::Authorized, pool::Pool},
    ids::{CustomerId, GuildId, UserId},
    views::ownership::customer_option,
};

use crate::cli::guild::failed;

pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    customer: &CustomerId,
    user: UserId,
) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    match link(pool, &by, customer, user).await.map_err(|error| failed(guild, error))? {
        Linked::Linked => println!("Linked. What {customer} pays for is being read from Stripe."),
        Linked::AlreadySo => println!("{customer} was linked to {user} already."),
        Linked::TakenBy(holder) => bail!(
            "{customer} is linked to {holder}; a link does not move by itself: first `nexrole link remove --guild {guild} \
             {}`",
            customer_option(customer.as_str())
        ),
        Linked::Connections(0) => {
            bail!("server {guild} has no Stripe connection yet: start the gateway with GUILD_ID={guild}")
        }
        Linked::Connections(several) => {
            bail!("server {guild} has {several} Stripe connections; linking by hand takes exactly one so far")
        }
    }
    Ok(())
}

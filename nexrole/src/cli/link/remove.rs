//! `nexrole link remove`.

use shared::{
    actions::unlink::{Unlinked, unlink},
    db::{authorized::Authorized, pool::Pool},
    ids::{CustomerId, GuildId},
};

use crate::cli::guild::failed;

pub(super) async fn run(pool: &Pool, guild: GuildId, customer: &CustomerId) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let Unlinked { holders, named, ended } =
        unlink(pool, &by, customer).await.map_err(|error| failed(guild, error))?;
    for holder in &holders {
        println!(
            "{customer} is not {holder}'s any more. If its metadata at Stripe names somebody, it is linked to them now."
        );
    }
    if ended > 0 {
        println!(
            "{ended} reason(s) for a role ended that came from a Stripe account, or mode, that is not connected any more."
        );
    }
    for (subscription, member) in &named {
        println!(
            "{subscription} is not {member}'s any more, unless its own metadata at Stripe still names them."
        );
    }
    if holders.is_empty() && named.is_empty() && ended == 0 {
        println!("{customer} was linked to nobody.");
    }
    Ok(())
}

//! `nexrole erase`: forgets a member of a server. In: the ids. Out: everything about the member is gone, once their roles are
//! taken back; the audit log keeps what happened, without the person.

use std::time::Duration;

use anyhow::{Context, bail};
use shared::{
    ids::{ConnectionId, CustomerId, GuildId, UserId},
    store::{
        database::Pool,
        erasure::{self, Ties},
        events::ObjectKind,
        links, sync, tenant,
    },
};
use tokio::time::Instant;

use super::known;

/// Between two looks at what is still open.
const LOOK: Duration = Duration::from_millis(500);

/// Whom to forget.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The member's user id
    #[arg(long)]
    member: UserId,
    /// How many seconds to wait for their roles to be taken back
    #[arg(long, default_value_t = 60)]
    wait: u64,
}

/// Unlinks, waits until the services took back what that gave, and forgets.
pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, member, wait } = *arguments;
    let were_theirs = unlink(pool, guild, member).await?;
    if !were_theirs.is_empty() {
        println!("{} Stripe customer(s) are not this member's any more.", were_theirs.len());
    }
    let patience = Instant::now() + Duration::from_secs(wait);
    let mut said = Ties::default();
    loop {
        let mut tenant = tenant::begin(pool, guild).await.context("the database cannot be reached")?;
        let ties = erasure::ties(&mut tenant, member, &were_theirs).await?;
        if ties.is_none() {
            let entries = erasure::forget(&mut tenant, member).await?;
            tenant.commit().await?;
            println!("Forgotten. {entries} audit entries stay, without the person.");
            println!("What Stripe has about a customer, and Discord about a member, is theirs to delete.");
            return Ok(());
        }
        drop(tenant);
        if ties.links > 0 && ties.unread == 0 {
            bail!(
                "a Stripe customer was linked to this member again: its metadata there says discord_user_id {member}. \
                 Remove that at Stripe, then run this again"
            );
        }
        if ties != said {
            println!("Waiting: {}.", open(&ties));
            said = ties;
        }
        if Instant::now() >= patience {
            bail!(
                "not forgotten yet: {}. Are the gateway and the bot running, and may the bot take the role? \
                 `nexrole why --guild {guild} --member {member}` says more; then run this again",
                open(&ties)
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn unlink(
    pool: &Pool,
    guild: GuildId,
    member: UserId,
) -> anyhow::Result<Vec<(ConnectionId, CustomerId)>> {
    let mut tenant = known(pool, guild).await?;
    let theirs = links::of_member(&mut tenant, member).await?;
    // First the objects' rows, then the links: the order in which the gateway locks them too.
    for (connection, customer) in &theirs {
        let object = [customer.to_string()];
        sync::mark_dirty(&mut tenant, *connection, ObjectKind::Customer, &object).await?;
    }
    for (connection, customer) in &theirs {
        links::unlink(&mut tenant, *connection, customer).await?;
    }
    tenant.commit().await?;
    Ok(theirs)
}

fn open(ties: &Ties) -> String {
    let parts = [
        (ties.links, "customer(s) linked"),
        (ties.unread, "customer(s) to read from Stripe"),
        (ties.sources, "reason(s) for a role"),
        (ties.held, "role(s) held"),
        (ties.jobs, "role change(s) on their way"),
    ];
    let open: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    open.join(", ")
}

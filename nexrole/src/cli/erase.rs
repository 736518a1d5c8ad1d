//! `nexrole erase`: forgets a member of a server. In: the ids. Out: every row that names the member is gone, once their roles are
//! taken back; the audit log keeps what happened, without the person. What mirrors the owner's Stripe account stays, as nobody's.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, bail};
use shared::{
    db::{pool::Pool, tenant},
    domain::job::JobOrigin,
    ids::{CustomerId, GuildId, UserId},
    store::{
        erasure::{self, Ties},
        member_links,
        stripe_events::ObjectKind,
        stripe_sync,
    },
};
use tokio::time::Instant;

use super::guild::known;

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
    /// Then forget them even if a role could not be taken back, or Stripe could not be read: the role stays, and Stripe's metadata
    /// may link them again
    #[arg(long)]
    anyway: bool,
}

/// Unlinks, waits until the services took back what that gave, and forgets.
pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, member, wait, anyway } = *arguments;
    let were_theirs = unlink(pool, guild, member).await?;
    if !were_theirs.is_empty() {
        println!("What {} Stripe customer(s) pay for is not this member's any more.", were_theirs.len());
    }
    let patience = Instant::now() + Duration::from_secs(wait);
    let mut said = Ties::default();
    loop {
        let mut tenant = tenant::begin(pool, guild).await.context("the database cannot be reached")?;
        let ties = erasure::ties(&mut tenant, member, &were_theirs).await?;
        let is_over = Instant::now() >= patience;
        if ties.is_none() || anyway && is_over {
            let entries = erasure::forget(&mut tenant, member, anyway).await?;
            tenant.commit().await?;
            println!("Forgotten. {entries} audit entries stay, without the person.");
            if ties.held > 0 {
                println!("{} role(s) stay at Discord: take them there.", ties.held);
            }
            println!("What Stripe has about a customer, and Discord about a member, is theirs to delete.");
            return Ok(());
        }
        // Not before Stripe was read: if its metadata names them, they keep what they pay for, and this ends with that.
        if ties.sources > 0 && ties.links == 0 && (ties.unread == 0 || anyway) {
            erasure::end_access(&mut tenant, member).await?;
            tenant.commit().await?;
            continue;
        }
        drop(tenant);
        if ties.links > 0 && ties.unread == 0 && !anyway {
            bail!(
                "a Stripe customer was linked to this member again: its metadata there, or a subscription's, says discord_user_id {member}. \
                 Remove that at Stripe, then run this again"
            );
        }
        if ties != said {
            println!("Waiting: {}.", open(&ties));
            said = ties;
        }
        if is_over {
            bail!(
                "not forgotten yet: {}. Are the gateway and the bot running, can Stripe be read, and may the bot take the role? \
                 `nexrole why --guild {guild} --member {member}` says more; then run this again, or with --anyway",
                open(&ties)
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn unlink(pool: &Pool, guild: GuildId, member: UserId) -> anyhow::Result<BTreeSet<CustomerId>> {
    let mut tenant = known(pool, guild).await?;
    let theirs = member_links::of_member(&mut tenant, member).await?;
    let presents = member_links::naming(&mut tenant, member).await?;
    // First the objects' rows, customers before subscriptions, then the mirror and the links: as the gateway locks them.
    let claims = member_links::claims(&mut tenant, member).await?;
    let to_read: BTreeSet<_> = theirs.iter().chain(&claims).collect();
    for (connection, customer) in to_read {
        let object = [customer.to_string()];
        stripe_sync::mark_dirty(&mut tenant, *connection, ObjectKind::Customer, &object, JobOrigin::Command)
            .await?;
    }
    for (connection, subscription, _) in &presents {
        let object = [subscription.clone()];
        stripe_sync::mark_dirty(
            &mut tenant,
            *connection,
            ObjectKind::Subscription,
            &object,
            JobOrigin::Command,
        )
        .await?;
    }
    member_links::forget_naming(&mut tenant, member).await?;
    for (connection, customer) in &theirs {
        member_links::unlink(&mut tenant, *connection, customer).await?;
    }
    tenant.commit().await?;
    let payers = presents.into_iter().map(|(_, _, customer)| customer);
    Ok(theirs.into_iter().chain(claims).map(|(_, customer)| customer).chain(payers).collect())
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

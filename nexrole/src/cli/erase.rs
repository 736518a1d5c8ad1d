//! `nexrole erase`: forgets a member of a server. In: the ids. Out: every row that names the member is gone, once their roles are
//! taken back; the audit log keeps what happened, without the person. What mirrors the owner's Stripe account stays, as nobody's.

use std::time::Duration;

use anyhow::bail;
use shared::{
    actions::erase::{Patience, Progress, forget, unlink},
    db::{authorized::Authorized, pool::Pool},
    ids::{GuildId, UserId},
    store::erasure::Ties,
    views::{erasure, terminal},
};
use tokio::time::Instant;

use super::guild::failed;

/// Between two checks of what is still open.
const POLL_EVERY: Duration = Duration::from_millis(500);

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
    let by = Authorized::operator(pool, guild)?;
    let were_theirs = unlink(pool, &by, member).await.map_err(|error| failed(guild, error))?;
    if let Some(said) = erasure::unlinked(were_theirs.len()) {
        println!("{}", terminal::text(&said));
    }
    let end = Instant::now() + Duration::from_secs(wait);
    let mut said = Ties::default();
    loop {
        let is_over = Instant::now() >= end;
        let patience = match (anyway, is_over) {
            (false, _) => Patience::Waits,
            (true, false) => Patience::WaitsForRolesOnly,
            (true, true) => Patience::Anyway,
        };
        let progress = forget(pool, &by, member, &were_theirs, patience).await;
        let ties = match progress.map_err(|error| failed(guild, error))? {
            Progress::Forgotten { entries, roles_left } => {
                println!("{}", terminal::render(&erasure::forgotten(entries, roles_left)));
                return Ok(());
            }
            Progress::AccessEnded => continue,
            Progress::LinkedAgain => bail!(terminal::text(&erasure::linked_again(member))),
            Progress::Waits(ties) => ties,
        };
        if ties != said {
            println!("{}", terminal::text(&erasure::waiting(&ties)));
            said = ties;
        }
        if is_over {
            bail!(terminal::text(&erasure::not_yet(guild, member, &ties)));
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

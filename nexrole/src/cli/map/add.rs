//! `nexrole map add`.

use anyhow::bail;
use shared::{
    actions::map::{Mapped, map},
    db::{authorized::Authorized, pool::Pool},
    domain::{entitlement::mapping::Sold, roles::safety::remedy},
    ids::{GuildId, RoleId},
};

use crate::cli::guild::failed;

pub(super) async fn run(pool: &Pool, guild: GuildId, sold: &Sold, role: RoleId) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    match map(pool, &by, sold, role).await.map_err(|error| failed(guild, error))? {
        Mapped::Added(0) => println!("Mapped. Nobody is known to pay for it yet."),
        Mapped::Added(concerned) => {
            println!("Mapped. {concerned} known subscription(s) are being looked at again.");
        }
        Mapped::AlreadySo => println!("It was mapped already."),
        Mapped::Everyone => {
            bail!("role {role} is @everyone, which every member has; give the id of another role")
        }
        Mapped::Dangerous(why) => {
            bail!("role {role} must not be given to whoever pays: {why}. {}", remedy(&why))
        }
    }
    println!(
        "If members hold the role already, it is only observed at first; if it gives power over the server, it is \
         suspended: `nexrole map list --guild {guild}`."
    );
    Ok(())
}

//! `nexrole revoke`: the reverse of `nexrole grant`. Text on stdout.

use anyhow::bail;
use shared::{
    actions::revoke::{Revoked, revoke},
    db::{authorized::Authorized, pool::Pool},
    domain::roles::enforcement::Enforcement,
    ids::{GuildId, RoleId, UserId},
};

use super::guild::failed;

/// From whom what is taken back.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The member's user id
    #[arg(long)]
    member: UserId,
    /// The role's id
    #[arg(long)]
    role: RoleId,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, member, role } = *arguments;
    let by = Authorized::operator(pool, guild)?;
    match revoke(pool, &by, member, role).await.map_err(|error| failed(guild, error))? {
        Revoked::NotGiven { kept_by } if kept_by.is_empty() => {
            bail!("role {role} was not given to member {member} by hand")
        }
        Revoked::NotGiven { kept_by } => bail!(
            "role {role} was not given to member {member} by hand; they have it since {}",
            kept_by.join(", ")
        ),
        Revoked::Ended { kept_by, .. } if !kept_by.is_empty() => {
            println!("Taken back. Member {member} keeps role {role}: {}.", kept_by.join(", "));
        }
        Revoked::Ended { enforcement: Some(Enforcement::Observe), .. } => println!(
            "Taken back. Role {role} is only observed: nobody loses it, unless `nexrole map enforce` turns it on."
        ),
        Revoked::Ended { .. } => println!(
            "Taken back. Member {member} loses role {role} as soon as the bot has taken it; if they had it from somebody else, they \
             keep it."
        ),
    }
    Ok(())
}

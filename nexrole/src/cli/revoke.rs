//! `nexrole revoke`: the reverse of `nexrole grant`. Text on stdout.

use shared::{
    actions::revoke::revoke,
    db::{authorized::Authorized, pool::Pool},
    ids::{GuildId, RoleId, UserId},
    views::access_given,
};

use super::{guild::failed, text::say};

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
    let outcome = revoke(pool, &by, member, role).await.map_err(|error| failed(guild, error))?;
    say(access_given::revoked(role, member, &outcome))
}

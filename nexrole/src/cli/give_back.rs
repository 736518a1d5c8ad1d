//! `nexrole give-back`: a role that somebody took from a paying member at Discord is given again. Text on stdout.

use shared::{
    actions::give_back::give_back,
    db::{authorized::Authorized, pool::Pool},
    ids::{GuildId, RoleId, UserId},
    views::link_changes::given_back,
};

use super::{guild::failed, text::say};

/// Who gets what back.
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
    let outcome = give_back(pool, &by, member, role).await.map_err(|error| failed(guild, error))?;
    say(given_back(guild, member, role, &outcome))
}

//! `nexrole why`: why a member has, or lacks, a role. Text on stdout.

use shared::{
    actions::explain::explain,
    clock,
    db::{authorized::Authorized, pool::Pool},
    ids::{GuildId, UserId},
    views::{member_report, terminal},
};

use super::guild::failed;

pub(super) async fn show(pool: &Pool, guild: GuildId, member: UserId) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let explained = explain(pool, &by, member).await.map_err(|error| failed(guild, error))?;
    println!("{}", terminal::render(&member_report::document(guild, &explained, clock::now())));
    Ok(())
}

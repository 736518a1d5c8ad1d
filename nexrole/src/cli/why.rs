//! `nexrole why`: why a member has, or lacks, a role. Text on stdout.

use shared::{
    clock,
    db::pool::Pool,
    domain::activity::Activity,
    ids::{GuildId, UserId},
    store::why,
    views::{member_report, terminal},
};

use super::{activity::write_down, guild::known};

pub(super) async fn show(pool: &Pool, guild: GuildId, member: UserId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let report = why::member_report(&mut tenant, member).await?;
    write_down(tenant, Activity::MemberRead, Some(member)).await?;
    println!("{}", terminal::render(&member_report::document(guild, member, &report, clock::now())));
    Ok(())
}

//! Whether an owner is waited for. In: a connection that can change nothing, and the servers. Out: in which of them jobs are held.

use shared::{
    db::pool::within,
    ids::GuildId,
    store::health_facts,
    views::{held, terminal::text},
};
use sqlx::PgConnection;

use super::findings::{Check, Findings};

pub(super) async fn check(
    findings: &mut Findings,
    db: &mut PgConnection,
    guilds: &[GuildId],
) -> Result<(), sqlx::Error> {
    let mut none = true;
    for &guild in guilds {
        let (roles, jobs) = within(health_facts::held(db, guild)).await?;
        if jobs > 0 {
            let line = held::finding(guild, roles, jobs);
            findings.warn(
                Check::RolesHeld,
                text(&line.text),
                line.fix.as_ref().map(text).unwrap_or_default(),
            );
            none = false;
        }
    }
    if none {
        findings.ok(Check::RolesHeld, "nothing is held for an owner's answer");
    }
    Ok(())
}

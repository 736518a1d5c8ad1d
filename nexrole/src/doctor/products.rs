//! Whether what is mapped is still sold: a product that was deleted, or a key of another account, shows here. In: a connection that can
//! change nothing, and the servers. Out: roles that members pay for, of which nothing is sold any more.

use shared::{
    db::pool::within,
    ids::GuildId,
    store::health_facts,
    views::{catalogue, terminal::text},
};
use sqlx::PgConnection;

use super::findings::{Check, Findings};

pub(super) async fn check(
    findings: &mut Findings,
    db: &mut PgConnection,
    guilds: &[GuildId],
) -> Result<(), sqlx::Error> {
    let mut all_sold = true;
    for &guild in guilds {
        for unsold in within(health_facts::unsold(db, guild)).await? {
            let line = catalogue::unsold(guild, &unsold);
            let fix = line.fix.as_ref().map(text).unwrap_or_default();
            findings.warn(Check::StripeProducts, text(&line.text), fix);
            all_sold = false;
        }
    }
    if all_sold {
        findings
            .ok(Check::StripeProducts, "of every role that members pay for something is sold, as last read");
    }
    Ok(())
}

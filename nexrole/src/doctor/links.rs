//! Whose a purchase is, where that is odd: in every server's rows. In: a connection that can change nothing, and the servers. Out:
//! customers that are linked to others than their metadata names, and customers of accounts that are not connected any more.

use shared::{
    db::pool::within,
    ids::GuildId,
    store::health_facts,
    views::{document::Line, ownership, terminal::text},
};
use sqlx::PgConnection;

use super::findings::{Check, Findings};

/// Named, of each server; the rest is counted.
const NAMED: usize = 5;

pub(super) async fn check(
    findings: &mut Findings,
    db: &mut PgConnection,
    guilds: &[GuildId],
) -> Result<(), sqlx::Error> {
    let (mut linked_well, mut backed) = (true, true);
    for &guild in guilds {
        let disputes = within(health_facts::disputes(db, guild)).await?;
        for found in disputes.iter().take(NAMED) {
            warn(findings, Check::StripeLinks, &ownership::dispute_in(guild, found));
        }
        if disputes.len() > NAMED {
            let detail = format!("server {guild}: {} customers more", disputes.len() - NAMED);
            findings.warn(Check::StripeLinks, detail, "nexrole why --guild … --member … names each");
        }
        linked_well &= disputes.is_empty();
        let unbacked = within(health_facts::unbacked(db, guild)).await?;
        if !unbacked.is_empty() {
            warn(findings, Check::StripeSources, &ownership::unbacked_in(guild, &unbacked, NAMED));
        }
        backed &= unbacked.is_empty();
    }
    if linked_well {
        findings.ok(
            Check::StripeLinks,
            "no customer's metadata names another member than the customer is linked to",
        );
    }
    if backed {
        findings.ok(Check::StripeSources, "every reason for a role is of an account that is connected");
    }
    Ok(())
}

fn warn(findings: &mut Findings, check: Check, line: &Line) {
    findings.warn(check, text(&line.text), line.fix.as_ref().map(text).unwrap_or_default());
}

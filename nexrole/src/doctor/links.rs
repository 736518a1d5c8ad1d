//! Whose a purchase is, where that is odd: in every server's rows. In: a connection that can change nothing, and the servers. Out:
//! customers that are linked to others than their metadata names, and customers of accounts that are not connected any more.

use shared::{db::pool::within, ids::GuildId, store::health_facts};
use sqlx::PgConnection;

use super::findings::{Check, Findings};
use crate::cli::text::dispute;

/// Named, of each server; the rest is counted.
const NAMED: usize = 5;

/// Looks at each server.
pub(super) async fn look(
    findings: &mut Findings,
    db: &mut PgConnection,
    guilds: &[GuildId],
) -> Result<(), sqlx::Error> {
    let (mut linked_well, mut backed) = (true, true);
    for &guild in guilds {
        let disputes = within(health_facts::disputes(db, guild)).await?;
        for found in disputes.iter().take(NAMED) {
            let said = dispute(guild, found.customer_id.as_str(), found.holder, found.named);
            let (detail, fix) = said.split_once(". ").unwrap_or((&said, ""));
            findings.warn(Check::StripeLinks, format!("server {guild}: {} {detail}", found.customer_id), fix);
        }
        if disputes.len() > NAMED {
            let detail = format!("server {guild}: {} customers more", disputes.len() - NAMED);
            findings.warn(Check::StripeLinks, detail, "nexrole why --guild … --member … names each");
        }
        linked_well &= disputes.is_empty();
        let unbacked = within(health_facts::unbacked(db, guild)).await?;
        if !unbacked.is_empty() {
            let named: Vec<_> =
                unbacked.iter().take(NAMED).map(|customer| customer.customer_id.as_str()).collect();
            let more = match unbacked.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let sources: i64 = unbacked.iter().map(|customer| customer.sources).sum();
            findings.warn(
                Check::StripeSources,
                format!(
                    "server {guild}: {sources} role(s) given for purchases on a Stripe account, or in a mode, that is not connected any more: \
                     {}{more}. They do not count as paying, and nothing will show their end",
                    named.join(", ")
                ),
                format!("nexrole link remove --guild {guild} --customer … ends what a customer gives; or connect the account again"),
            );
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

//! Whether members can be told where they manage or cancel what they pay for. In: the connections, with what is known of the customer portal
//! of each. Out: those that have no page for that, and how to get one.

use shared::{domain::billing::portal::PortalRead, store::health_facts::Connected};

use super::findings::{Check, Findings};

pub(super) fn check(findings: &mut Findings, connected: &[Connected]) {
    if connected.is_empty() {
        return findings.ok(Check::StripePortal, "no account is connected whose members would look for it");
    }
    let mut has_all = true;
    for row in connected.iter().filter(|row| row.portal.page().is_none()) {
        has_all = false;
        let name = format!("server {}, connection '{}'", row.guild_id, row.label);
        let paste =
            format!("paste its link: nexrole portal --guild {} {} LINK", row.guild_id, row.endpoint_id);
        let Some(read) = &row.portal.read else {
            let detail = format!("{name}: the customer portal was not looked for yet");
            findings.ask(
                Check::StripePortal,
                detail,
                format!("again, when the gateway has run for a while; or {paste}"),
            );
            continue;
        };
        let (why, fix) = match read {
            PortalRead::Refused => (
                "the key may not read Customer portal",
                "allow it Read on that (Stripe, Developers, API keys, edit the key)",
            ),
            PortalRead::Page(_) | PortalRead::Disabled | PortalRead::Missing => (
                "its customer portal has no login link",
                "activate it (Stripe, Settings, Billing, Customer portal, Activate link); it is found within a day",
            ),
        };
        let detail =
            format!("{name}: members are shown no page to manage or cancel what they pay for: {why}");
        findings.warn(Check::StripePortal, detail, format!("{fix}; or {paste}"));
    }
    if has_all {
        findings.ok(Check::StripePortal, "members are shown where they manage or cancel what they pay for");
    }
}

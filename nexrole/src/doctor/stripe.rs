//! What Stripe says to each connection's key. In: keys. Out: whether they are taken, and what they may not read. GET alone.

use secrecy::SecretString;
use shared::{
    crypto::Keyring,
    domain::billing::{READS_GRANTED, READS_PER_PAYMENT},
    store::{
        health_facts::Connected,
        stripe_connections::{Connection, ENVIRONMENT},
    },
};
use webhook_gateway::{
    config::{self, Config},
    stripe::api::{
        ReadClient, ReadError,
        probe::{FOR_PAYMENTS, FOR_PORTAL, FOR_THIN_EVENTS, NEEDED, Permission, WANTED},
    },
};

use super::{
    clocks,
    findings::{Check, Findings},
};

/// More are only counted: each costs a dozen reads.
const MOST: usize = 20;
const KEYS_PAGE: &str = "Stripe, Developers, API keys";

struct Account {
    name: String,
    livemode: bool,
    key: SecretString,
    /// Its customer portal's link was pasted, and need not be read.
    is_portal_pasted: bool,
}

/// Checks the account that variables describe, and those in the database; `None`: it was not read.
pub(super) async fn check(findings: &mut Findings, config: &Config, connected: Option<&[Connected]>) {
    let accounts = accounts(findings, config, connected.unwrap_or_default());
    if connected.is_none() {
        let detail = "whether the database has Stripe accounts was not read";
        findings.ask(Check::StripeKey, detail, "again, when the database answers");
    }
    check_reads(findings, connected.unwrap_or_default());
    if accounts.is_empty() {
        // Else there are keys, which do not open.
        if connected.is_some_and(<[_]>::is_empty) {
            let fix = "set GUILD_ID and STRIPE_SECRET_KEY, or nexrole connect";
            findings.warn(Check::StripeKey, "no Stripe account is connected yet", fix);
        }
        return;
    }
    let client = match ReadClient::new(&config.stripe_api_url) {
        Ok(client) => client,
        Err(error) => {
            findings.fail(Check::StripeKey, format!("no HTTP client: {error}"), "report this, please");
            return;
        }
    };
    let mut seen = Seen::default();
    for account in accounts.iter().take(MOST) {
        check_account(findings, &client, account, &mut seen).await;
    }
    let more = match accounts.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("; {more} more were not asked about"),
    };
    if seen.taken > 0 {
        let taken = format!("Stripe takes the restricted key of {}{more}", counted(seen.taken, "account"));
        findings.ok(Check::StripeKey, taken);
    }
    if seen.complete > 0 {
        let detail = format!("everything may be read in {}{more}", counted(seen.complete, "account"));
        findings.ok(Check::StripePermissions, detail);
    }
}

/// Of the connection that has fewest reads left this month.
fn check_reads(findings: &mut Findings, connected: &[Connected]) {
    let Some(fewest) = connected.iter().min_by_key(|row| row.left()) else { return };
    let left = fewest.left();
    let detail = format!(
        "at least {left} of {} are left this month in each account (fewest: server {}, connection '{}'); every account has {READS_GRANTED}, or {READS_PER_PAYMENT} for each payment",
        counted(usize::try_from(fewest.granted).unwrap_or(0), "read"),
        fewest.guild_id,
        fewest.label
    );
    if left > 0 {
        findings.ok(Check::StripeReads, detail);
    } else {
        let fix = "who pays is read on, and lists and backfills when the month is over; a longer EVENTS_POLL_SECONDS saves reads, and \
                   webhooks need no polling";
        findings.warn(Check::StripeReads, detail, fix);
    }
}

/// What went well, to be said once.
#[derive(Default)]
struct Seen {
    taken: usize,
    complete: usize,
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn word(livemode: bool) -> &'static str {
    if livemode { "live" } else { "test" }
}

/// Every account whose key is at hand; what stands in the way of the others is a finding.
fn accounts(findings: &mut Findings, config: &Config, connected: &[Connected]) -> Vec<Account> {
    let described = config.environment.as_ref().map(|environment| Account {
        name: "the variables' account".to_owned(),
        livemode: environment.livemode,
        key: environment.api_key.clone(),
        is_portal_pasted: connected.iter().any(|row| {
            row.label == ENVIRONMENT
                && (row.guild_id, row.livemode) == (environment.guild, environment.livemode)
                && row.portal.pasted.is_some()
        }),
    });
    let mut accounts: Vec<Account> = described.into_iter().collect();
    for row in connected {
        let name = format!("server {}, connection '{}'", row.guild_id, row.label);
        let Some(sealed) = &row.api_key else {
            let described = config.environment.as_ref().is_some_and(|environment| {
                (environment.guild, environment.livemode) == (row.guild_id, row.livemode)
            });
            if row.label != ENVIRONMENT || !described {
                findings.warn(
                    Check::StripeKey,
                    format!("{name} has no key: nothing of it is read"),
                    format!("nexrole connect --guild {} --key-file …", row.guild_id),
                );
            }
            continue;
        };
        let place = Connection { guild: row.guild_id, id: row.connection_id }.place("api_key");
        // What does not open is a finding of `keys.open` already.
        let Some(Ok(key)) = config.keyring.as_ref().map(|keyring: &Keyring| keyring.open(&place, sealed))
        else {
            continue;
        };
        let is_portal_pasted = row.portal.pasted.is_some();
        accounts.push(Account { name, livemode: row.livemode, key, is_portal_pasted });
    }
    accounts
}

async fn check_account(findings: &mut Findings, client: &ReadClient, account: &Account, seen: &mut Seen) {
    let Account { name, livemode, key, is_portal_pasted } = account;
    let again = format!("make a restricted one ({KEYS_PAGE}), with Read on what README.md lists");
    match config::mode(key) {
        Err(wrong) => return findings.fail(Check::StripeKey, format!("{name}: the key {wrong}"), again),
        Ok(mode) if mode != *livemode => {
            let detail = format!("{name} is in {} mode, its key in {} mode", word(*livemode), word(mode));
            return findings.fail(Check::StripeKey, detail, "connect it again with a key of its mode");
        }
        Ok(_) => {}
    }
    let mut refused: Vec<&str> = Vec::new();
    let portal = FOR_PORTAL.iter().filter(|_| !is_portal_pasted);
    let asked = NEEDED.iter().chain(&WANTED).chain(&FOR_THIN_EVENTS).chain(&FOR_PAYMENTS).chain(portal);
    for permission in asked {
        match client.probe(key, *permission).await {
            Ok(date) => {
                clocks::judge_header(findings, Check::ClockStripe, "Stripe's", date.as_deref());
            }
            Err(ReadError::Refused(401)) => {
                let detail = format!("{name}: Stripe does not know the key (any more)");
                return findings.fail(Check::StripeKey, detail, again);
            }
            Err(ReadError::Refused(_)) => refused.push(permission.name),
            Err(error) => {
                let fix = "try again; may this machine reach api.stripe.com:443?";
                return findings.fail(Check::StripeKey, format!("{name}: {error}"), fix);
            }
        }
    }
    seen.taken += 1;
    let lacking = |list: &[Permission]| {
        let names: Vec<_> = list.iter().map(|p| p.name).filter(|name| refused.contains(name)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let allow = |names: &str| format!("{KEYS_PAGE}, edit the key: Read on {names}");
    if let Some(names) = lacking(&NEEDED) {
        let detail = format!("{name}: the key may not read {names}");
        findings.fail(Check::StripePermissions, detail, allow(&names));
    }
    for (list, follows) in [
        (&WANTED[..], "what is sold is not listed"),
        (&FOR_THIN_EVENTS, "thin events about them are not acted on"),
        (&FOR_PAYMENTS, "one-time purchases give nothing, refunds and disputes change nothing"),
        (&FOR_PORTAL, "members are shown no page to manage or cancel, unless you paste its link"),
    ] {
        if let Some(names) = lacking(list) {
            let detail = format!("{name}: the key may not read {names}: {follows}");
            findings.warn(Check::StripePermissions, detail, allow(&names));
        }
    }
    seen.complete += usize::from(refused.is_empty());
}

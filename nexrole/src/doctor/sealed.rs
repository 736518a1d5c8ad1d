//! The keys that seal secrets. In: the database, and `ENCRYPTION_KEYS`. Out: whether everything opens, and how old they are.

use shared::{crypto::Keyring, db::pool::within, store::health_facts};
use sqlx::PgConnection;

use super::findings::{Check, Findings};
use crate::keys::status::{self, OLD_DAYS};

pub(super) async fn check(
    findings: &mut Findings,
    db: &mut PgConnection,
    keyring: Option<&Keyring>,
) -> Result<(), sqlx::Error> {
    let counts =
        status::count(async |last| within(health_facts::sealed_page(db, last)).await, keyring).await?;
    let ring: Vec<&str> = keyring.map(|keyring| keyring.ids().collect()).unwrap_or_default();
    let (mut sealed, mut well) = (0, true);
    for (id, count) in &counts {
        sealed += count.sealed();
        if count.closed > 0 {
            well = false;
            let fix = status::fix(id, count.closed, &ring);
            let (detail, fix) = fix.split_once(": ").unwrap_or((&fix, "nexrole keys status"));
            findings.fail(Check::KeysOpen, detail, fix);
        }
    }
    if well {
        let detail = match sealed {
            0 => "nothing is sealed in the database".to_owned(),
            sealed => format!("{sealed} sealed values open"),
        };
        findings.ok(Check::KeysOpen, detail);
    }
    ages(findings, &ring);
    Ok(())
}

fn ages(findings: &mut Findings, ring: &[&str]) {
    let today = shared::clock::now().date();
    let old = |id: &&&str| status::age_days(id, today).is_some_and(|days| days > OLD_DAYS);
    let unknown = |id: &&&str| status::age_days(id, today).is_none();
    let change = "nexrole keys generate, and what it says next";
    if ring.is_empty() {
        findings.ok(Check::KeysAge, "ENCRYPTION_KEYS is not set: nothing is sealed here");
    } else if let Some(id) = ring.iter().find(old) {
        findings.warn(Check::KeysAge, format!("the key '{id}' is older than {OLD_DAYS} days"), change);
    } else if let Some(id) = ring.iter().find(unknown) {
        let detail = format!("the key '{id}' does not say its day; is it older than {OLD_DAYS} days?");
        findings.ask(Check::KeysAge, detail, change);
    } else {
        findings.ok(Check::KeysAge, format!("no key is older than {OLD_DAYS} days"));
    }
}

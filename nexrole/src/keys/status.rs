//! `nexrole keys status`. In: what is sealed, and the keys at hand. Out: what each key is needed for, and what cannot be opened.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;
use shared::{
    crypto::Keyring,
    db::pool::Pool,
    store::sealed::{self, Column, Sealed},
};
use time::{Date, macros::format_description};

/// Keys should be changed this often.
pub(crate) const OLD_DAYS: i64 = 90;
const DAMAGED: &str = "(damaged)";

/// What one key sealed.
#[derive(Debug, Default)]
pub(crate) struct Count {
    by_column: BTreeMap<Column, u64>,
    pub(crate) closed: u64,
}

impl Count {
    pub(crate) fn sealed(&self) -> u64 {
        self.by_column.values().sum()
    }
}

/// Prints it; exit code 1 if something does not open.
pub(super) async fn run(pool: &Pool, keyring: Option<&Keyring>) -> anyhow::Result<ExitCode> {
    let mut across = pool.across().await.context("the database cannot be reached")?;
    let counts = count(async |last| sealed::page(&mut across, last).await, keyring).await?;
    drop(across);
    let today = shared::clock::now().date();
    let ring: Vec<&str> = keyring.map(|keyring| keyring.ids().collect()).unwrap_or_default();
    let mut ids = ring.clone();
    ids.extend(counts.keys().map(String::as_str).filter(|id| !ring.contains(id)));
    if ids.is_empty() {
        println!("ENCRYPTION_KEYS is not set, and nothing is sealed.");
    }
    for id in &ids {
        println!("{}", line(id, counts.get(*id), &ring, today));
    }
    let mut closed = 0;
    for (id, count) in counts.iter().filter(|(_, count)| count.closed > 0) {
        closed += count.closed;
        println!("\n{}", fix(id, count.closed, &ring));
    }
    Ok(if closed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries everything that is sealed, by the id of its key. `page` reads what comes after a value.
pub(crate) async fn count(
    mut page: impl AsyncFnMut(Option<&Sealed>) -> Result<Vec<Sealed>, sqlx::Error>,
    keyring: Option<&Keyring>,
) -> Result<BTreeMap<String, Count>, sqlx::Error> {
    let mut counts = BTreeMap::<String, Count>::new();
    let mut last: Option<Sealed> = None;
    loop {
        let page = page(last.as_ref()).await?;
        for value in &page {
            let count = counts.entry(value.key_id().unwrap_or(DAMAGED).to_owned()).or_default();
            *count.by_column.entry(value.column).or_default() += 1;
            count.closed += u64::from(keyring.is_none_or(|keyring| value.opens(keyring).is_err()));
        }
        let Some(end) = page.into_iter().next_back() else { return Ok(counts) };
        last = Some(end);
    }
}

fn line(id: &str, count: Option<&Count>, ring: &[&str], today: Date) -> String {
    let part = match ring.iter().position(|known| known == &id) {
        Some(0) => "seals and opens",
        Some(_) => "opens",
        None => "not in ENCRYPTION_KEYS",
    };
    let none = "nothing is sealed with it".to_owned();
    let sealed = count.map_or(none, |count| {
        let columns = count.by_column.iter();
        let columns: Vec<_> =
            columns.map(|(column, n)| format!("{n} × stripe_connections.{}", column.name())).collect();
        columns.join(", ")
    });
    let removable = ring.iter().position(|known| known == &id).is_some_and(|at| at > 0) && count.is_none();
    let removable = if removable { "; it can be removed from ENCRYPTION_KEYS" } else { "" };
    let age = match age_days(id, today) {
        Some(days) if days > OLD_DAYS => format!("{days} days old: time for `nexrole keys generate`"),
        Some(days) => format!("{days} days old"),
        None => "of unknown age".to_owned(),
    };
    format!("{id}  {part}, {age}: {sealed}{removable}")
}

/// Ids that `nexrole keys generate` makes begin with their day.
pub(crate) fn age_days(id: &str, today: Date) -> Option<i64> {
    let day = Date::parse(id.get(1..9)?, format_description!("[year][month][day]")).ok()?;
    id.starts_with('k').then(|| (today - day).whole_days())
}

/// What is closed, and what helps.
pub(crate) fn fix(id: &str, closed: u64, ring: &[&str]) -> String {
    let what = format!("{closed} sealed with '{id}' cannot be opened");
    let anew = "or connect those servers anew with `nexrole connect`";
    if id == DAMAGED {
        format!("{closed} are damaged: restore them from a backup, {anew}")
    } else if ring.contains(&id) {
        format!(
            "{what}: the key of that id in ENCRYPTION_KEYS is another one, or they were changed. Put back the right key, {anew}"
        )
    } else {
        format!("{what}: add the key '{id}' to ENCRYPTION_KEYS again, after the first one, {anew}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn a_keys_age_is_in_its_id() {
        let today = date!(2027 - 03 - 01);
        for (id, days) in [
            ("k20270301", Some(0)),
            ("k20261122", Some(99)),
            ("k20261122-2", Some(99)),
            ("k1", None),
            ("x20261122", None),
            ("k20269999", None),
        ] {
            assert_eq!(age_days(id, today), days, "{id}");
        }
        assert!(line("k20261122", None, &["k20261122"], today).contains("time for"));
        assert!(line("k20270101", None, &["k20270301", "k20270101"], today).contains("can be removed"));
        assert!(!line("k20270301", None, &["k20270301"], today).contains("can be removed"), "the only one");
    }
}

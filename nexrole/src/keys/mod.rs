//! `nexrole keys …`: the keys that seal secrets in the database. In: `ENCRYPTION_KEYS` and the database. Out: a new key, what each
//! key is still needed for, or everything sealed with the first one.

use std::process::ExitCode;

use clap::Subcommand;
use secrecy::ExposeSecret;
use shared::{
    config::Env,
    crypto::{self, Keyring},
    db::{pg_roles::Login, pool},
};
use time::macros::format_description;

use crate::settings::{self, keyring, required};

mod rotate;
pub(crate) mod status;

/// `nexrole keys …`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a new key, and what to do with it
    Generate,
    /// Show what each key seals; exit code 1 if something does not open with ENCRYPTION_KEYS
    Status,
    /// Seal everything with the first key of ENCRYPTION_KEYS; may be interrupted and repeated at any time
    Rotate,
}

pub async fn run(env: &Env, command: &Command) -> anyhow::Result<ExitCode> {
    if let Command::Generate = command {
        let keyring = keyring(env)?;
        generate(keyring.as_ref());
        return Ok(ExitCode::SUCCESS);
    }
    let pool = pool::pool(&settings::database_url(env)?, 1, Login::Operator)?;
    let keyring = keyring(env)?;
    match command {
        Command::Rotate => rotate::run(&pool, &required(keyring)?).await,
        Command::Generate | Command::Status => status::run(&pool, keyring.as_ref()).await,
    }
}

/// A new key's id is its day, so that its age can be seen.
pub(crate) fn id_of_today() -> String {
    let day = shared::clock::now().format(format_description!("k[year][month][day]"));
    day.unwrap_or_else(|_| "k1".to_owned())
}

fn generate(keyring: Option<&Keyring>) {
    let key = crypto::generate(&free_id(keyring, &id_of_today()));
    println!("{}", key.expose_secret());
    // Beside the key, so that stdout is the key alone.
    eprintln!(
        "\nThe line above is a new key: nothing else has a copy of it. To change to it without a pause:\n\
         1. Put it in front of the others: ENCRYPTION_KEYS=<new>,<old>. Restart every gateway and bot.\n\
         2. nexrole keys rotate\n\
         3. nexrole keys status   (says when the old key is not needed any more)\n\
         4. Take the old key out, and restart. Keep it as long as backups that need it."
    );
}

/// `day`, or `day-2`, `day-3`, … if it is taken.
fn free_id(keyring: Option<&Keyring>, day: &str) -> String {
    let taken = |id: &String| keyring.is_some_and(|keyring| keyring.ids().any(|known| known == id));
    let later = (2..1000).map(|number| format!("{day}-{number}"));
    std::iter::once(day.to_owned()).chain(later).find(|id| !taken(id)).unwrap_or_else(|| day.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_an_id_of_its_own() {
        let of = |ids: &[&str]| {
            let keys: Vec<_> = ids.iter().map(|id| crypto::generate(id).expose_secret().to_owned()).collect();
            Keyring::parse(&keys.join(",")).unwrap()
        };
        assert_eq!(free_id(None, "k20261122"), "k20261122");
        assert_eq!(free_id(Some(&of(&["k1"])), "k20261122"), "k20261122");
        assert_eq!(free_id(Some(&of(&["k20261122", "k20261122-2"])), "k20261122"), "k20261122-3");
    }
}

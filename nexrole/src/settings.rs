//! What several commands read from the environment. In: variables. Out: the database's address, the keys; or what is wrong with them.

use secrecy::ExposeSecret;
use shared::{
    config::{Env, Problems, Reader},
    crypto::Keyring,
};

use crate::database::Published;

/// `DATABASE_URL`, or the database of a `nexrole up` in this folder.
pub(crate) fn database_url(env: &Env) -> anyhow::Result<String> {
    let mut reader = Reader::new(env);
    let url = if reader.given("DATABASE_URL") {
        reader.database().map(|url| url.expose_secret().to_owned())
    } else {
        Published::read(env)
    };
    if url.is_none() && !reader.given("DATABASE_URL") {
        let wrong = "is not set, and no `nexrole up` with its own database runs in this folder";
        reader.problem("DATABASE_URL", wrong, "postgres://nexrole@localhost/nexrole");
    }
    Ok(reader.finish(url)?)
}

/// `ENCRYPTION_KEYS`, if it is set.
pub(crate) fn keyring(env: &Env) -> Result<Option<Keyring>, Problems> {
    let mut reader = Reader::new(env);
    let keyring = reader.keyring();
    reader.finish(Some(keyring))
}

/// The same; its absence is a problem.
pub(crate) fn required(keyring: Option<Keyring>) -> Result<Keyring, Problems> {
    let env = Env::default();
    let mut reader = Reader::new(&env);
    if keyring.is_none() {
        reader.problem("ENCRYPTION_KEYS", "is required and not set", "(what `nexrole keys generate` prints)");
    }
    reader.finish(keyring)
}

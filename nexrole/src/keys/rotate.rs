//! `nexrole keys rotate`. In: what is sealed. Out: the same, sealed with the first key.
//!
//! Each value is one statement that changes it only if it is still what was opened: killed anywhere, run twice at once, or
//! beside a gateway, no value is ever half way. Whoever reads has both keys.

use std::process::ExitCode;

use anyhow::Context;
use shared::{
    crypto::Keyring,
    store::{
        database::Pool,
        sealed::{self, Sealed},
    },
};

/// Seals everything anew; exit code 1 if something does not open.
pub(super) async fn run(pool: &Pool, keyring: &Keyring) -> anyhow::Result<ExitCode> {
    let (mut done, mut already, mut closed) = (0_u64, 0_u64, 0_u64);
    let mut last: Option<Sealed> = None;
    loop {
        let mut across = pool.across().await.context("the database cannot be reached")?;
        let page = sealed::page(&mut across, last.as_ref()).await?;
        for value in &page {
            if value.key_id() == Some(keyring.first()) && value.opens(keyring).is_ok() {
                already += 1;
                continue;
            }
            match value.sealed_anew(keyring) {
                // Changed meanwhile, by whoever connected the server anew: that has the first key, if it was restarted.
                Ok(new) => done += u64::from(sealed::replace(&mut across, value, &new).await?),
                Err(error) => {
                    closed += 1;
                    let connection = value.connection;
                    println!(
                        "server {}, connection {}, {}: {error}",
                        connection.guild,
                        connection.id,
                        value.column.name()
                    );
                }
            }
        }
        let Some(end) = page.into_iter().next_back() else { break };
        println!("{done} sealed anew, {already} were already");
        last = Some(end);
    }
    println!("Everything that opens is sealed with '{}': {done} anew, {already} before.", keyring.first());
    if closed > 0 {
        println!("{closed} cannot be opened and stay as they are; `nexrole keys status` says what to do.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

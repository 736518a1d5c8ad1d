//! `nexrole keys rotate`. In: what is sealed. Out: the same, sealed with the first key.
//!
//! Each value is one statement that changes it only if it is still what was opened: killed anywhere, run twice at once, or
//! beside a gateway, no value is ever half way. Whoever reads has both keys.

use std::process::ExitCode;

use anyhow::Context;
use shared::{
    crypto::Keyring,
    db::{cross_tenant::Crossing, pool::Pool},
    store::sealed::{self, Sealed},
};

/// Seals everything anew; exit code 1 if something does not open. Checks again until a pass finds nothing to do: a command that
/// was started with the old list may have written behind the first one.
pub(super) async fn run(pool: &Pool, keyring: &Keyring) -> anyhow::Result<ExitCode> {
    let (mut across, mut done) = (pool.across().await.context(AWAY)?, 0);
    let last = loop {
        let pass = pass(&mut across, keyring).await.context(AWAY)?;
        done += pass.done;
        if pass.done + pass.overtaken == 0 {
            break pass;
        }
        println!("{} sealed anew, {} were already; looking once more", pass.done, pass.already);
    };
    let before = last.already.saturating_sub(done);
    println!("Everything that opens is sealed with '{}': {done} anew, {before} before.", keyring.first());
    if last.closed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for wrong in &last.closed {
        println!("{wrong}");
    }
    println!(
        "{} cannot be opened and stay as they are; `nexrole keys status` says what to do.",
        last.closed.len()
    );
    Ok(ExitCode::FAILURE)
}

const AWAY: &str = "the database cannot be reached";

/// The outcome of one pass over everything.
#[derive(Debug, Default)]
struct Pass {
    done: u64,
    already: u64,
    /// Changed by somebody else between our check and our write.
    overtaken: u64,
    /// What does not open, and why.
    closed: Vec<String>,
}

async fn pass(across: &mut Crossing, keyring: &Keyring) -> Result<Pass, sqlx::Error> {
    let (mut pass, mut last) = (Pass::default(), None::<Sealed>);
    loop {
        let page = sealed::page(across, last.as_ref()).await?;
        for value in &page {
            if value.key_id() == Some(keyring.first()) && value.opens(keyring).is_ok() {
                pass.already += 1;
                continue;
            }
            match value.sealed_anew(keyring) {
                Ok(new) if sealed::replace(across, value, &new).await? => pass.done += 1,
                Ok(_) => pass.overtaken += 1,
                Err(error) => {
                    let (connection, column) = (value.connection, value.column.name());
                    pass.closed.push(format!(
                        "server {}, connection {}, {column}: {error}",
                        connection.guild, connection.id
                    ));
                }
            }
        }
        let Some(end) = page.into_iter().next_back() else { return Ok(pass) };
        last = Some(end);
    }
}

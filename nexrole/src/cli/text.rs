//! What came of a command, on the terminal.

use anyhow::bail;
use shared::views::{
    document::{Document, Message},
    terminal,
};

/// Prints what is said; fails with why nothing was done.
pub(super) fn say(outcome: Result<Document, Message>) -> anyhow::Result<()> {
    match outcome {
        Ok(document) => println!("{}", terminal::render(&document)),
        Err(refused) => bail!(terminal::text(&refused)),
    }
    Ok(())
}

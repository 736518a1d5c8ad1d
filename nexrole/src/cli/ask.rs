//! A question on the terminal. In: the question. Out: whether somebody says yes; an error where nobody can be asked.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context, bail};

pub(super) fn is_agreed(question: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nothing was changed: there is no terminal to ask on. With --yes it is done without asking");
    }
    eprint!("\n{question} [y/N] ");
    std::io::stderr().flush().context("stderr cannot be written")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("stdin cannot be read")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

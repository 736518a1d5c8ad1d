//! `nexrole mail test ADDRESS`: sends one mail as the gateway would. In: SMTP_URL and MAIL_FROM. Out: what the mail server said.

use anyhow::{Context, anyhow};
use clap::Subcommand;
use shared::{
    config::{Env, Reader},
    views::mail,
};
use uuid::Uuid;
use webhook_gateway::mail::{self as smtp, Mailer};

/// `nexrole mail …`
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Send a mail to an address of yours, and show what the mail server says
    Test {
        /// To whom
        address: String,
    },
}

pub async fn run(env: &Env, command: &MailCommand) -> anyhow::Result<()> {
    let MailCommand::Test { address } = command;
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut reader = Reader::new(env);
    let config = smtp::read(&mut reader);
    let config = reader.finish(Some(config))?;
    let config =
        config.context("SMTP_URL and MAIL_FROM are not set: no mail is sent (.env.example explains both)")?;
    let mailer = Mailer::new(config);
    let to = smtp::address(address).context("that is no e-mail address")?;
    let message =
        mailer.message(&to, &mail::test(), Uuid::new_v4()).context("a mail cannot be made of that")?;
    let said = match mailer.connect().await {
        Ok(session) => session.send(&message).await,
        Err(failure) => Err(failure),
    };
    let said = said.map_err(|failure| anyhow!("{failure}"))?;
    println!("The mail server took it: {said}");
    println!(
        "Look whether it arrives, and not among spam; `nexrole doctor` says what it knows of the way there."
    );
    Ok(())
}

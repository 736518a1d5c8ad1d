//! `nexrole mail`: `test ADDRESS` sends one mail as the gateway would. In: SMTP_URL and MAIL_FROM. Out: what the mail server said. `invite` has
//! the gateway write to those who pay and are linked to nobody.

use anyhow::{Context, anyhow};
use clap::Subcommand;
use shared::{
    actions::{
        SealingError,
        invite_payers::{invite_payers, preview},
    },
    config::{Env, Reader},
    db::{authorized::Authorized, pg_roles::Login, pool},
    ids::GuildId,
    views::{invitations, mail, terminal},
};
use uuid::Uuid;
use webhook_gateway::mail::{self as smtp, Mailer};

use super::{ask, guild::failed};
use crate::settings;

/// `nexrole mail …`
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Send a mail to an address of yours, and show what the mail server says
    Test {
        /// To whom
        address: String,
    },
    /// Tell those who pay and are linked to no member how to claim what they pay for: each once, and with --remind once more
    Invite {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// Those who were told a week ago, too
        #[arg(long)]
        remind: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(env: &Env, command: &MailCommand) -> anyhow::Result<()> {
    match *command {
        MailCommand::Test { ref address } => test(env, address).await,
        MailCommand::Invite { guild, remind, yes } => invite(env, guild, remind, yes).await,
    }
}

async fn invite(env: &Env, guild: GuildId, reminds: bool, is_agreed: bool) -> anyhow::Result<()> {
    let url = settings::database_url(env)?;
    let pool = pool::pool(&url, 2, Login::Operator).context("DATABASE_URL is malformed")?;
    let mut reader = Reader::new(env);
    let keyring = reader.keyring();
    let keyring = reader.finish(Some(keyring))?;
    let keyring = keyring
        .context("ENCRYPTION_KEYS is not set: mail waits sealed, with the keys that the gateway has")?;
    let by = Authorized::operator(&pool, guild)?;
    let planned = preview(&pool, &by, reminds).await.map_err(|error| failed(guild, error))?;
    println!("{}", terminal::render(&invitations::planned(guild, &planned)));
    if planned.invite.is_empty() && planned.remind.is_empty() {
        return Ok(());
    }
    if !is_agreed && !ask::is_agreed("Write to them?")? {
        println!("Nobody is written to.");
        return Ok(());
    }
    let done = invite_payers(&pool, &keyring, &by, reminds).await.map_err(|error| match error {
        SealingError::Action(error) => failed(guild, error),
        error => error.into(),
    })?;
    println!("{}", terminal::render(&invitations::queued(&done)));
    Ok(())
}

async fn test(env: &Env, address: &str) -> anyhow::Result<()> {
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

//! The sandbox as a process. In: which vendor to play and where. Out: one ready line, then the server itself.

use std::{io::Write, path::PathBuf, time::Duration};

use clap::Parser;
use sandbox::{Running, discord, smtp, stripe};
use tokio::signal::unix::{SignalKind, signal};

/// Play a vendor on loopback.
#[derive(Parser)]
#[command(name = "sandbox")]
enum Vendor {
    /// A fake Discord: REST, gateway, interactions.
    Discord {
        /// Port on 127.0.0.1; 0 picks a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Accept only this bot token. Without it any non-empty token is accepted.
        #[arg(long)]
        token: Option<String>,
    },
    /// A fake Stripe: read API and signed webhooks.
    Stripe {
        /// Port on 127.0.0.1; 0 picks a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Where events are delivered.
        #[arg(long)]
        webhook_url: Option<String>,
        /// The endpoint's signing secret, as the receiver knows it.
        #[arg(long)]
        webhook_secret: Option<String>,
    },
    /// A mail server, that delivers nothing and prints each mail: SMTP with STARTTLS, and a login if one is given.
    Smtp {
        /// Port on 127.0.0.1; 0 picks a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// TLS from the first byte instead.
        #[arg(long)]
        smtps: bool,
        /// Where to write its certificate, for who is to trust it.
        #[arg(long)]
        certificate: Option<PathBuf>,
        /// Who may send; without it anybody.
        #[arg(long, requires = "password")]
        user: Option<String>,
        #[arg(long, requires = "user")]
        password: Option<String>,
    },
}

/// How often to look for mail that came.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let running: Running = match Vendor::parse() {
        Vendor::Discord { port, token } => discord::serve(discord::Options { port, token }).await?,
        Vendor::Stripe { port, webhook_url, webhook_secret } => {
            stripe::serve(stripe::Options { port, webhook_url, webhook_secret }).await?
        }
        Vendor::Smtp { port, smtps, certificate, user, password } => {
            let security = if smtps { smtp::Security::Implicit } else { smtp::Security::StartTls };
            let running = smtp::serve(smtp::Options { port, security, login: user.zip(password) }).await?;
            if let Some(path) = certificate {
                std::fs::write(path, &running.certificate)?;
            }
            let scheme = if smtps { "smtps" } else { "smtp" };
            writeln!(
                std::io::stdout(),
                r#"{{"ready":true,"url":"{scheme}://localhost:{}"}}"#,
                running.address.port()
            )?;
            tokio::select! {
                _ = terminate.recv() => {}
                interrupted = tokio::signal::ctrl_c() => interrupted?,
                printed = print_mails(&running) => printed?,
            }
            return Ok(());
        }
    };
    let ready = format!(r#"{{"ready":true,"url":"{}","control":"{}"}}"#, running.url, running.control);
    // Flushed, because a pipe is block-buffered and the parent process waits for this line.
    writeln!(std::io::stdout(), "{ready}")?;
    std::io::stdout().flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

/// Shows each mail as it comes.
async fn print_mails(running: &smtp::Running) -> std::io::Result<()> {
    let mut shown = 0;
    loop {
        let mails = running.mails();
        for mail in &mails[shown..] {
            writeln!(std::io::stdout(), "{mail:#?}")?;
        }
        std::io::stdout().flush()?;
        shown = mails.len();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

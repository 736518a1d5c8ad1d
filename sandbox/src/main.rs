//! The sandbox as a process. In: which vendor to play and where. Out: one ready line, then the server itself.

use std::io::Write;

use clap::Parser;
use sandbox::{Running, discord, stripe};
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
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let running: Running = match Vendor::parse() {
        Vendor::Discord { port, token } => discord::serve(discord::Options { port, token }).await?,
        Vendor::Stripe { port, webhook_url, webhook_secret } => {
            stripe::serve(stripe::Options { port, webhook_url, webhook_secret }).await?
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

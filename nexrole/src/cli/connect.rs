//! `nexrole connect`: a server's Stripe account, its secrets sealed in the database. In: files, or stdin; never an argument, which
//! every user of the machine could read. Out: the address for Stripe's webhooks.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};
use shared::{
    actions::connect::{Account, ConnectError, connect},
    config::Env,
    db::{authorized::Authorized, pool::Pool},
    ids::GuildId,
    views::account_changes::connected,
};
use webhook_gateway::config::{mode, split_secrets};

use super::{guild::failed, text::say};
use crate::settings;

const STDIN: &str = "-";

/// What to connect.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// A file with the restricted key (rk_…), or - for stdin
    #[arg(long)]
    key_file: PathBuf,
    /// A file with the endpoint's signing secret (whsec_…), or - for stdin; several separated by commas while rotating.
    /// Without it events are polled
    #[arg(long)]
    webhook_secret_file: Option<PathBuf>,
    /// A name, if the server has several accounts
    #[arg(long, default_value = "stripe")]
    label: String,
    /// Believe the user id in a customer's metadata; without it, this stays as it is: no, at first
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    metadata_links: Option<bool>,
}

/// Connects; the same again replaces what is given, and keeps the rest.
pub(super) async fn run(env: &Env, pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let keyring = settings::required(settings::keyring(env)?)?;
    let Arguments { guild, key_file, webhook_secret_file, label, metadata_links } = arguments;
    ensure!(
        key_file != Path::new(STDIN) || webhook_secret_file.as_deref() != Some(Path::new(STDIN)),
        "only one of the two can come from stdin"
    );
    let key = read(key_file)?;
    let livemode = match mode(&key) {
        Ok(livemode) => livemode,
        Err(wrong) => bail!("what is in --key-file {wrong}"),
    };
    let secrets = webhook_secret_file.as_deref().map(read).transpose()?;
    if secrets.as_ref().is_some_and(|secrets| split_secrets(secrets).is_none()) {
        bail!("what is in --webhook-secret-file is not a list of whsec_… separated by commas");
    }

    let account = Account {
        label,
        livemode,
        api_key: &key,
        webhook_secrets: secrets.as_ref(),
        metadata_links: *metadata_links,
    };
    let by = Authorized::operator(pool, *guild)?;
    let outcome = match connect(pool, &by, &keyring, &account).await {
        Ok(outcome) => outcome,
        Err(ConnectError::Action(error)) => return Err(failed(*guild, error)),
        Err(ConnectError::Seal(error)) => return Err(error.into()),
    };
    say(connected(*guild, &account, &outcome))
}

/// Trimmed: editors end files with a new line.
fn read(path: &Path) -> anyhow::Result<SecretString> {
    let text = if path == Path::new(STDIN) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("stdin cannot be read")?;
        text
    } else {
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
    };
    let text = SecretString::from(text);
    Ok(SecretString::from(text.expose_secret().trim()))
}

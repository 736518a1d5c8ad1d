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
    config::Env,
    crypto::Fingerprint,
    db::{pool::Pool, tenant},
    domain::audit::{Actor, AuditAction, AuditEntry, Change},
    ids::GuildId,
    store::{
        audit_log,
        sealed::Column,
        stripe_connections::{self, Connection},
        stripe_cursors,
    },
};
use webhook_gateway::config::{mode, split_secrets};

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
        label != stripe_connections::ENVIRONMENT,
        "the label '{label}' is taken by what variables describe"
    );
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

    let mut tenant = tenant::begin(pool, *guild).await.context("the database cannot be reached")?;
    stripe_connections::ensure_guild(&mut tenant).await?;
    let id =
        stripe_connections::ensure(&mut tenant, Actor::Operator, label, livemode, *metadata_links).await?;
    stripe_cursors::ensure(&mut tenant, id).await?;
    let connection = Connection { guild: *guild, id };
    let seal = |column: Column, secret: &SecretString| {
        keyring.seal(&connection.place(column.name()), secret.expose_secret().as_bytes())
    };
    let (key_before, secrets_before) = stripe_connections::sealed(&mut tenant, id).await?;
    let opened = |column: Column, sealed: Option<&Vec<u8>>| {
        sealed.and_then(|sealed| keyring.open(&connection.place(column.name()), sealed).ok())
    };
    let change = Change::default().secrets(
        Column::ApiKey.name(),
        &prints(opened(Column::ApiKey, key_before.as_ref()).as_ref()),
        &prints(Some(&key)),
    );
    let change = match &secrets {
        None => change,
        given => change.secrets(
            Column::WebhookSecrets.name(),
            &prints(opened(Column::WebhookSecrets, secrets_before.as_ref()).as_ref()),
            &prints(given.as_ref()),
        ),
    };
    let key = seal(Column::ApiKey, &key)?;
    let secrets = secrets.map(|secrets| seal(Column::WebhookSecrets, &secrets)).transpose()?;
    stripe_connections::seal(&mut tenant, id, Some(&key), secrets.as_deref()).await?;
    if !change.is_empty() {
        let cause = format!("connection {id}: secrets");
        let entry = AuditEntry::new(Actor::Operator, AuditAction::ConnectionSet, cause).change(change);
        audit_log::record(&mut tenant, &entry).await?;
    }
    let endpoint = stripe_connections::endpoint_id(&mut tenant, id).await?;
    tenant.commit().await?;
    println!("Connected server {guild} ({}).", if livemode { "live" } else { "test" });
    println!("Stripe, Workbench, Webhooks: an endpoint at https://YOUR.HOST/webhooks/stripe/{endpoint}");
    match (secrets, secrets_before) {
        (Some(_), _) => {}
        (None, Some(_)) => println!("Its webhook secret stays as it was."),
        (None, None) => {
            println!("Then connect again with --webhook-secret-file; until then events are polled.");
        }
    }
    Ok(())
}

/// Of a list, each by itself. None for what cannot be opened any more.
fn prints(secrets: Option<&SecretString>) -> Vec<Fingerprint> {
    let each = |one: &str| Fingerprint::of(&SecretString::from(one.trim()));
    secrets.map(|secrets| secrets.expose_secret().split(',').map(each).collect()).unwrap_or_default()
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

//! `nexrole init`: a `.env` to fill in. In: a folder. Out: the file, with a fresh encryption key, and what to do next.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail};
use secrecy::ExposeSecret;
use shared::crypto;

use crate::keys;
use webhook_gateway::login::discord::CALLBACK;

const TEMPLATE: &str = include_str!("../../.env.example");
/// In the template, where the key goes.
const KEY_LINE: &str = "#ENCRYPTION_KEYS=k1:…";
/// Manage Roles, and nothing else (<https://discord.com/developers/docs/topics/permissions>).
const MANAGE_ROLES: u64 = 1 << 28;

/// Writes `.env` in `folder`; never over one that is there.
pub fn run(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(".env");
    // Readable by its owner alone from the first moment: secrets will be in it.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; nothing was changed. Move it away to begin anew", path.display())
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
    };
    let key = format!("ENCRYPTION_KEYS={}", crypto::generate(&keys::id_of_today()).expose_secret());
    file.write_all(TEMPLATE.replace(KEY_LINE, &key).as_bytes())?;
    println!(
        "Wrote {}, with a fresh encryption key: keep a copy of it somewhere safe.\n\n\
         1. Discord, Developer Portal: New Application, Bot, Reset Token -> DISCORD_TOKEN. Switch on Server Members Intent.\n\
         2. Invite the bot, with your application's id from General Information:\n   \
            https://discord.com/oauth2/authorize?client_id=APPLICATION_ID&scope=bot+applications.commands&permissions={MANAGE_ROLES}\n\
         3. Your server: right-click its name, Copy Server ID -> GUILD_ID. Server Settings, Roles: move the bot's role above\n   \
            those that it is to give.\n\
         4. Stripe, Developers, API keys: a restricted key with Read on Customers, Subscriptions, Invoices,\n   \
            Checkout Sessions, Events; and for one-time purchases, refunds and disputes on PaymentIntents,\n   \
            Charges and Refunds, Disputes; optional: Customer portal -> STRIPE_SECRET_KEY.\n\
         5. nexrole up\n\n\
         For roles within a second, instead of ten minutes: Stripe, Workbench, Webhooks, an endpoint at\n\
         https://YOUR.HOST/webhooks/stripe, and its signing secret -> STRIPE_WEBHOOK_SECRET.\n\
         For members who claim what they bought: https://YOUR.HOST -> PUBLIC_URL; Discord, Developer Portal, OAuth2: Client ID ->\n\
         DISCORD_CLIENT_ID, Reset Secret -> DISCORD_CLIENT_SECRET, and under Redirects exactly https://YOUR.HOST{CALLBACK}. Then\n\
         Stripe, your Payment Link, After payment: https://YOUR.HOST/claim?session_id={{CHECKOUT_SESSION_ID}}",
        path.display()
    );
    Ok(())
}

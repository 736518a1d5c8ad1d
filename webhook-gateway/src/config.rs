//! The gateway's configuration.

use std::{net::SocketAddr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use shared::{
    config::{Env, Problems, Reader},
    crypto::Keyring,
    ids::{GuildId, UserId},
    metrics::MetricsBind,
};

use crate::{
    http::security_txt,
    login::discord::Application,
    mail::{self, MailConfig},
};

const CONNECTIONS: u32 = 14;
const READ_SPACING: Duration = Duration::from_secs(2);

/// Everything the gateway is told.
#[derive(Debug, Clone)]
pub struct Config {
    pub database_url: SecretString,
    pub listen: SocketAddr,
    /// Where `/metrics` is.
    pub metrics: MetricsBind,
    /// How many right-most `X-Forwarded-For` entries are our own proxies'.
    pub trusted_proxy_hops: usize,
    /// Where browsers and vendors find us.
    pub public_url: Option<String>,
    /// Whom to tell of a vulnerability, as an address.
    pub security_contact: Option<String>,
    /// How mail is sent; `None`: none is.
    pub mail: Option<MailConfig>,
    /// The login with Discord; `None`: nobody can log in.
    pub discord: Option<Application>,
    /// Stripe's API, without `/v1`.
    pub stripe_api_url: String,
    /// The connection that variables describe.
    pub environment: Option<Environment>,
    /// Opens the connections whose secrets are in the database.
    pub keyring: Option<Keyring>,
    /// To the database, for ingest, reading and health together. No variable: more than 16 only costs, and fewer only wait.
    pub connections: u32,
    /// How long one worker keeps an object.
    pub lease: Duration,
    /// How often each connection's list of events is read at Stripe.
    pub events_poll: Duration,
    /// How often to look for work that no wake-up told of.
    pub poll: Duration,
    /// Hints at what was read just now share one read after this time. No variable: longer, and who cancels keeps the role; shorter,
    /// and a sign-up, whose events come within two seconds, costs more reads.
    pub read_spacing: Duration,
}

/// One guild and its Stripe account, from variables.
#[derive(Debug, Clone)]
pub struct Environment {
    pub guild: GuildId,
    pub api_key: SecretString,
    /// Live or test, by the key's prefix.
    pub livemode: bool,
    /// One, or several while rotating; none: no webhooks, events are polled.
    pub webhook_secrets: Vec<SecretString>,
}

impl Config {
    /// Reads the environment; all problems are reported together.
    pub fn read(env: &Env) -> Result<Self, Problems> {
        let mut reader = Reader::new(env);
        let database_url = reader.database();
        let listen = reader.listen(8080);
        let metrics = reader.metrics(9090);
        let hops = reader.parsed("TRUSTED_PROXY_HOPS", "a number of proxies", "1").unwrap_or(0);
        let public_url = reader.origin("PUBLIC_URL", None);
        let security_contact = security_contact(&mut reader);
        let mail = mail::read(&mut reader);
        let discord = discord(&mut reader, public_url.as_deref());
        let stripe_api_url = reader.origin("STRIPE_API_URL", Some("https://api.stripe.com"));
        let environment = environment(&mut reader);
        let keyring = reader.keyring();
        let lease = reader.lease();
        // 4,320 reads a month: inside the 10,000 that every Stripe account has.
        let events_poll = reader.seconds("EVENTS_POLL_SECONDS", Duration::from_secs(600));
        let poll = reader.seconds("POLL_SECONDS", Duration::from_secs(1));
        let config = (|| {
            Some(Self {
                database_url: database_url?,
                listen,
                metrics,
                trusted_proxy_hops: hops,
                public_url,
                security_contact,
                mail,
                discord,
                stripe_api_url: stripe_api_url?,
                environment,
                keyring,
                connections: CONNECTIONS,
                lease,
                events_poll,
                poll,
                read_spacing: READ_SPACING,
            })
        })();
        reader.finish(config)
    }
}

fn security_contact(reader: &mut Reader<'_>) -> Option<String> {
    let given = reader.text("SECURITY_CONTACT")?;
    let contact = security_txt::contact(&given);
    if contact.is_none() {
        let wrong = "is no e-mail address, mailto:, https:// or tel: address";
        reader.problem("SECURITY_CONTACT", wrong, "security@example.com");
    }
    contact
}

/// `DISCORD_CLIENT_ID` and `DISCORD_CLIENT_SECRET` come together or not at all; Discord sends people back to `PUBLIC_URL`.
fn discord(reader: &mut Reader<'_>, public_url: Option<&str>) -> Option<Application> {
    let discord_url = reader.origin("DISCORD_API_URL", Some("https://discord.com"));
    let id_example = "81384788765712384 (Discord: Developer Portal, your application, OAuth2, Client ID)";
    let secret_example = "… (Discord: Developer Portal, your application, OAuth2, Reset Secret)";
    let given = ["DISCORD_CLIENT_ID", "DISCORD_CLIENT_SECRET"].map(|name| reader.given(name));
    match given {
        [false, false] => return None,
        [true, false] => {
            reader.problem("DISCORD_CLIENT_SECRET", "is required with DISCORD_CLIENT_ID", secret_example);
        }
        [false, true] => {
            reader.problem("DISCORD_CLIENT_ID", "is required with DISCORD_CLIENT_SECRET", id_example);
        }
        [true, true] if !reader.given("PUBLIC_URL") => reader.problem(
            "PUBLIC_URL",
            "is required with DISCORD_CLIENT_ID: Discord sends people back there",
            "https://roles.example.com",
        ),
        [true, true] => {}
    }
    let client_id = reader.parsed::<UserId>("DISCORD_CLIENT_ID", "an application's client id", id_example);
    let client_secret = reader.secret("DISCORD_CLIENT_SECRET");
    Some(Application {
        client_id: client_id?.to_string(),
        client_secret: client_secret?,
        discord_url: discord_url?,
        public_url: public_url?.to_owned(),
    })
}

/// `GUILD_ID` and `STRIPE_SECRET_KEY` come together or not at all; without `STRIPE_WEBHOOK_SECRET` events are polled only.
fn environment(reader: &mut Reader<'_>) -> Option<Environment> {
    let guild_example = "81384788765712384";
    let key_example = "rk_test_… (Stripe: Developers, API keys, Create restricted key, Read only)";
    let secrets_example = "whsec_… (Stripe: Workbench, Webhooks, the endpoint, Signing secret)";
    let given = ["GUILD_ID", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"].map(|name| reader.given(name));
    if !given.contains(&true) {
        return None;
    }
    let [guild_given, key_given, _] = given;
    if !guild_given {
        reader.problem(
            "GUILD_ID",
            "is required with STRIPE_SECRET_KEY or STRIPE_WEBHOOK_SECRET",
            guild_example,
        );
    }
    if !key_given {
        reader.problem(
            "STRIPE_SECRET_KEY",
            "is required with GUILD_ID or STRIPE_WEBHOOK_SECRET",
            key_example,
        );
    }
    let guild = reader.parsed::<GuildId>(
        "GUILD_ID",
        "a Discord server's id (Developer Mode, then Copy Server ID)",
        guild_example,
    );
    let api_key = reader.secret("STRIPE_SECRET_KEY");
    let livemode = api_key.as_ref().and_then(|key| match mode(key) {
        Ok(livemode) => Some(livemode),
        Err(wrong) => {
            reader.problem("STRIPE_SECRET_KEY", wrong, key_example);
            None
        }
    });
    let list = reader.secret("STRIPE_WEBHOOK_SECRET");
    let webhook_secrets = list.as_ref().map_or_else(|| Some(Vec::new()), split_secrets);
    if webhook_secrets.is_none() {
        reader.problem(
            "STRIPE_WEBHOOK_SECRET",
            "is not a list of whsec_… separated by commas",
            secrets_example,
        );
    }
    Some(Environment {
        guild: guild?,
        api_key: api_key?,
        livemode: livemode?,
        webhook_secrets: webhook_secrets?,
    })
}

/// Live or test, by the prefix of a restricted key (<https://docs.stripe.com/keys#limit-access>), or why the key is not taken.
pub fn mode(key: &SecretString) -> Result<bool, &'static str> {
    match key.expose_secret() {
        key if key.starts_with("rk_live_") => Ok(true),
        key if key.starts_with("rk_test_") => Ok(false),
        key if key.starts_with("sk_") => {
            Err("is a secret key, which could move money; Nexrole takes restricted keys only")
        }
        _ => Err("is not a restricted key (rk_live_… or rk_test_…)"),
    }
}

/// Splits and trims a comma-separated list of `whsec_…`; `None` if any part is something else, or empty.
pub fn split_secrets(list: &SecretString) -> Option<Vec<SecretString>> {
    list.expose_secret()
        .split(',')
        .map(str::trim)
        .map(|part| {
            part.strip_prefix("whsec_").filter(|rest| !rest.is_empty()).map(|_| SecretString::from(part))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("DATABASE_URL", "postgres://localhost/x"),
        ("GUILD_ID", "81384788765712384"),
        ("STRIPE_SECRET_KEY", "rk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_a, whsec_b "),
    ];

    fn with(changes: &[(&str, &str)]) -> Result<Config, Problems> {
        let mut all = GOOD.to_vec();
        for &(name, value) in changes {
            all.retain(|(known, _)| *known != name);
            all.push((name, value));
        }
        Config::read(&Env::from_pairs(all))
    }

    fn wrong(changes: &[(&str, &str)]) -> Vec<String> {
        with(changes).unwrap_err().0.into_iter().map(|p| format!("{}: {}", p.variable, p.wrong)).collect()
    }

    #[test]
    fn a_good_environment() {
        let environment = with(&[]).unwrap().environment.unwrap();
        assert!(!environment.livemode);
        assert_eq!(environment.webhook_secrets.len(), 2);
        assert!(with(&[("STRIPE_SECRET_KEY", "rk_live_1")]).unwrap().environment.unwrap().livemode);
        let key_only = with(&[("STRIPE_WEBHOOK_SECRET", "")]).unwrap().environment.unwrap();
        assert!(key_only.webhook_secrets.is_empty(), "events are polled");
    }

    #[test]
    fn nothing_but_a_database_is_enough_when_tenants_are_in_the_database() {
        assert!(
            Config::read(&Env::of([("DATABASE_URL", "postgres://localhost/x")]))
                .unwrap()
                .environment
                .is_none()
        );
    }

    #[test]
    fn wrong_missing_and_contradictory_values_come_in_one_message() {
        assert_eq!(
            wrong(&[("STRIPE_SECRET_KEY", "sk_live_1")]),
            [
                "STRIPE_SECRET_KEY: is a secret key, which could move money; Nexrole takes restricted keys only"
            ]
        );
        let all = wrong(&[
            ("DATABASE_URL", " "),
            ("PORT", "x"),
            ("GUILD_ID", "my server"),
            ("STRIPE_SECRET_KEY", "pk_1"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_a,"),
            ("ENCRYPTION_KEYS", "k1:short"),
            ("STRIPE_API_URL", "http://stripe.example"),
            ("PUBLIC_URL", "http://roles.example"),
            ("SECURITY_CONTACT", "somebody"),
        ]);
        assert_eq!(all.len(), 9, "{all:#?}");
        assert_eq!(wrong(&[("GUILD_ID", "")]).len(), 1);
        assert_eq!(wrong(&[("STRIPE_SECRET_KEY", "")]).len(), 1);
        assert_eq!(wrong(&[("STRIPE_WEBHOOK_SECRET", "whsec_")]).len(), 1);
        assert_eq!(wrong(&[("GUILD_ID_FILE", "/nowhere")]).len(), 1, "both GUILD_ID and GUILD_ID_FILE");
    }

    #[test]
    fn the_login_with_discord_is_set_up_whole_or_not_at_all() {
        assert!(with(&[]).unwrap().discord.is_none());
        let all = [
            ("DISCORD_CLIENT_ID", "81384788765712384"),
            ("DISCORD_CLIENT_SECRET", "hunter2"),
            ("PUBLIC_URL", "https://roles.example.com"),
        ];
        let discord = with(&all).unwrap().discord.unwrap();
        assert_eq!((&*discord.discord_url, &*discord.public_url), ("https://discord.com", all[2].1));
        for (name, missing) in all.iter().enumerate() {
            let mut changed = all;
            changed[name].1 = "";
            assert_eq!(wrong(&changed).len(), 1, "without {}", missing.0);
        }
        assert_eq!(wrong(&[all[0], all[1], all[2], ("DISCORD_CLIENT_ID", "mine")]).len(), 1);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!(
            "{:?}",
            with(&[
                ("DISCORD_CLIENT_ID", "7"),
                ("DISCORD_CLIENT_SECRET", "hunter2"),
                ("PUBLIC_URL", "https://roles.example.com"),
            ])
            .unwrap()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(
            !shown.contains("rk_test_1")
                && !shown.contains("whsec_a")
                && !shown.contains("postgres://localhost/x"),
            "{shown}"
        );
    }
}

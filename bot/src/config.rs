//! The bot's configuration.

use std::{net::SocketAddr, time::Duration};

use secrecy::SecretString;
use shared::{
    config::{Env, Problems, Reader},
    crypto::Keyring,
    ids::GuildId,
    metrics::MetricsBind,
};

const CONNECTIONS: u32 = 11;
/// Polls between two searches: a minute, as a rule.
const SEARCH_POLLS: u32 = 60;

/// Everything the bot is told.
#[derive(Debug, Clone)]
pub struct Config {
    pub database_url: SecretString,
    /// Where `/healthz` and `/readyz` are.
    pub listen: SocketAddr,
    /// Where `/metrics` is.
    pub metrics: MetricsBind,
    /// The bot token, without `Bot `.
    pub token: SecretString,
    /// Discord, without `/api`.
    pub discord_api_url: String,
    /// Opens and seals what the two services ask of each other.
    pub keyring: Option<Keyring>,
    /// The guild of the single-tenant shortcut.
    pub guild: Option<GuildId>,
    /// Guilds worked on at the same time.
    pub concurrency: usize,
    /// To the database, for turns, events, commands and answers; two more listen. No variable: more than 16 only costs, and fewer
    /// only wait.
    pub connections: u32,
    /// How long one worker keeps a guild.
    pub lease: Duration,
    /// How often to look for work that no wake-up told of.
    pub poll: Duration,
    /// How often to look for roles that Discord was not asked about for long, and for owners to be reminded.
    pub search: Duration,
}

impl Config {
    /// Reads the environment; all problems are reported together.
    pub fn read(env: &Env) -> Result<Self, Problems> {
        let mut reader = Reader::new(env);
        let database_url = reader.database();
        let listen = reader.listen(8081);
        let metrics = reader.metrics(9091);
        let token = reader
            .required("DISCORD_TOKEN", "… (Discord: Developer Portal, your application, Bot, Reset Token)");
        if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            reader.problem(
                "DISCORD_TOKEN",
                "has a space or another character that no token has",
                "the token alone",
            );
        }
        let discord_api_url = reader.origin("DISCORD_API_URL", Some("https://discord.com"));
        let keyring = reader.keyring();
        let guild = reader.parsed::<GuildId>("GUILD_ID", "a Discord server's id", "81384788765712384");
        let concurrency = reader.parsed("WORKER_CONCURRENCY", "a number of guilds", "16").unwrap_or(16);
        if !(1..=256).contains(&concurrency) {
            reader.problem("WORKER_CONCURRENCY", "is not between 1 and 256", "16");
        }
        let lease = reader.lease();
        let poll = reader.seconds("POLL_SECONDS", Duration::from_secs(1));
        let config = (|| {
            Some(Self {
                database_url: database_url?,
                listen,
                metrics,
                token: token?.into(),
                discord_api_url: discord_api_url?,
                keyring,
                guild,
                concurrency,
                connections: CONNECTIONS,
                lease,
                poll,
                search: poll * SEARCH_POLLS,
            })
        })();
        reader.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_at_once() {
        let problems = Config::read(&Env::of([
            ("DISCORD_TOKEN", "Bot x"),
            ("GUILD_ID", "x"),
            ("WORKER_CONCURRENCY", "0"),
            ("LEASE_SECONDS", "1"),
            ("DISCORD_API_URL", "discord"),
        ]))
        .unwrap_err();
        let names: Vec<_> = problems.0.iter().map(|p| p.variable.as_str()).collect();
        assert_eq!(
            names,
            [
                "DATABASE_URL",
                "DISCORD_TOKEN",
                "DISCORD_API_URL",
                "GUILD_ID",
                "WORKER_CONCURRENCY",
                "LEASE_SECONDS"
            ]
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = Config::read(&Env::of([
            ("DATABASE_URL", "postgres://u:pw@localhost/d"),
            ("DISCORD_TOKEN", "hunter2"),
        ]))
        .unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("pw@"), "{shown}");
    }
}

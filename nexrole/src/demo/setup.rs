//! Database, sandboxes and services, started before the steps and stopped after them.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use embedded_postgres::Durability;
use sandbox::{
    discord::{self, Limits},
    stripe,
};
use shared::{config::Env, db::migrate};
use sqlx::PgPool;
use tokio::{process::Command, sync::Mutex};

use super::report::Report;
use crate::{
    children::{Plan, Running, Service, free_port},
    database::{Server, data_folder},
};

/// Short, so that no step waits for a dead bot's lease to run out.
const LEASE_SECONDS: &str = "3";
const POLL_SECONDS: &str = "0.2";
/// A step that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Everything the steps run on.
pub(super) struct Setup {
    pub(super) discord: discord::Control,
    pub(super) stripe: stripe::Control,
    pub(super) http: reqwest::Client,
    pub(super) db: PgPool,
    pub(super) webhook_url: String,
    pub(super) guild: u64,
    pub(super) vip: u64,
    pub(super) price: String,
    first_member: OnceLock<u64>,
    bot: Mutex<Option<Running>>,
    bot_plan: Plan,
    gateway: Running,
    logs: String,
    database: Database,
    _sandboxes: (sandbox::Running, sandbox::Running),
}

struct Database {
    server: Server,
    name: String,
    url: String,
}

/// Somebody with a Discord account and a Stripe customer that names it.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) user: u64,
    pub(super) customer: String,
}

impl Setup {
    pub(super) async fn start(env: &Env, report: &Report) -> anyhow::Result<Self> {
        let folder = data_folder(env).join("demo");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        report.say("Nexrole demo: the real webhook gateway, the real bot and a real Postgres.");
        report.say("Stripe and Discord are sandboxes on this machine; no account is needed.\n");
        let database = Database::start(env, folder.clone(), report).await?;

        let program = embedded_postgres::this_program()?;
        let secret = format!("whsec_{}", uuid::Uuid::new_v4().simple());
        let gateway_port = free_port()?;
        let webhook_url = format!("http://127.0.0.1:{gateway_port}/webhooks/stripe");
        let discord_server = discord::serve(discord::Options::default()).await?;
        let stripe_options = stripe::Options {
            port: 0,
            webhook_url: Some(webhook_url.clone()),
            webhook_secret: Some(secret.clone()),
        };
        let stripe_server = stripe::serve(stripe_options).await?;
        report.say(&format!("  Stripe     {}   (sandbox)", stripe_server.url));
        report.say(&format!("  Discord    {}   (sandbox)", discord_server.url));
        let (discord, stripe) =
            (discord::Control::new(&discord_server.url), stripe::Control::new(&stripe_server.url));

        // Discord's real window is 10 s; a shorter one keeps the demo short, and is still obeyed.
        let limits = Limits { role_window_ms: 1000, member_get_limit: 0, ..Limits::default() };
        discord.set_limits(limits).await?;
        let guild = discord.create_guild(None, "Ana's studio").await?;
        let vip = discord.create_role(guild, "VIP").await?;
        let product = stripe.create_product("VIP membership").await?;
        let price = stripe.create_price(&product, 900).await?;

        let guild_id = guild.to_string();
        let settings = [
            ("DATABASE_URL", database.url.as_str()),
            ("GUILD_ID", &guild_id),
            ("STRIPE_SECRET_KEY", stripe::KEY),
            ("STRIPE_WEBHOOK_SECRET", &secret),
            ("STRIPE_API_URL", &stripe_server.url),
            ("DISCORD_TOKEN", "a-token-that-the-sandbox-accepts"),
            ("DISCORD_API_URL", &discord_server.url),
            ("LEASE_SECONDS", LEASE_SECONDS),
            ("POLL_SECONDS", POLL_SECONDS),
            ("METRICS_BIND", "127.0.0.1:0"),
        ];
        let service_env = Env::of(settings);
        let plan = |service, port, log: &str| Plan {
            program: program.clone(),
            service,
            env: service_env.clone(),
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            log: Some(folder.join(log)),
        };
        let (gateway_plan, bot_plan) = (
            plan(Service::Gateway, gateway_port, "gateway.log"),
            plan(Service::Bot, free_port()?, "bot.log"),
        );
        let (gateway_log, bot_log) = (folder.join("gateway.log"), folder.join("bot.log"));
        for log in [&gateway_log, &bot_log] {
            fs::write(log, "").with_context(|| format!("cannot write {}", log.display()))?;
        }
        let (gateway, bot) = (gateway_plan.start_ready().await?, bot_plan.start_ready().await?);
        report.say(&format!("  gateway    {webhook_url}"));
        report.say(&format!("  bot        http://{}/readyz", bot_plan.listen));

        let setup = Self {
            discord,
            stripe,
            http: reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?,
            db: migrate::migration_pool(&database.url)?,
            webhook_url,
            guild,
            vip,
            price,
            first_member: OnceLock::new(),
            bot: Mutex::new(Some(bot)),
            bot_plan,
            gateway,
            logs: format!("{} and {}", gateway_log.display(), bot_log.display()),
            database,
            _sandboxes: (discord_server, stripe_server),
        };
        let role = vip.to_string();
        setup
            .nexrole(&["map", "add", "--guild", &guild_id, "--price", &setup.price, "--role", &role])
            .await?;
        report.say(&format!("  mapping    {} → role VIP of server {guild_id}", setup.price));
        Ok(setup)
    }

    /// Runs one of this program's own commands, as an operator would.
    pub(super) async fn nexrole(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.database.nexrole(arguments).await
    }

    /// Somebody joins the server, and Stripe gets a customer whose metadata names them.
    pub(super) async fn member(&self, name: &'static str) -> anyhow::Result<Member> {
        let user = self.discord.join(self.guild, name).await?;
        self.first_member.get_or_init(|| user);
        let id = user.to_string();
        let customer = self.stripe.create_customer(None, &[("discord_user_id", &id)]).await?;
        Ok(Member { name, user, customer })
    }

    /// Waits until `held` says so; fails with what was waited for.
    pub(super) async fn until(
        &self,
        what: &str,
        held: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<Duration> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if held().await? {
                return Ok(began.elapsed());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("waited {} s in vain until {what}", PATIENCE.as_secs())
    }

    pub(super) async fn has_vip(&self, member: &Member) -> anyhow::Result<bool> {
        let roles = self.discord.member_roles(self.guild, member.user).await?;
        Ok(roles.is_some_and(|roles| roles.contains(&self.vip)))
    }

    /// Waits for the role on Discord *and* for the bot's books to say so.
    pub(super) async fn until_vip(&self, member: &Member) -> anyhow::Result<Duration> {
        let name = member.name;
        let took = self.until(&format!("{name} has VIP"), async || self.has_vip(member).await).await?;
        self.until_settled(member).await?;
        Ok(took)
    }

    pub(super) async fn until_no_vip(&self, member: &Member) -> anyhow::Result<Duration> {
        let name = member.name;
        let took =
            self.until(&format!("{name} has lost VIP"), async || Ok(!self.has_vip(member).await?)).await?;
        self.until_settled(member).await?;
        Ok(took)
    }

    /// Nothing waits any more for this member: every object is read, every job is done.
    pub(super) async fn until_settled(&self, member: &Member) -> anyhow::Result<()> {
        let what = format!("nothing is waiting for {}", member.name);
        self.until(&what, async || {
            let open = "SELECT (SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'pending')
                             + (SELECT count(*) FROM stripe_sync
                                 WHERE next_at IS NOT NULL AND (dirty_seq > 0 OR next_at <= now()))";
            Ok(self.count(open, member).await? == 0)
        })
        .await?;
        Ok(())
    }

    /// A number from the database; `$1` is the member.
    pub(super) async fn count(&self, query: &'static str, member: &Member) -> anyhow::Result<i64> {
        let user = i64::try_from(member.user)?;
        Ok(sqlx::query_scalar(query).bind(user).fetch_one(&self.db).await?)
    }

    /// Audit entries about changes of the member's roles, oldest first.
    pub(super) async fn role_history(&self, member: &Member) -> anyhow::Result<Vec<String>> {
        let query =
            "SELECT action FROM audit_log WHERE user_id = $1 AND action LIKE 'role.%' ORDER BY audit_id";
        Ok(sqlx::query_scalar(query).bind(i64::try_from(member.user)?).fetch_all(&self.db).await?)
    }

    /// `kill -9` of the bot's process.
    pub(super) async fn kill_bot(&self) -> anyhow::Result<()> {
        let bot = self.bot.lock().await.take().context("the bot is not running")?;
        bot.kill().await
    }

    pub(super) async fn start_bot(&self) -> anyhow::Result<()> {
        let bot = self.bot_plan.start_ready().await?;
        *self.bot.lock().await = Some(bot);
        Ok(())
    }

    pub(super) fn logs(&self) -> &str {
        &self.logs
    }

    /// For the visitor who stays.
    pub(super) fn invitation(&self) -> String {
        format!(
            "\nEverything stays up until Ctrl-C. Look around:\n  \
             DATABASE_URL='{}' \\\n    cargo run -q -- why --guild {} --member {}\n  \
             psql '{}'\n  curl -s {}/state          members, roles and Discord's audit log\n  \
             curl -s {}/events         what Stripe sent\n  logs: {}",
            self.database.url,
            self.guild,
            self.first_member.get().unwrap_or(&0),
            self.database.url,
            self._sandboxes.0.control,
            self._sandboxes.1.control,
            self.logs()
        )
    }

    /// Stops everything, in the order of dependence.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        if let Some(bot) = self.bot.into_inner() {
            bot.stop().await?;
        }
        self.gateway.stop().await?;
        self.db.close().await;
        self.database.stop().await
    }
}

impl Database {
    async fn start(env: &Env, folder: PathBuf, report: &Report) -> anyhow::Result<Self> {
        let began = Instant::now();
        let (owned, launcher) = (env.clone(), embedded_postgres::this_program()?);
        let find = move || Server::find(&owned, folder, Durability::Durable, launcher);
        let server =
            tokio::task::spawn_blocking(find).await.context("starting Postgres ended by a panic")??;
        let (name, whose) = match &server {
            Server::Embedded(_) => ("nexrole_demo".to_owned(), "private, on a Unix socket"),
            // On somebody's server: a name that nobody has, dropped at the end.
            Server::External(_) => (
                format!("nexrole_demo_{}", uuid::Uuid::new_v4().simple()),
                "a new database on DATABASE_URL's server",
            ),
        };
        let url = server.create(&name, None).await?;
        let database = Self { server, name, url };
        database.nexrole(&["migrate"]).await?;
        report.say(&format!("  Postgres   {whose}, ready in {:.1} s", began.elapsed().as_secs_f64()));
        Ok(database)
    }

    async fn nexrole(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(embedded_postgres::this_program()?);
        let output =
            command.args(arguments).env("DATABASE_URL", &self.url).kill_on_drop(true).output().await?;
        if !output.status.success() {
            bail!(
                "`nexrole {}` failed: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    async fn stop(self) -> anyhow::Result<()> {
        if matches!(self.server, Server::External(_)) {
            self.server.drop_database(&self.name).await?;
        }
        let server = self.server;
        tokio::task::spawn_blocking(|| server.stop()).await.context("stopping Postgres ended by a panic")?
    }
}

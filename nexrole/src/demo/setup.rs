//! Database, sandboxes and services, started before the steps and stopped after them.

use std::{fs, ops::Deref, path::PathBuf, sync::OnceLock, time::Instant};

use anyhow::{Context, bail};
use embedded_postgres::Durability;
use sandbox::discord::Limits;
use shared::{config::Env, db::migrate};
use tokio::{process::Command, sync::Mutex};

use super::report::Report;
use crate::{
    children::{Plan, Running, Service},
    database::{Server, data_folder},
    scenario::{Member, Scenario},
};

/// Who the visitor is at Discord.
const VISITOR: &str = "visitor";

/// Everything the steps run on: a scenario, with services as processes.
pub(super) struct Setup {
    scenario: Scenario,
    first_member: OnceLock<u64>,
    bot: Mutex<Option<Running>>,
    bot_plan: Plan,
    gateway: Running,
    logs: String,
    database: Database,
}

impl Deref for Setup {
    type Target = Scenario;

    fn deref(&self) -> &Scenario {
        &self.scenario
    }
}

struct Database {
    server: Server,
    name: String,
    url: String,
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
        // Discord's real window is 10 s; a shorter one keeps the demo short, and is still obeyed.
        let limits = Limits { role_window_ms: 1000, member_get_limit: 0, ..Limits::default() };
        let db = migrate::migration_pool(&database.url)?;
        let scenario = Scenario::start(&database.url, db, &secret, limits).await?;
        report.say(&format!("  Stripe     {}   (sandbox)", scenario.stripe_server().url));
        report.say(&format!("  Discord    {}   (sandbox)", scenario.discord_server().url));

        let (gateway_log, bot_log) = (folder.join("gateway.log"), folder.join("bot.log"));
        for log in [&gateway_log, &bot_log] {
            fs::write(log, "").with_context(|| format!("cannot write {}", log.display()))?;
        }
        let mut gateway_plan = scenario.plan(Service::Gateway, program.clone(), gateway_log.clone());
        for (name, value) in scenario.set_up_login(&scenario.pages()).await? {
            gateway_plan.env = gateway_plan.env.with(name, &value);
        }
        scenario.set_up_shop().await?;
        let bot_plan = scenario.plan(Service::Bot, program, bot_log.clone());
        let (gateway, bot) = (gateway_plan.start_ready().await?, bot_plan.start_ready().await?);
        report.say(&format!("  gateway    {}", scenario.webhook_url()));
        report.say(&format!("  bot        http://{}/readyz", bot_plan.listen));

        let setup = Self {
            scenario,
            first_member: OnceLock::new(),
            bot: Mutex::new(Some(bot)),
            bot_plan,
            gateway,
            logs: format!("{} and {}", gateway_log.display(), bot_log.display()),
            database,
        };
        let (guild, role) = (setup.guild.to_string(), setup.vip.to_string());
        setup.nexrole(&["map", "add", "--guild", &guild, "--price", &setup.price, "--role", &role]).await?;
        report.say(&format!("  shop       {}", setup.shop()));
        report.say(&format!("  mapping    {} → role VIP of server {guild}", setup.price));
        Ok(setup)
    }

    /// Runs one of this program's own commands, as an operator would.
    pub(super) async fn nexrole(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.database.nexrole(arguments).await
    }

    pub(super) async fn member(&self, name: &str) -> anyhow::Result<Member> {
        let member = self.scenario.member(name).await?;
        self.first_member.get_or_init(|| member.user);
        Ok(member)
    }

    /// A number from the database; `$1` is the member.
    pub(super) async fn count(&self, query: &'static str, member: &Member) -> anyhow::Result<i64> {
        let user = i64::try_from(member.user)?;
        Ok(sqlx::query_scalar(query).bind(user).fetch_one(&self.db).await?)
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

    /// For the visitor who stays. They have an account at Discord, and are in the server.
    pub(super) async fn invitation(&self) -> anyhow::Result<String> {
        self.discord.join(self.guild, VISITOR).await?;
        Ok(format!(
            "\nEverything stays up until Ctrl-C. See it in a browser: pay, log in as {VISITOR}, and the role arrives.\n  \
             {}\nLook around:\n  \
             DATABASE_URL='{}' \\\n    cargo run -q -- why --guild {} --member {}\n  \
             psql '{}'\n  curl -s {}/state          members, roles and Discord's audit log\n  \
             curl -s {}/events         what Stripe sent\n  logs: {}",
            self.shop(),
            self.database.url,
            self.guild,
            self.first_member.get().unwrap_or(&0),
            self.database.url,
            self.discord_server().control,
            self.stripe_server().control,
            self.logs()
        ))
    }

    /// Stops everything, in the order of dependence.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        if let Some(bot) = self.bot.into_inner() {
            bot.stop().await?;
        }
        self.gateway.stop().await?;
        self.scenario.stop().await;
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

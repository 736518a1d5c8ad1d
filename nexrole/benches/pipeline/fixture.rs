//! What the services run against. In: a program. Out: its database, migrated, both sandboxes with people and purchases, and a way to
//! start each service.

use std::{
    fs,
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use nexrole::children::{Plan, Service, free_port};
use sandbox::{
    Running,
    discord::{self, Limits},
    stripe,
};
use serde_json::json;
use shared::config::Env;
use sqlx::PgPool;
use testkit::scratch::Scratch;

use crate::{
    Program,
    database::{Postgres, command},
};

pub(crate) const SECRET: &str = "whsec_of_the_benchmark";
/// Guilds with jobs.
const GUILDS: usize = 4;
/// Subscriptions that events are about.
const SUBSCRIPTIONS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(300);
const POLL_EVERY: Duration = Duration::from_millis(5);
/// After this, a service has done what it does at its start.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);

/// A guild with members who are to get a role.
pub(crate) struct Guild {
    pub(crate) id: u64,
    /// Follows payments.
    pub(crate) role: u64,
    /// Is only observed.
    pub(crate) observed: u64,
    pub(crate) members: Vec<u64>,
}

/// Everything but the services.
pub(crate) struct Fixture<'p> {
    pub(crate) postgres: &'p Postgres,
    pub(crate) db: PgPool,
    pub(crate) discord: discord::Control,
    pub(crate) guilds: Vec<Guild>,
    pub(crate) subscriptions: Vec<String>,
    gateway: Plan,
    bot: Plan,
    sandboxes: (Running, Running),
}

impl<'p> Fixture<'p> {
    /// `jobs` members altogether.
    pub(crate) async fn set_up(scratch: &Scratch, program: &'p Program, jobs: usize) -> anyhow::Result<Self> {
        eprint!(" setting up");
        let url = program.postgres.create().await?;
        command(&program.path, &url, &["migrate"]).await?;
        let sandboxes = (
            discord::serve(discord::Options::default()).await?,
            // Without an address for webhooks: the events are ours.
            stripe::serve(stripe::Options::default()).await?,
        );
        let (discord, stripe) =
            (discord::Control::new(&sandboxes.0.url), stripe::Control::new(&sandboxes.1.url));
        discord.set_limits(Limits::none()).await?;
        let mut guilds = Vec::new();
        for number in 0..GUILDS {
            let id = discord.create_guild(None, &format!("Guild {number}")).await?;
            let role = discord.create_role(id, "VIP").await?;
            let observed = discord.create_role(id, "Observed").await?;
            let mut members = Vec::new();
            for _ in (number..jobs).step_by(GUILDS) {
                members.push(discord.join(id, "member").await?);
            }
            guilds.push(Guild { id, role, observed, members });
        }
        let product = stripe.create_product("VIP").await?;
        let price = stripe.create_price(&product, 900).await?;
        let mut subscriptions = Vec::new();
        for _ in 0..SUBSCRIPTIONS {
            let customer = stripe.create_customer(None, &[]).await?;
            // It never gives a role: what is measured is taking and reading.
            let params = json!({ "customer": customer, "prices": [price], "status": "incomplete" });
            subscriptions.push(stripe.subscribe_with(params).await?);
        }
        let guild = guilds[0].id.to_string();
        let role = discord.create_role(guilds[0].id, "Mapped").await?.to_string();
        let mapping = ["map", "add", "--guild", &guild, "--price", &price, "--role", &role];
        command(&program.path, &url, &mapping).await?;
        let env = Env::of([
            ("DATABASE_URL", url.as_str()),
            ("GUILD_ID", &guild),
            ("STRIPE_SECRET_KEY", stripe::KEY),
            ("STRIPE_WEBHOOK_SECRET", SECRET),
            ("STRIPE_API_URL", &sandboxes.1.url),
            ("DISCORD_TOKEN", "any-token"),
            ("DISCORD_API_URL", &sandboxes.0.url),
            ("METRICS_BIND", "127.0.0.1:0"),
        ]);
        let plan = |service: Service| {
            let listen = SocketAddr::from(([127, 0, 0, 1], free_port()?));
            let log = scratch.0.join(format!("{}.log", service.word()));
            fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
            anyhow::Ok(Plan {
                program: program.path.clone(),
                service,
                env: env.clone(),
                listen,
                log: Some(log),
            })
        };
        Ok(Self {
            postgres: &program.postgres,
            db: PgPool::connect(&url).await?,
            discord,
            guilds,
            subscriptions,
            gateway: plan(Service::Gateway)?,
            bot: plan(Service::Bot)?,
            sandboxes,
        })
    }

    pub(crate) fn webhook(&self) -> String {
        format!("http://{}/webhooks/stripe", self.gateway.listen)
    }

    /// Ready, and idle for a while.
    pub(crate) async fn start(&self, service: Service) -> anyhow::Result<nexrole::children::Running> {
        let plan = if service == Service::Gateway { &self.gateway } else { &self.bot };
        let running = plan.start_ready().await?;
        tokio::time::sleep(SETTLES_WITHIN).await;
        Ok(running)
    }

    /// A number from the database. The query says that it is ours.
    pub(crate) async fn number(&self, query: &'static str) -> anyhow::Result<i64> {
        debug_assert!(query.contains("/* benchmark */"), "it would be counted as the services': {query}");
        Ok(sqlx::query_scalar(query).fetch_one(&self.db).await?)
    }

    pub(crate) async fn until<F: Future<Output = anyhow::Result<bool>>>(
        &self,
        what: &str,
        held: impl Fn() -> F,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while !held().await? {
            ensure!(began.elapsed() < PATIENCE, "waited {} s in vain until {what}", PATIENCE.as_secs());
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    }

    /// The end of the services' logs.
    pub(crate) fn logs(&self) -> String {
        let last = |plan: &Plan| {
            let text = plan.log.as_ref().and_then(|log| fs::read_to_string(log).ok()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(10)..].join("\n")
        };
        format!("{}\n{}", last(&self.gateway), last(&self.bot))
    }

    pub(crate) async fn tear_down(self) -> anyhow::Result<()> {
        self.db.close().await;
        self.sandboxes.0.stop().await;
        self.sandboxes.1.stop().await;
        Ok(())
    }
}

//! A Discord server that sells its role VIP through Stripe, on sandboxes of both: what the demo tells of, and what the tests' world
//! and its harness begin with. In: who joins. Out: what Discord and the database then show.
//!
//! The database is read as its owner, for this is about a database of its own, never about a real one.

use std::{
    future::Future,
    net::SocketAddr,
    ops::RangeInclusive,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::ensure;
use sandbox::{
    Running,
    discord::{self, BOT_ID, Limits},
    stripe,
};
use serde_json::json;
use shared::config::Env;
use sqlx::PgPool;
use webhook_gateway::login::discord::CALLBACK;

use crate::children::{Plan, Service, free_port};

/// What does not hold within this never does.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks, the later the longer, so that looking costs little of what is waited for: a tenth of the time that was waited.
const LOOK_EVERY: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_millis(100);
/// Short, so that what a dead service held is soon free.
const LEASE_SECONDS: &str = "3";
/// Most work is told of; each look for what was not is work for the database, and many stories run at a time.
const POLL_SECONDS: &str = "0.3";
/// The sandbox takes any.
const DISCORD_TOKEN: &str = "any-token";
/// The application's, at the sandbox of Discord.
pub const CLIENT_SECRET: &str = "the-secret-of-the-application";

/// Sandboxes, with a server and its role at Discord, and a product with one price at Stripe. No service runs, nothing is mapped.
pub struct Scenario {
    /// Acts as Discord's people, and says what they see.
    pub discord: discord::Control,
    /// Acts as customers and owner of the Stripe account.
    pub stripe: stripe::Control,
    /// The services' database, as its owner sees it.
    pub db: PgPool,
    /// Asks services and sandboxes.
    pub http: reqwest::Client,
    /// The server.
    pub guild: u64,
    /// Its role VIP.
    pub vip: u64,
    /// The product VIP.
    pub product: String,
    /// Its price, 9.00 a month.
    pub price: String,
    gateway: SocketAddr,
    bot: SocketAddr,
    database_url: String,
    webhook_secret: String,
    sandboxes: (Running, Running),
}

/// A Discord member, and a Stripe customer whose metadata names them.
pub struct Member {
    /// At Discord.
    pub user: u64,
    /// At Stripe.
    pub customer: String,
}

impl Scenario {
    /// On a migrated database, which `db` owns.
    pub async fn start(
        database_url: &str,
        db: PgPool,
        webhook_secret: &str,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let gateway = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let bot = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let webhook_url = Some(webhook_url(gateway));
        let options =
            stripe::Options { port: 0, webhook_url, webhook_secret: Some(webhook_secret.to_owned()) };
        let stripe_server = stripe::serve(options).await?;
        let discord_server = discord::serve(discord::Options::default()).await?;
        let discord = discord::Control::new(&discord_server.url);
        let stripe = stripe::Control::new(&stripe_server.url);
        discord.set_limits(limits).await?;
        let guild = discord.create_guild(None, "Ana's studio").await?;
        let vip = discord.create_role(guild, "VIP").await?;
        // No event tells of what is sold.
        stripe.delivery(stripe::Mode::Drop).await?;
        let product = stripe.create_product("VIP").await?;
        let price = stripe.create_price(&product, 900).await?;
        stripe.delivery(stripe::Mode::Live).await?;
        Ok(Self {
            discord,
            stripe,
            db,
            http: reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?,
            guild,
            vip,
            product,
            price,
            gateway,
            bot,
            database_url: database_url.to_owned(),
            webhook_secret: webhook_secret.to_owned(),
            sandboxes: (discord_server, stripe_server),
        })
    }

    /// Ends both sandboxes, and the connections to the database.
    pub async fn stop(self) {
        self.db.close().await;
        self.sandboxes.0.stop().await;
        self.sandboxes.1.stop().await;
    }

    /// Where the sandbox of Discord is.
    pub fn discord_server(&self) -> &Running {
        &self.sandboxes.0
    }

    /// Where the sandbox of Stripe is.
    pub fn stripe_server(&self) -> &Running {
        &self.sandboxes.1
    }

    /// Where a service is to listen.
    pub fn address(&self, service: Service) -> SocketAddr {
        match service {
            Service::Gateway => self.gateway,
            Service::Bot => self.bot,
        }
    }

    /// Where Stripe's events go.
    pub fn webhook_url(&self) -> String {
        webhook_url(self.gateway)
    }

    /// What tells both services where everything is; where they listen and how patient they are is theirs.
    pub fn variables(&self) -> [(&'static str, String); 7] {
        [
            ("DATABASE_URL", self.database_url.clone()),
            ("GUILD_ID", self.guild.to_string()),
            ("STRIPE_SECRET_KEY", stripe::KEY.to_owned()),
            ("STRIPE_WEBHOOK_SECRET", self.webhook_secret.clone()),
            ("STRIPE_API_URL", self.stripe_server().url.clone()),
            ("DISCORD_TOKEN", DISCORD_TOKEN.to_owned()),
            ("DISCORD_API_URL", self.discord_server().url.clone()),
        ]
    }

    /// Where the gateway's pages are for a browser: not at the address of the sandboxes, so that they are another site's, as Stripe and
    /// Discord are.
    pub fn pages(&self) -> String {
        format!("http://localhost:{}", self.gateway.port())
    }

    /// Where a browser finds what is for sale.
    pub fn shop(&self) -> String {
        format!("{}/shop", self.stripe_server().url)
    }

    /// People can log in on pages at `origin`. Out: what the gateway is told of that.
    pub async fn set_up_login(&self, origin: &str) -> anyhow::Result<[(&'static str, String); 3]> {
        let callback = format!("{origin}{CALLBACK}");
        let settings = json!({ "client_secret": CLIENT_SECRET, "redirect_uris": [callback] });
        self.discord.set_oauth(settings).await?;
        Ok([
            ("PUBLIC_URL", origin.to_owned()),
            ("DISCORD_CLIENT_ID", BOT_ID.to_string()),
            ("DISCORD_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ])
    }

    /// A Payment Link in the shop that sells the price, and then leads to the page on which it is claimed. No event tells of it.
    pub async fn set_up_shop(&self) -> anyhow::Result<String> {
        self.stripe.delivery(stripe::Mode::Drop).await?;
        let link = json!({ "price": self.price, "redirect_url": self.claim_address() });
        let link = self.stripe.create_payment_link(link).await?;
        self.stripe.delivery(stripe::Mode::Live).await?;
        Ok(link)
    }

    /// A Payment Link for something that is bought once, of which Stripe keeps a customer.
    pub async fn sells_coffee(&self) -> anyhow::Result<String> {
        self.stripe.delivery(stripe::Mode::Drop).await?;
        let product = self.stripe.create_product("A cup of coffee").await?;
        let price = json!({ "product": product, "unit_amount": 300, "type": "one_time" });
        let price = self.stripe.create_price_with(price).await?;
        let link =
            json!({ "price": price, "customer_creation": "always", "redirect_url": self.claim_address() });
        let link = self.stripe.create_payment_link(link).await?;
        self.stripe.delivery(stripe::Mode::Live).await?;
        Ok(link)
    }

    /// Where a Payment Link leads after paying, as Stripe wants it written.
    fn claim_address(&self) -> String {
        format!("{}/claim?session_id={{CHECKOUT_SESSION_ID}}", self.pages())
    }

    /// The same, for services that are in a hurry.
    pub fn service_env(&self) -> Env {
        let variables = self.variables();
        Env::from_pairs(variables.iter().map(|(name, value)| (*name, value.as_str())))
            .with("LEASE_SECONDS", LEASE_SECONDS)
            .with("POLL_SECONDS", POLL_SECONDS)
            .with("METRICS_BIND", "127.0.0.1:0")
    }

    /// How to start a service as a process of its own.
    pub fn plan(&self, service: Service, program: PathBuf, log: PathBuf) -> Plan {
        Plan { program, service, env: self.service_env(), listen: self.address(service), log: Some(log) }
    }

    /// Somebody joins the server, and Stripe gets a customer whose metadata names them.
    pub async fn member(&self, name: &str) -> anyhow::Result<Member> {
        let user = self.discord.join(self.guild, name).await?;
        let id = user.to_string();
        let customer = self.stripe.create_customer(None, &[("discord_user_id", &id)]).await?;
        Ok(Member { user, customer })
    }

    /// Whether they have this role at Discord.
    pub async fn has(&self, member: &Member, role: u64) -> anyhow::Result<bool> {
        let roles = self.discord.member_roles(self.guild, member.user).await?;
        Ok(roles.is_some_and(|roles| roles.contains(&role)))
    }

    /// Whether they have VIP.
    pub async fn has_vip(&self, member: &Member) -> anyhow::Result<bool> {
        self.has(member, self.vip).await
    }

    /// Waits for the role at Discord, and until our database says so too. Out: how long Discord took.
    pub async fn until_vip(&self, member: &Member) -> anyhow::Result<Duration> {
        let what = format!("member {} has VIP", member.user);
        let took = until(&what, async || self.has_vip(member).await).await?;
        self.settle().await?;
        Ok(took)
    }

    /// The same, of its end.
    pub async fn until_no_vip(&self, member: &Member) -> anyhow::Result<Duration> {
        let what = format!("member {} has lost VIP", member.user);
        let took = until(&what, async || Ok(!self.has_vip(member).await?)).await?;
        self.settle().await?;
        Ok(took)
    }

    /// Waits until every object is read, and every job is done or parked; fails with what still waits.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let unsettled = self.unsettled().await?;
            if unsettled.is_empty() {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "not settled: {unsettled:#?}");
            look_again(began).await;
        }
    }

    /// Jobs that are to be done, and objects that are to be read, each with when and why.
    pub async fn unsettled(&self) -> anyhow::Result<Vec<String>> {
        let open = "SELECT format('%s of member %s due in %s s: %s', action, user_id,
                                  extract(epoch FROM due_at - now())::int, outcome)
                      FROM role_jobs WHERE state = 'pending'
                     UNION ALL
                    SELECT format('read of %s due in %s s after %s failures: %s', object_id,
                                  extract(epoch FROM next_at - now())::int, attempts, last_error)
                      FROM stripe_sync WHERE next_at IS NOT NULL AND (dirty_seq > 0 OR next_at <= now())";
        Ok(sqlx::query_scalar(open).fetch_all(&self.db).await?)
    }

    /// What the audit log says of a member's roles, oldest first.
    pub async fn role_history(&self, member: &Member) -> anyhow::Result<Vec<String>> {
        let query =
            "SELECT action FROM audit_log WHERE user_id = $1 AND action LIKE 'role.%' ORDER BY audit_id";
        Ok(sqlx::query_scalar(query).bind(i64::try_from(member.user)?).fetch_all(&self.db).await?)
    }
}

fn webhook_url(gateway: SocketAddr) -> String {
    format!("http://{gateway}/webhooks/stripe")
}

/// Waits until it holds; fails with what was waited for. Out: how long that took.
pub async fn until<F>(what: &str, holds: impl Fn() -> F) -> anyhow::Result<Duration>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let began = Instant::now();
    while !holds().await? {
        ensure!(began.elapsed() < PATIENCE, "waited {} s in vain until {what}", PATIENCE.as_secs());
        look_again(began).await;
    }
    Ok(began.elapsed())
}

async fn look_again(began: Instant) {
    tokio::time::sleep((began.elapsed() / 10).clamp(*LOOK_EVERY.start(), *LOOK_EVERY.end())).await;
}

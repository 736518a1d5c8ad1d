//! A whole Nexrole for one scenario: database, sandboxes, gateway and bot in this process, on real sockets.
//!
//! In: what Stripe and Discord do. Out: what they and our database show. On `finish` the world itself asserts that the
//! queue is drained or parked, and that behind each role change of the bot stands an audit entry; on `close`, that every call
//! to Discord and every answer is as Discord's own description says.

mod commands;
mod facts;
mod payers;
mod rows;
mod time;

pub(crate) use facts::{Active, Audited, Event, Gate, Grant, Job, MappedRole, Read, RoleList};
pub(crate) use nexrole::scenario::Member;
pub(crate) use payers::Payer;
pub(crate) use rows::{AuditLine, Payment, Write};

use std::{
    future::Future,
    ops::{Deref, DerefMut},
    time::Duration,
};

use bot::discord::{ROUTES, inspect};
use nexrole::{
    children,
    scenario::{self, Scenario},
};
use sandbox::{
    Request,
    discord::{Action, Actor, Limits},
};
use shared::{
    config::Env,
    db::{pg_roles::Login, pool::Pool, tenant::Tenant},
    ids::GuildId,
};
use sqlx::PgPool;
use testkit::openapi::{self, Checked};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::cluster::Database;

pub(crate) const SECRET: &str = "whsec_of_the_world";
/// Most stories are not about how many reads something costs, and need not wait so long for the second one.
const READ_SPACING: Duration = Duration::from_millis(100);
/// To the database, for each service: each one costs a process that knows no table yet, and most stories last seconds.
const CONNECTIONS: u32 = 2;
/// A minute of the bot's, for stories that wait for one.
const SEARCH_EVERY: Duration = Duration::from_secs(2);

/// A service that runs in this process.
struct Service {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.task.await.expect("the service does not panic")
    }
}

/// A scenario, and what is done and checked around it.
pub(crate) struct World {
    scenario: Scenario,
    pub(crate) gateway_url: String,
    /// Where the bot's health is.
    pub(crate) bot_url: String,
    database: Database,
    env: Env,
    gateway: Option<Service>,
    bot: Option<Service>,
}

impl Deref for World {
    type Target = Scenario;

    fn deref(&self) -> &Scenario {
        &self.scenario
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Scenario {
        &mut self.scenario
    }
}

impl World {
    /// Everything up, one price mapped to one role.
    pub(crate) async fn start() -> Self {
        let mut world = Self::without_services().await;
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world.start_bot().await;
        world.until_every_mapped_role_is_seen().await;
        world
    }

    /// Database and sandboxes; no service, no mapping.
    pub(crate) async fn without_services() -> Self {
        Self::on(Database::create().await).await
    }

    /// The same, on this database.
    pub(crate) async fn on(database: Database) -> Self {
        // `RUST_LOG=debug cargo test …` shows what the services say.
        if Env::from_process().get("RUST_LOG").is_some() {
            shared::telemetry::init(&Env::from_process());
        }
        let (url, pool) = (database.url.as_str(), database.pool.clone());
        let scenario = Scenario::start(url, pool, SECRET, Limits::none()).await.expect("a scenario");
        let env = scenario
            .service_env()
            .with("BIND", &scenario.address(children::Service::Gateway).to_string())
            .with("ENCRYPTION_KEYS", crate::support::tenants::ENCRYPTION_KEYS);
        let gateway_url = format!("http://{}", scenario.address(children::Service::Gateway));
        let bot_url = format!("http://{}", scenario.address(children::Service::Bot));
        let (gateway, bot) = (None, None);
        Self { scenario, gateway_url, bot_url, database, env, gateway, bot }
    }

    /// What services outside this process are told; where they listen and how patient they are is theirs.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let given = self.scenario.variables().map(|(name, _)| (name, self.env.get(name)));
        given.into_iter().map(|(name, value)| (name, value.expect("it is set"))).collect()
    }

    /// Changes the services' environment, before they start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env = self.env.clone().with(name, value);
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The database, without a detour.
    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }

    pub(crate) fn gateway_config(&self) -> webhook_gateway::config::Config {
        let config = webhook_gateway::config::Config::read(&self.env).expect("the configuration is good");
        webhook_gateway::config::Config { connections: CONNECTIONS, read_spacing: READ_SPACING, ..config }
    }

    fn bot_config(&self, bind: &str) -> bot::config::Config {
        let config = bot::config::Config::read(&self.env.clone().with("BIND", bind));
        let config = config.expect("the configuration is good");
        bot::config::Config { connections: CONNECTIONS, search: SEARCH_EVERY, ..config }
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn begin_gateway(&mut self) {
        self.begin_gateway_with(|_| {});
    }

    /// The same, with what no variable says.
    fn begin_gateway_with(&mut self, change: impl FnOnce(&mut webhook_gateway::config::Config)) {
        let mut config = self.gateway_config();
        change(&mut config);
        let stop = CancellationToken::new();
        let task = tokio::spawn(webhook_gateway::run(config, stop.clone()));
        self.gateway = Some(Service { stop, task });
    }

    pub(crate) async fn start_gateway(&mut self) {
        self.start_gateway_with(|_| {}).await;
    }

    /// With what no variable says.
    pub(crate) async fn start_gateway_with(
        &mut self,
        change: impl FnOnce(&mut webhook_gateway::config::Config),
    ) {
        self.begin_gateway_with(change);
        let url = format!("{}/readyz", self.gateway_url);
        self.until("the gateway is ready", async || {
            self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        // Ready for any tenant; the configured one is known, and its account was checked, a moment later.
        let listed = async || self.cursors_where(|cursor| cursor.was_listed).await;
        self.until("the first contact with Stripe is made", async || listed().await == 1).await;
        self.until("the configured connection is known", async || {
            let answer = self.http.post(format!("{}/webhooks/stripe", self.gateway_url)).send().await;
            answer.is_ok_and(|answer| answer.status() == 400)
        })
        .await;
        // So that no test counts that read among those that it is about.
        self.until("the customer portal was looked for", async || self.portals_to_read().await == 0).await;
    }

    pub(crate) async fn start_bot(&mut self) {
        let bind = self.bot_url.trim_start_matches("http://");
        let config = self.bot_config(bind);
        let stop = CancellationToken::new();
        let task = tokio::spawn(bot::run(config, stop.clone()));
        self.bot = Some(Service { stop, task });
    }

    /// It ends at once, in the middle of whatever it does.
    pub(crate) async fn kill_gateway(&mut self) {
        let gateway = self.gateway.take().expect("it runs");
        gateway.task.abort();
        drop(gateway.task.await);
    }

    /// Another process of the bot beside the first, with the same database; it ends when it is told to.
    pub(crate) fn another_bot(&self) -> (CancellationToken, JoinHandle<anyhow::Result<()>>) {
        let config = self.bot_config("127.0.0.1:0");
        let stop = CancellationToken::new();
        (stop.clone(), tokio::spawn(bot::run(config, stop)))
    }

    /// A clean stop, as at a deploy.
    pub(crate) async fn stop_gateway(&mut self) {
        self.gateway.take().expect("it runs").end().await.expect("the gateway ends well");
    }

    pub(crate) async fn stop_bot(&mut self) -> anyhow::Result<()> {
        self.bot.take().expect("it runs").end().await
    }

    /// Waits for the bot to end by itself.
    pub(crate) async fn bot_ends(&mut self) -> anyhow::Result<()> {
        self.bot.take().expect("it runs").task.await.expect("no panic")
    }

    pub(crate) fn db(&self) -> &PgPool {
        &self.database.pool
    }

    /// Connections as a service has them.
    pub(crate) fn login(&self, login: Login) -> Pool {
        self.database.login(login)
    }

    /// A transaction of the gateway's for any guild.
    pub(crate) async fn tenant(&self, guild: GuildId) -> Tenant {
        self.database.tenant(guild).await
    }

    pub(crate) async fn member(&self) -> Member {
        self.scenario.member("member").await.expect("they join")
    }

    pub(crate) async fn subscribes(&self, member: &Member) -> String {
        self.stripe.subscribe(&member.customer, &self.price).await.expect("subscribes")
    }

    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, held: impl Fn() -> F) {
        let holds = || {
            let held = held();
            async { Ok(held.await) }
        };
        if let Err(error) = scenario::until(what, holds).await {
            panic!("{error:#}");
        }
    }

    pub(crate) async fn has(&self, member: &Member, role: u64) -> bool {
        self.scenario.has(member, role).await.expect("Discord answers")
    }

    pub(crate) async fn until_vip(&self, member: &Member) {
        self.scenario.until_vip(member).await.expect("they are given it");
    }

    pub(crate) async fn until_no_vip(&self, member: &Member) {
        self.scenario.until_no_vip(member).await.expect("it is taken");
    }

    /// Every accepted event is answered by a read, every job is done or parked.
    pub(crate) async fn settle(&self) {
        self.scenario.settle().await.expect("it comes to rest");
    }

    /// What the audit log says of a member's roles, oldest first.
    pub(crate) async fn role_history(&self, member: &Member) -> Vec<String> {
        self.scenario.role_history(member).await.expect("the query is good")
    }

    /// Waits until the gateway has heard everything that Stripe had to say so far, and all of it is settled.
    pub(crate) async fn heard(&self) {
        self.recorded().await;
        self.settle().await;
    }

    /// Waits until the gateway has heard everything that Stripe had to say so far.
    pub(crate) async fn recorded(&self) {
        let said = self.stripe.events().await.expect("Stripe answers");
        // The shop is not told of, and that somebody is a customer is not asked for where events are polled.
        let untold = ["product.created", "price.created", "customer.created"];
        let news = said.iter().filter(|event| !untold.iter().any(|name| event["type"] == *name));
        let ids: Vec<String> = news.filter_map(|event| Some(event["id"].as_str()?.to_owned())).collect();
        self.until("every event is recorded", async || self.events_missing(&ids).await.is_empty()).await;
    }

    /// Calls to Discord that this holds of.
    pub(crate) async fn discord_calls_where(&self, fits: impl Fn(&Request) -> bool) -> usize {
        self.discord.requests().await.expect("Discord answers").iter().filter(|call| fits(call)).count()
    }

    /// How often Discord was called, by method and part of the path.
    pub(crate) async fn discord_calls(&self, method: &str, part: &str) -> usize {
        self.discord_calls_where(|call| call.method == method && call.path.contains(part)).await
    }

    /// Role calls that the bot made, as `METHOD status`.
    pub(crate) async fn role_calls(&self) -> Vec<String> {
        let requests = self.discord.requests().await.expect("Discord answers");
        let role_calls =
            requests.iter().filter(|request| request.path.contains("/roles/") && request.method != "GET");
        role_calls.map(|request| format!("{} {}", request.method, request.status.unwrap_or(0))).collect()
    }

    pub(crate) fn webhook(&self) -> String {
        format!("{}/webhooks/stripe", self.gateway_url)
    }

    /// Posts a body as Stripe would, correctly signed.
    pub(crate) async fn post_signed(&self, body: &[u8]) -> reqwest::Response {
        let signature = self.stripe.sign(body).await.expect("signed");
        self.post(body, Some(&signature)).await
    }

    pub(crate) async fn post(&self, body: &[u8], signature: Option<&str>) -> reqwest::Response {
        let mut request = self.http.post(format!("{}/webhooks/stripe", self.gateway_url)).body(body.to_vec());
        if let Some(signature) = signature {
            request = request.header("Stripe-Signature", signature);
        }
        request.send().await.expect("the gateway answers")
    }

    /// The end of a scenario: what must hold after any story.
    pub(crate) async fn finish(self) {
        self.settle().await;
        let at_discord = self.discord.audit_log(self.guild).await.expect("Discord answers");
        let by_us: Vec<_> = at_discord.iter().filter(|entry| entry.actor == Actor::Bot).collect();
        let mut changes: Vec<_> =
            by_us.iter().map(|entry| (entry.user_id, entry.role_id, word(entry.action))).collect();
        let mut audited: Vec<_> = self.audited_changes().await;
        changes.sort_unstable();
        audited.sort_unstable();
        assert_eq!(changes, audited, "changes at Discord against entries in our audit log");
        for entry in by_us {
            assert!(entry.reason.as_ref().is_some_and(|reason| reason.starts_with("Nexrole: ")), "{entry:?}");
        }
        assert_eq!(self.unanswered_events().await, 0, "an accepted event was not processed");
        self.close().await;
    }

    /// Every call to Discord so far, held against Discord's description, if that is at hand.
    pub(crate) async fn checked(&self) -> Option<Checked> {
        let description = openapi::discord()?;
        Some(description.check(&self.discord.transcripts().await.expect("Discord answers")))
    }

    /// The end of a scenario that breaks what `finish` asserts.
    pub(crate) async fn close(mut self) {
        if let Some(bot) = self.bot.take() {
            bot.end().await.expect("the bot ends well");
        }
        if let Some(gateway) = self.gateway.take() {
            gateway.end().await.expect("the gateway ends well");
        }
        if let Some(checked) = self.checked().await {
            assert!(
                checked.problems.is_empty(),
                "against Discord's description:\n{}",
                checked.problems.join("\n")
            );
            let known = |(method, path): &(String, String)| {
                let route = (method.as_str(), path.as_str());
                ROUTES.contains(&route)
                    || inspect::ROUTES.contains(&route)
                    || webhook_gateway::login::discord::ROUTES.contains(&route)
            };
            let unknown: Vec<_> = checked.routes.keys().filter(|route| !known(route)).collect();
            assert!(unknown.is_empty(), "routes that neither the bot nor a login calls: {unknown:?}");
        }
        self.scenario.stop().await;
        self.database.remove().await;
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::RoleAdd => "add",
        Action::RoleRemove => "remove",
    }
}

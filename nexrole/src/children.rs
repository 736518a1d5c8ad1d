//! The services as child processes of this program: the same executable, started through a hidden subcommand, each with
//! an allow-list of variables: the gateway never sees the bot token, nor the bot a Stripe secret.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use shared::config::Env;
use tokio::process::{Child, Command};

/// A child must answer its health check within this.
const START_WITHIN: Duration = Duration::from_secs(30);
const CHECK_EVERY: Duration = Duration::from_millis(20);
/// After SIGTERM; then it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(10);

const FIRST_PORT: u32 = 15_000;
const PORTS: u32 = 15_000;

/// One of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Takes Stripe's events.
    Gateway,
    /// Changes roles.
    Bot,
}

impl Service {
    /// The word of its hidden subcommand.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Bot => "bot",
        }
    }

    /// The variables that it may see.
    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &[
                "DATABASE_URL",
                "DATABASE_PRIVATE_HOST",
                "TRUSTED_PROXY_HOPS",
                "PUBLIC_URL",
                "SECURITY_CONTACT",
                "SMTP_URL",
                "SMTP_CA",
                "MAIL_FROM",
                "ENCRYPTION_KEYS",
                "STRIPE_API_URL",
                "GUILD_ID",
                "STRIPE_SECRET_KEY",
                "STRIPE_WEBHOOK_SECRET",
                "DISCORD_API_URL",
                "DISCORD_CLIENT_ID",
                "DISCORD_CLIENT_SECRET",
                "LEASE_SECONDS",
                "POLL_SECONDS",
                "EVENTS_POLL_SECONDS",
                "METRICS_BIND",
                "RUST_LOG",
                "LOG_FORMAT",
            ],
            Self::Bot => &[
                "DATABASE_URL",
                "DATABASE_PRIVATE_HOST",
                "ENCRYPTION_KEYS",
                "DISCORD_TOKEN",
                "DISCORD_API_URL",
                "GUILD_ID",
                "WORKER_CONCURRENCY",
                "METRICS_BIND",
                "LEASE_SECONDS",
                "POLL_SECONDS",
                "RUST_LOG",
                "LOG_FORMAT",
            ],
        }
    }
}

/// How to start a service.
#[derive(Clone)]
pub struct Plan {
    /// This program.
    pub program: PathBuf,
    pub service: Service,
    /// What it is told; filtered by its allow-list.
    pub env: Env,
    /// Its HTTP address.
    pub listen: SocketAddr,
    /// Where its log goes, appended; `None`: where ours goes.
    pub log: Option<PathBuf>,
}

pub struct Running {
    child: Child,
    service: Service,
}

impl Plan {
    /// Starts it, and waits until it is ready.
    pub async fn start_ready(&self) -> anyhow::Result<Running> {
        let mut running = self.start()?;
        let log = self.log.as_ref().map(|log| format!("; its log is {}", log.display())).unwrap_or_default();
        // On all interfaces means on loopback too.
        let address = SocketAddr::from(([127, 0, 0, 1], self.listen.port()));
        let address = if self.listen.ip().is_unspecified() { address } else { self.listen };
        running.wait_ready(&format!("http://{address}/readyz"), &log).await?;
        Ok(running)
    }

    pub fn start(&self) -> anyhow::Result<Running> {
        let word = self.service.word();
        let log = match &self.log {
            Some(path) => {
                let file = File::options().create(true).append(true).open(path);
                Stdio::from(file.with_context(|| format!("cannot write {}", path.display()))?)
            }
            None => Stdio::inherit(),
        };
        let mut command = Command::new(&self.program);
        let parent = std::process::id().to_string();
        command.args(["service", word, "--parent", &parent]).env_clear().env("BIND", self.listen.to_string());
        for name in self.service.variables() {
            for name in [(*name).to_owned(), format!("{name}_FILE")] {
                if let Some(value) = self.env.get(&name) {
                    command.env(name, value);
                }
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C is for the parent, which stops its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {word}"))?;
        Ok(Running { child, service: self.service })
    }
}

impl Running {
    /// Its process id; `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    async fn wait_ready(&mut self, url: &str, log: &str) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
        let (began, word) = (Instant::now(), self.service.word());
        while began.elapsed() < START_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                bail!("the {word} ended at once ({status}){log}");
            }
            match http.get(url).send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                // Not listening yet, or still waiting for the database.
                Ok(_) | Err(_) => tokio::time::sleep(CHECK_EVERY).await,
            }
        }
        bail!("the {word} was not ready within {} s{log}", START_WITHIN.as_secs())
    }

    /// `kill -9`: no chance to clean up.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill the {}", self.service.word()))
    }

    /// SIGTERM, and waits; killed if it takes too long.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let word = self.service.word();
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .with_context(|| format!("cannot stop the {word}"))?;
        }
        match tokio::time::timeout(STOP_WITHIN, self.child.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(|status| status.success()) => Ok(()),
            Ok(status) => bail!("the {word} ended with {}", status?),
            Err(_) => {
                self.child.kill().await?;
                bail!("the {word} did not stop within {} s and was killed", STOP_WITHIN.as_secs())
            }
        }
    }
}

/// A port that nobody uses just now, for a service that is told where to listen. From below the range that the kernel
/// itself hands out: otherwise somebody's outgoing connection could take it before the service does.
pub fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    for _ in 0..PORTS {
        let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let port = u16::try_from(FIRST_PORT + step)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between {FIRST_PORT} and {} is free", FIRST_PORT + PORTS)
}

/// Runs a service in this process: what the hidden subcommand does. It ends when its parent does, also after kill -9.
pub async fn serve(service: Service, env: &Env) -> anyhow::Result<()> {
    let stop = tokio_util::sync::CancellationToken::new();
    shared::shutdown::on_signal(stop.clone());
    match service {
        Service::Gateway => webhook_gateway::run(webhook_gateway::config::Config::read(env)?, stop).await,
        Service::Bot => bot::run(bot::config::Config::read(env)?, stop).await,
    }
}

/// Asks the kernel to end this process with its parent. Call it first of all, on the main thread.
pub fn end_with_parent(parent: u32) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        set_parent_process_death_signal(Some(Signal::TERM))?;
        let alive = getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok()) == Some(parent);
        // It may have died before the kernel was asked.
        anyhow::ensure!(alive, "the process that started this one is gone");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    Ok(())
}

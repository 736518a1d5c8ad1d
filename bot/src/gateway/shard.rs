//! One shard: a session that outlives its connections. In: the Gateway's events. Out: hints and commands, handed on; and after
//! every end of a connection another one, in its time.

use std::time::{Duration, Instant};

use metrics::counter;
use reqwest::Url;
use secrecy::ExposeSecret;
use serde_json::{Value, json, value::RawValue};
use shared::{
    clock,
    domain::delivery::outcome::CallOutcome,
    metrics::{GATEWAY_ENDS, GATEWAY_IDENTIFIES},
};
use tokio::time::{sleep, timeout_at};

use super::{
    connection::{Connection, Heard},
    dispatch::Dispatch,
    end::{End, Next},
    pace::{Pace, Way},
};
use crate::discord::client::GatewayAdvice;

/// READY, or the first of what was missed.
const SESSION_WITHIN: Duration = Duration::from_secs(60);
/// Discord takes one IDENTIFY in five seconds (`max_concurrency` lets big bots send more; we do not).
const BETWEEN_IDENTIFIES: Duration = Duration::from_secs(5);
/// A session that cannot be resumed so often is given up.
const RESUMES: u32 = 3;
/// Until `GET /gateway/bot` has an answer.
const PATIENCE: Duration = Duration::from_secs(15);
const AFTER_REFUSED_TOKEN: Duration = Duration::from_secs(300);
/// The Gateway's version, which our frames are written for.
const VERSION: &str = "v=10&encoding=json";

/// Ends the session, too.
const GOOD_BYE: u16 = 1000;
/// Ends the connection only.
const RESUMABLE: u16 = 4000;

/// What can be resumed.
struct Session {
    id: String,
    url: String,
    sequence: Option<u64>,
    /// RESUMEs in a row that failed.
    failed: u32,
}

pub(super) struct Shard<'a> {
    dispatch: &'a Dispatch,
    index: u32,
    total: u32,
    pace: Pace,
    session: Option<Session>,
    /// What was just said about connecting: good for the first session.
    advice: Option<GatewayAdvice>,
}

/// Why a shard is not connected any more.
pub(super) enum Ended {
    Stopped,
    /// The number of shards is not right any more.
    Reshard,
}

/// How far a connection came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Asked,
    Established,
}

impl<'a> Shard<'a> {
    pub(super) fn new(dispatch: &'a Dispatch, index: u32, total: u32, advice: Option<GatewayAdvice>) -> Self {
        Self { dispatch, index, total, pace: Pace::new(Instant::now()), session: None, advice }
    }

    /// Connected until the service stops, as far as the Gateway lets it.
    pub(super) async fn run(&mut self) -> Ended {
        let stop = self.dispatch.stop.clone();
        while !stop.is_cancelled() {
            let way = if self.session.is_some() { Way::Resume } else { Way::Identify };
            let wait = self.pace.wait(way, Instant::now(), clock::jitter());
            let mut stage = Stage::Connecting;
            let advice = self.advice.take();
            let connecting = async {
                sleep(wait).await;
                self.connect(advice).await
            };
            let Some(connected) = stop.run_until_cancelled(connecting).await else { break };
            let end = match connected {
                Ok(connection) => Some(self.listen_until_its_end(connection, &mut stage).await),
                Err(end) => end,
            };
            if stop.is_cancelled() {
                break;
            }
            if let Some(end) = end {
                counter!(GATEWAY_ENDS, "end" => end.word()).increment(1);
                self.dispatch.connected.down(self.index, format!("Discord {end}"));
                tracing::info!(shard = self.index, %end, "a Gateway connection ended; role changes go on");
            }
            if self.consequence(way, stage, end) {
                return Ended::Reshard;
            }
        }
        Ended::Stopped
    }

    /// Whether the number of shards must be asked for again.
    fn consequence(&mut self, way: Way, stage: Stage, end: Option<End>) -> bool {
        let invalid = matches!(end, Some(End::Invalid { .. }));
        if invalid {
            self.pace.invalid();
        }
        match stage {
            Stage::Connecting => self.pace.unreachable(),
            // A session that is not there any more is no refusal: the next one is new.
            Stage::Asked if way == Way::Resume && invalid => {}
            Stage::Asked => self.pace.refused(),
            Stage::Established => {}
        }
        if let Some(session) = &mut self.session {
            session.failed = if stage == Stage::Established { 0 } else { session.failed + 1 };
            // Where nobody can be reached the session may still be there.
            if stage == Stage::Asked && session.failed >= RESUMES {
                self.session = None;
            }
        }
        match end.map_or(Next::Resume, End::next) {
            Next::Resume => {}
            Next::Identify => self.session = None,
            Next::IdentifyWithoutMembers => {
                self.session = None;
                if !self.dispatch.forgo_members_intent() {
                    self.pace.hopeless();
                }
            }
            Next::Hopeless => {
                self.session = None;
                self.pace.hopeless();
            }
            Next::Reshard => return true,
        }
        false
    }

    /// A connection that has said IDENTIFY or RESUME. `None`: it was not begun.
    async fn connect(&self, advice: Option<GatewayAdvice>) -> Result<Connection, Option<End>> {
        let Some(session) = &self.session else { return self.identify(advice).await };
        let mut connection = Connection::open(&session.url, clock::jitter()).await?;
        let d = json!({
            "token": self.dispatch.token.expose_secret(), "session_id": session.id,
            "seq": session.sequence.unwrap_or_default(),
        });
        connection.say(&json!({ "op": 6, "d": d })).await?;
        Ok(connection)
    }

    async fn listen_until_its_end(&mut self, mut connection: Connection, stage: &mut Stage) -> End {
        *stage = Stage::Asked;
        let stop = self.dispatch.stop.clone();
        let heard = stop.run_until_cancelled(self.listen(&mut connection, stage)).await;
        let (end, code) = match heard {
            Some(Err(end)) => (end, RESUMABLE),
            Some(Ok(never)) => match never {},
            None => (End::Broken, GOOD_BYE),
        };
        connection.close(code).await;
        end
    }

    /// A connection that has said IDENTIFY.
    async fn identify(&self, advice: Option<GatewayAdvice>) -> Result<Connection, Option<End>> {
        let url = self.permitted(advice).await?;
        // Held until five seconds after: one shard at a time.
        let mut last = self.dispatch.identified.lock().await;
        if let Some(at) = *last {
            sleep(BETWEEN_IDENTIFIES.saturating_sub(at.elapsed())).await;
        }
        let mut connection = Connection::open(&url, clock::jitter()).await?;
        let d = json!({
            "token": self.dispatch.token.expose_secret(), "intents": self.dispatch.intents(),
            "properties": { "os": std::env::consts::OS, "browser": "nexrole", "device": "nexrole" },
            "compress": false, "large_threshold": 50, "shard": [self.index, self.total],
        });
        *last = Some(Instant::now());
        counter!(GATEWAY_IDENTIFIES).increment(1);
        connection.say(&json!({ "op": 2, "d": d })).await?;
        Ok(connection)
    }

    /// The Gateway's address, once the day's budget allows another IDENTIFY. Asked for each time: the budget outlives us.
    async fn permitted(&self, mut known: Option<GatewayAdvice>) -> Result<String, Option<End>> {
        let mut again = false;
        loop {
            let GatewayAdvice { url, budget, .. } = match known.take() {
                Some(advice) => advice,
                None => ask(self.dispatch, self.index).await.ok_or(None)?,
            };
            let wait = budget.map_or(Duration::ZERO, |budget| budget.wait(again));
            if wait.is_zero() {
                return address(&url, &self.dispatch.api_url).ok_or(Some(End::Unreachable));
            }
            let left = match budget.map(|budget| budget.remaining) {
                Some(0) => "no IDENTIFY is left today".to_owned(),
                left => format!("only {} IDENTIFYs are left today", left.unwrap_or_default()),
            };
            let because = format!("{left}, the next is in {} s", wait.as_secs());
            tracing::warn!(shard = self.index, because, "the Gateway connection waits");
            self.dispatch.connected.down(self.index, because);
            sleep(wait).await;
            again = true;
        }
    }

    async fn listen(
        &mut self,
        connection: &mut Connection,
        stage: &mut Stage,
    ) -> Result<std::convert::Infallible, End> {
        let limit = tokio::time::Instant::now() + SESSION_WITHIN;
        loop {
            let sequence = self.session.as_ref().and_then(|session| session.sequence);
            let hearing = connection.hear(sequence);
            let heard = if *stage == Stage::Established {
                hearing.await?
            } else {
                timeout_at(limit, hearing).await.map_err(|_| End::Silent)??
            };
            match heard {
                Heard::Reconnect => return Err(End::Reconnect),
                Heard::Invalid { resumable } => return Err(End::Invalid { resumable }),
                Heard::Event { sequence, kind, data } => {
                    match kind.as_str() {
                        "READY" => self.begin(&data),
                        "RESUMED" => tracing::info!(shard = self.index, "the Gateway session goes on"),
                        _ => self.dispatch.take(&kind, data),
                    }
                    if let (Some(session), Some(sequence)) = (&mut self.session, sequence) {
                        session.sequence = session.sequence.max(Some(sequence));
                    }
                    // Of a RESUME what was missed comes first. It may be what we cannot bear: only its end is a success.
                    if kind == "READY" || kind == "RESUMED" {
                        *stage = Stage::Established;
                        self.pace.established();
                        self.dispatch.connected.up(self.index);
                    }
                }
            }
        }
    }

    /// What READY says; each field for itself, so that none is lost for another's sake.
    fn begin(&mut self, data: &RawValue) {
        let ready: Value = serde_json::from_str(data.get()).unwrap_or_default();
        let url = ready["resume_gateway_url"].as_str();
        let url = url.and_then(|url| address(url, &self.dispatch.api_url));
        self.session = match (ready["session_id"].as_str(), url) {
            (Some(id), Some(url)) => Some(Session { id: id.to_owned(), url, sequence: None, failed: 0 }),
            // It hears events all the same, and begins anew after its end.
            _ => None,
        };
        tracing::info!(shard = self.index, of = self.total, "a Gateway session began");
        self.dispatch.is_known_as(&ready);
    }
}

/// What Discord says about connecting; `None`, and said, if it does not.
pub(super) async fn ask(dispatch: &Dispatch, shard: u32) -> Option<GatewayAdvice> {
    let refusal = match dispatch.discord.gateway(Instant::now() + PATIENCE).await {
        Ok(Ok(advice)) => return Some(advice),
        Ok(Err(outcome)) => Some(outcome),
        Err(_) => None,
    };
    let because = match &refusal {
        Some(outcome) => format!("Discord does not say where the Gateway is ({})", outcome.word()),
        None => "there was no time to ask where the Gateway is".to_owned(),
    };
    tracing::warn!(shard, because, "the Gateway cannot be asked for; role changes go on");
    dispatch.connected.down(shard, because);
    match refusal {
        // As told, whatever our own waits are.
        Some(CallOutcome::RateLimited { after, .. }) => sleep(after).await,
        // Each refused call counts towards a ban of this address.
        Some(CallOutcome::TokenRejected) => sleep(AFTER_REFUSED_TOKEN).await,
        _ => {}
    }
    None
}

/// The address with our version. `None`: not one that a token may be sent to; plain only where the API is plain, too.
fn address(url: &str, api_url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    let plain = api_url.starts_with("http://");
    if !(url.scheme() == "wss" || (plain && url.scheme() == "ws")) {
        tracing::error!("Discord's address of the Gateway is not encrypted; it is not used");
        return None;
    }
    url.set_query(Some(VERSION));
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_where_it_is_encrypted() {
        let discord = "https://discord.com";
        let found = address("wss://gateway.discord.gg", discord);
        assert_eq!(found.as_deref(), Some("wss://gateway.discord.gg/?v=10&encoding=json"));
        assert_eq!(address("ws://gateway.discord.gg", discord), None);
        assert_eq!(address("https://gateway.discord.gg", discord), None);
        assert_eq!(address("", discord), None);
        let found = address("ws://127.0.0.1:9/gateway", "http://127.0.0.1:9");
        assert_eq!(found.as_deref(), Some("ws://127.0.0.1:9/gateway?v=10&encoding=json"));
    }
}

//! Gateway sessions, which outlive their connections. In: events and injected faults. Out: frames for connections, and what a
//! RESUME has missed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::behaviour::{Greeting, Replacements};
use crate::server::{Line, Then};

/// Events kept for a RESUME; who missed more must identify again.
const BACKLOG: usize = 2_000;
/// How long a session waits for its client to come back.
const RESUMABLE: Duration = Duration::from_secs(180);
const HEARTBEAT: Duration = Duration::from_millis(41_250);
/// IDENTIFYs a day; who passes them loses the token.
const IDENTIFIES: u64 = 1_000;
const DAY: Duration = Duration::from_secs(86_400);
/// Close codes after which Discord has forgotten the session.
const FINAL_CODES: [u16; 8] = [4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014];

/// What a connection is told to do.
pub(crate) enum Frame {
    Text(String),
    /// Send a close frame with this code, or with none, and end.
    Close(Option<u16>),
    /// Neither hear nor say anything any more, but stay open.
    Deafen,
}

#[derive(Clone)]
pub(crate) struct Connection {
    /// Unique in this sandbox.
    pub(crate) number: u64,
    pub(crate) frames: mpsc::UnboundedSender<Frame>,
    pub(crate) line: Line,
}

impl Connection {
    /// A connection that just ended loses it, as on the real gateway.
    fn tell(&self, frame: Frame) {
        let _ = self.frames.send(frame);
    }
}

/// What one IDENTIFY began.
pub(crate) struct Session {
    pub(crate) id: u64,
    intents: u64,
    /// Which guilds: those whose id, divided by 2^22, leaves the first number when divided by the second.
    shard: (u64, u64),
    sequence: u64,
    backlog: VecDeque<(u64, String)>,
    connection: Option<Connection>,
    left_at: Instant,
    replacements: Replacements,
}

impl Session {
    pub(crate) fn new(
        id: u64,
        intents: u64,
        shard: (u64, u64),
        connection: Connection,
        replacements: Replacements,
    ) -> Self {
        let (sequence, backlog, left_at) = (0, VecDeque::new(), Instant::now());
        Self { id, intents, shard, sequence, backlog, connection: Some(connection), left_at, replacements }
    }

    /// The id as Discord spells it.
    pub(crate) fn name(&self) -> String {
        format!("{:032x}", self.id)
    }

    /// Whether the client asked for these events; 0 stands for events that need no intent.
    pub(crate) fn has_intent(&self, intent: u64) -> bool {
        intent == 0 || self.intents & intent != 0
    }

    /// Whether this shard is the guild's.
    pub(crate) fn is_for(&self, guild: u64) -> bool {
        (guild >> 22) % self.shard.1 == self.shard.0
    }

    /// Sends an event, or keeps it until the client is back.
    pub(crate) fn dispatch(&mut self, event: &str, data: &Value) {
        self.sequence += 1;
        let data = self.replacements.apply(event, data);
        let text = json!({ "op": 0, "s": self.sequence, "t": event, "d": data }).to_string();
        if let Some(connection) = &self.connection {
            connection.tell(Frame::Text(text.clone()));
        }
        self.backlog.push_back((self.sequence, text));
        if self.backlog.len() > BACKLOG {
            self.backlog.pop_front();
        }
    }

    /// The client has these: they need not be kept.
    fn acknowledge(&mut self, sequence: u64) {
        while self.backlog.front().is_some_and(|(number, _)| *number <= sequence) {
            self.backlog.pop_front();
        }
    }

    fn is_on(&self, number: u64) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.number == number)
    }

    fn disconnect(&mut self) -> Option<Connection> {
        self.left_at = Instant::now();
        self.connection.take()
    }
}

/// Why a RESUME is refused.
pub(crate) enum NoResume {
    /// Unknown, forgotten, or too much was missed: identify again.
    Invalid,
    /// The client claims to have heard what was never said.
    BadSequence,
}

/// Every session, and how the gateway behaves.
pub(crate) struct Sessions {
    all: Vec<Session>,
    /// What HELLO asks of new connections.
    pub(crate) heartbeat: Duration,
    /// Whether the application may use the privileged member intent.
    pub(crate) members_intent: bool,
    /// What becomes of connections from now on.
    pub(crate) greeting: Greeting,
    /// Which events go wrong.
    pub(crate) replacements: Replacements,
    /// How many IDENTIFYs the day has left, if a test says so, and when it has more.
    pub(crate) budget: Option<(u64, Instant)>,
    identified: u64,
    resumed: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            heartbeat: HEARTBEAT,
            members_intent: true,
            greeting: Greeting::Welcome,
            replacements: Replacements::default(),
            budget: None,
            identified: 0,
            resumed: 0,
        }
    }
}

impl Sessions {
    /// A new session takes its place behind the older ones; those whose client never came back are forgotten.
    pub(crate) fn add(&mut self, session: Session) {
        self.all.retain(|old| old.connection.is_some() || old.left_at.elapsed() < RESUMABLE);
        self.all.push(session);
    }

    /// Continues a session on another connection: what came after `sequence` is sent again, then RESUMED.
    pub(crate) fn resume(
        &mut self,
        name: &str,
        sequence: u64,
        connection: &Connection,
    ) -> Result<(), NoResume> {
        let session = self.all.iter_mut().find(|session| session.name() == name).ok_or(NoResume::Invalid)?;
        if session.connection.is_none() && session.left_at.elapsed() >= RESUMABLE {
            return Err(NoResume::Invalid);
        }
        if sequence > session.sequence {
            return Err(NoResume::BadSequence);
        }
        session.acknowledge(sequence);
        if session.backlog.len() as u64 != session.sequence - sequence {
            return Err(NoResume::Invalid);
        }
        if let Some(old) = session.disconnect().filter(|old| old.number != connection.number) {
            old.line.cut();
        }
        for (_, missed) in &session.backlog {
            connection.tell(Frame::Text(missed.clone()));
        }
        session.connection = Some(connection.clone());
        session.dispatch("RESUMED", &json!({ "_trace": ["sandbox"] }));
        self.resumed += 1;
        Ok(())
    }

    /// A heartbeat says which event was the last.
    pub(crate) fn acknowledge(&mut self, number: u64, sequence: u64) {
        for session in self.all.iter_mut().filter(|session| session.is_on(number)) {
            session.acknowledge(sequence);
        }
    }

    /// Whether a session runs over this connection.
    pub(crate) fn is_identified(&self, number: u64) -> bool {
        self.all.iter().any(|session| session.is_on(number))
    }

    /// A connection ended. A client that closes with 1000 or 1001 has ended its session, too.
    pub(crate) fn hang_up(&mut self, number: u64, and_forget: bool) {
        if and_forget {
            self.all.retain(|session| !session.is_on(number));
        }
        for session in self.all.iter_mut().filter(|session| session.is_on(number)) {
            session.disconnect();
        }
    }

    /// Sessions that hear a guild's event, connected or not.
    pub(crate) fn hearing(&mut self, guild: u64, intent: u64) -> impl Iterator<Item = &mut Session> {
        self.all.iter_mut().filter(move |session| session.has_intent(intent) && session.is_for(guild))
    }

    /// The newest connected session of a guild, because a broken older one may not have been noticed yet.
    pub(crate) fn speaking_to(&mut self, guild: u64) -> Option<&mut Session> {
        self.all.iter_mut().rev().find(|session| session.connection.is_some() && session.is_for(guild))
    }

    /// How many clients are connected.
    pub(crate) fn connected(&self) -> usize {
        self.all.iter().filter(|session| session.connection.is_some()).count()
    }

    /// An IDENTIFY counts, whatever becomes of it.
    pub(crate) fn count_identify(&mut self) {
        self.identified += 1;
        if let Some((left, _)) = &mut self.budget {
            *left = left.saturating_sub(1);
        }
    }

    /// How many IDENTIFYs the day has left, and for how long.
    pub(crate) fn identifies_left(&mut self) -> (u64, Duration) {
        self.budget = self.budget.filter(|(_, until)| *until > Instant::now());
        match self.budget {
            Some((left, until)) => (left, until.saturating_duration_since(Instant::now())),
            None => (IDENTIFIES.saturating_sub(self.identified), DAY),
        }
    }

    /// For `/state`.
    pub(crate) fn shown(&self) -> Value {
        let waiting = self.all.len() - self.connected();
        json!({ "identified": self.identified, "resumed": self.resumed, "resumable": waiting })
    }

    /// Breaks every connection without a close frame; forgotten sessions cannot be resumed.
    pub(crate) fn drop_all(&mut self, and_forget: bool) -> usize {
        let broken: Vec<Connection> = self.all.iter_mut().filter_map(Session::disconnect).collect();
        if and_forget {
            self.all.clear();
        }
        broken.iter().for_each(|connection| connection.line.cut());
        broken.len()
    }

    /// Writes these bytes past the protocol on every connection, and ends it like this. The sessions can be resumed.
    pub(crate) fn end_all(&mut self, bytes: &[u8], then: Then) -> usize {
        let ended: Vec<Connection> = self.all.iter_mut().filter_map(Session::disconnect).collect();
        ended.iter().for_each(|connection| connection.line.end(bytes.to_vec(), then));
        ended.len()
    }

    /// Says a text on every connection, whatever it is; nothing else changes.
    pub(crate) fn say_all(&self, text: &str) -> usize {
        self.tell_all(|| Frame::Text(text.to_owned()))
    }

    /// Tells every client to reconnect and resume.
    pub(crate) fn reconnect_all(&mut self) -> usize {
        self.tell_all(|| Frame::Text(json!({ "op": 7, "d": null, "s": null, "t": null }).to_string()))
    }

    /// Tells every client that its session is invalid; one that is not resumable is gone.
    pub(crate) fn invalidate_all(&mut self, resumable: bool) -> usize {
        let told = self
            .tell_all(|| Frame::Text(json!({ "op": 9, "d": resumable, "s": null, "t": null }).to_string()));
        if resumable {
            self.all.iter_mut().for_each(|session| drop(session.disconnect()));
        } else {
            self.all.clear();
        }
        told
    }

    /// Closes every connection with this code, or without one.
    pub(crate) fn close_all(&mut self, code: Option<u16>) -> usize {
        let told = self.tell_all(|| Frame::Close(code));
        self.all.iter_mut().for_each(|session| drop(session.disconnect()));
        if code.is_some_and(|code| FINAL_CODES.contains(&code)) {
            self.all.clear();
        }
        told
    }

    /// Leaves every connection open, and mute.
    pub(crate) fn deafen_all(&mut self) -> usize {
        let told = self.tell_all(|| Frame::Deafen);
        // Not connected any more: what happens from now on waits for the RESUME.
        self.all.iter_mut().for_each(|session| drop(session.disconnect()));
        told
    }

    fn tell_all(&self, frame: impl Fn() -> Frame) -> usize {
        let connections = self.all.iter().filter_map(|session| session.connection.as_ref());
        connections.map(|connection| connection.tell(frame())).count()
    }
}

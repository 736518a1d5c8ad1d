//! Logins at Discord, and the sessions that follow. In: what a browser's cookies hold. Out: who that is, as a [`Subscriber`], which
//! only a session makes.
//!
//! Both cookies hold what we do not: the rows have hashes. A login's `state` and PKCE verifier follow from its cookie, so a `state`
//! is good in the browser that began the login, and nowhere else.

mod claimant;
mod offer;

use std::time::Duration;

pub use claimant::Claimant;
pub use offer::{OFFER_LIVES, Offer};

use crate::{
    crypto::{CryptoError, browser_secret::BrowserSecret},
    db::pool::{Pool, within},
    domain::{
        adding::AccessToken,
        session::{ABSOLUTE, Shown, Verdict, judge},
    },
    ids::{GuildId, UserId},
    store::{logins, sessions},
};

/// How long somebody may take at Discord.
pub const LOGIN_LIVES: Duration = Duration::from_secs(600);
/// How long what somebody allowed at Discord waits for their click.
const TOKEN_LIVES: Duration = Duration::from_secs(600);
/// How long it is whoever clicked's alone: longer than the bot is waited for.
const TOKEN_HELD: Duration = Duration::from_secs(15);
const STATE: &str = "state";
const VERIFIER: &str = "verifier";
const FORM: &str = "form";
/// What the username is sealed for.
const USERNAME: &str = "sessions/username";

/// What a token is sealed for: one server.
fn join_place(guild: GuildId) -> String {
    format!("sessions/join_token/{guild}")
}

/// Whether somebody lets us add them to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    Yes,
    /// They did not say so, or too long ago, or for another server.
    No,
    /// They did, and clicked a moment ago.
    BeingUsed,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("the database cannot be asked: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the session's username: {0}")]
    Sealed(#[from] CryptoError),
}

/// Somebody who is logged in. Only [`Sessions::resume`] makes one: whoever has it has asked the database in this request.
#[derive(Debug, Clone)]
pub struct Subscriber {
    user: UserId,
    username: String,
    session: BrowserSecret,
}

impl Subscriber {
    pub fn user(&self) -> UserId {
        self.user
    }

    /// As Discord said at the login: to be shown to themselves.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// What each form of theirs has in it; a form of another session has another.
    pub fn form_token(&self) -> String {
        self.session.derive(FORM)
    }

    /// Whether a form that was sent is one of this session's.
    pub fn sent(&self, form_token: &str) -> bool {
        self.session.derives(FORM, form_token)
    }
}

/// A login that begins.
#[derive(Debug, Clone)]
pub struct Login(BrowserSecret);

impl Login {
    /// From the cookie.
    pub fn parse(cookie: &str) -> Option<Self> {
        BrowserSecret::parse(cookie).map(Self)
    }

    pub fn cookie(&self) -> String {
        self.0.text()
    }

    /// 256 bits, for Discord to give back.
    pub fn state(&self) -> String {
        self.0.derive(STATE)
    }

    pub fn is_state(&self, state: &str) -> bool {
        self.0.derives(STATE, state)
    }

    /// PKCE's, 43 letters.
    pub fn verifier(&self) -> String {
        self.0.derive(VERIFIER)
    }
}

/// What a session's cookie is worth.
#[derive(Debug)]
pub enum Resumed {
    /// No cookie, one that never was, or one that is over.
    Nobody,
    /// Somebody; with a new cookie, where the old one was replaced.
    Somebody(Subscriber, Option<String>),
    /// The cookie had been copied: its session has ended.
    Copied(UserId),
}

/// The halves of a session's cookie.
struct Cookie {
    session: BrowserSecret,
    current: BrowserSecret,
}

impl Cookie {
    fn generate() -> Self {
        Self { session: BrowserSecret::generate(), current: BrowserSecret::generate() }
    }

    fn parse(text: &str) -> Option<Self> {
        let (session, current) = text.split_once('.')?;
        Some(Self { session: BrowserSecret::parse(session)?, current: BrowserSecret::parse(current)? })
    }

    fn text(&self) -> String {
        format!("{}.{}", self.session.text(), self.current.text())
    }
}

#[derive(Debug, Clone)]
pub struct Sessions {
    pool: Pool,
}

impl Sessions {
    /// How long a browser keeps the cookie; the session may end before.
    pub const KEPT: Duration = ABSOLUTE.unsigned_abs();

    /// `pool`: the gateway's.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Begins a login that leads to `destination`.
    pub async fn begin_login(&self, destination: &str) -> Result<Login, SessionError> {
        let login = Login(BrowserSecret::generate());
        within(async { logins::begin(&mut self.pool.across().await?, &login.0.hash(), destination).await })
            .await?;
        Ok(login)
    }

    /// Ends a login: where it leads. `None`: it was taken before, is older than ten minutes, or never began.
    pub async fn take_login(&self, login: &Login) -> Result<Option<String>, SessionError> {
        let taken = within(async {
            logins::take(&mut self.pool.across().await?, &login.0.hash(), LOGIN_LIVES).await
        });
        Ok(taken.await?)
    }

    /// Begins a session for somebody whom Discord has named. Answers the cookie, which takes the place of any that the browser has.
    /// `allowed`: the server that they let us add them to, and by which token.
    pub async fn begin(
        &self,
        user: UserId,
        username: &str,
        allowed: Option<(GuildId, &AccessToken)>,
    ) -> Result<String, SessionError> {
        let cookie = Cookie::generate();
        let sealed = cookie.session.seal(USERNAME, username)?;
        let token = allowed.map(|(guild, token)| cookie.session.seal(&join_place(guild), token.expose()));
        let token = token.transpose()?;
        within(async {
            let mut crossing = self.pool.across().await?;
            let (session, current) = (cookie.session.hash(), cookie.current.hash());
            sessions::begin(&mut crossing, &session, &current, user, &sealed, token.as_deref()).await
        })
        .await?;
        Ok(cookie.text())
    }

    /// Whose cookie this is.
    pub async fn resume(&self, cookie: Option<&str>) -> Result<Resumed, SessionError> {
        let Some(cookie) = cookie.and_then(Cookie::parse) else { return Ok(Resumed::Nobody) };
        let (session, shown) = (cookie.session.hash(), cookie.current.hash());
        let next = BrowserSecret::generate();
        // What is compared are hashes of random bits: how long that takes tells nobody a secret.
        let found = within(async {
            let mut crossing = self.pool.across().await?;
            let Some(found) = sessions::find(&mut crossing, &session).await? else { return Ok(None) };
            let is = if found.current == shown {
                Shown::Current
            } else if found.previous.as_ref() == Some(&shown) {
                Shown::Previous
            } else {
                Shown::Other
            };
            let verdict = judge(is, found.times, found.now);
            let replaced = match verdict {
                Verdict::Good => false,
                // Who comes second has the previous one now, and keeps it for the moment that it is good.
                Verdict::Replace => sessions::replace(&mut crossing, &session, &shown, &next.hash()).await?,
                Verdict::Over | Verdict::Copied => {
                    sessions::end(&mut crossing, &session).await?;
                    false
                }
            };
            Ok(Some((found, verdict, replaced)))
        });
        let Some((found, verdict, replaced)) = found.await? else { return Ok(Resumed::Nobody) };
        match verdict {
            Verdict::Over => return Ok(Resumed::Nobody),
            Verdict::Copied => return Ok(Resumed::Copied(found.user)),
            Verdict::Good | Verdict::Replace => {}
        }
        let username = cookie.session.open(USERNAME, &found.username)?;
        let new = replaced.then(|| Cookie { session: cookie.session.clone(), current: next }.text());
        Ok(Resumed::Somebody(Subscriber { user: found.user, username, session: cookie.session }, new))
    }

    /// Whether they let us add them to this server.
    pub async fn may_add(&self, who: &Subscriber, guild: GuildId) -> Result<Allowed, SessionError> {
        let session = who.session.hash();
        let found = within(async {
            sessions::join_token(&mut self.pool.across().await?, &session, TOKEN_LIVES, TOKEN_HELD).await
        });
        let Some(found) = found.await? else { return Ok(Allowed::No) };
        let is_for_it =
            found.token.is_some_and(|sealed| who.session.open(&join_place(guild), &sealed).is_ok());
        Ok(match (found.is_taken, is_for_it) {
            (true, _) => Allowed::BeingUsed,
            (false, true) => Allowed::Yes,
            (false, false) => Allowed::No,
        })
    }

    /// What lets us add them to this server, for whoever asks first. `None`: nothing does, or somebody else is at it. Then say what
    /// came of it.
    pub async fn take_join_token(
        &self,
        who: &Subscriber,
        guild: GuildId,
    ) -> Result<Option<AccessToken>, SessionError> {
        let session = who.session.hash();
        let taken = within(async {
            sessions::take_join_token(&mut self.pool.across().await?, &session, TOKEN_LIVES, TOKEN_HELD).await
        });
        let Some(sealed) = taken.await? else { return Ok(None) };
        // One for another server does not open.
        let token =
            who.session.open(&join_place(guild), &sealed).ok().and_then(|token| AccessToken::new(&token));
        if token.is_none() {
            self.give_back_join_token(who).await?;
        }
        Ok(token)
    }

    /// Nothing was done with it.
    pub async fn give_back_join_token(&self, who: &Subscriber) -> Result<(), SessionError> {
        let session = who.session.hash();
        let given = async { sessions::give_back_join_token(&mut self.pool.across().await?, &session).await };
        Ok(within(given).await?)
    }

    /// It was used, and is forgotten.
    pub async fn forget_join_token(&self, who: &Subscriber) -> Result<(), SessionError> {
        let session = who.session.hash();
        let forgotten = async { sessions::forget_join_token(&mut self.pool.across().await?, &session).await };
        Ok(within(forgotten).await?)
    }

    /// Forgets what nobody used in its ten minutes. Answers how many.
    pub async fn forget_old_join_tokens(&self) -> Result<u64, SessionError> {
        let forgotten =
            async { sessions::forget_old_join_tokens(&mut self.pool.across().await?, TOKEN_LIVES).await };
        Ok(within(forgotten).await?)
    }

    /// Logs out.
    pub async fn end(&self, of: &Subscriber) -> Result<(), SessionError> {
        let session = of.session.hash();
        Ok(within(async { sessions::end(&mut self.pool.across().await?, &session).await }).await?)
    }

    /// Logs out everywhere. Answers how many sessions ended.
    pub async fn end_all(&self, of: &Subscriber) -> Result<u64, SessionError> {
        Ok(within(async { sessions::end_all(&mut self.pool.across().await?, of.user).await }).await?)
    }
}

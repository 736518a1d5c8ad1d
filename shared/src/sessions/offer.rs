//! The word of one account for another: who moves what they have in a server offers it in one login, and takes it in the next, in the same
//! browser. In: the browser's cookie. Out: an [`Offer`], which nothing else makes.
//!
//! The offer is the session's that made it: when that ends, so does the offer. Its secret is in a cookie of the browser, never in an
//! address, so whoever sees a page's address has nothing.

use std::time::Duration;

use super::{SessionError, Sessions, Subscriber};
use crate::{
    crypto::browser_secret::BrowserSecret,
    db::pool::within,
    ids::{GuildId, UserId},
    store::sessions::{self, Offered},
};

/// As long as a login may take.
pub const OFFER_LIVES: Duration = Duration::from_secs(600);
const NAME: &str = "sessions/offer_name";

/// That somebody, in one server, gives what they have to whoever this browser logs in next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    by: UserId,
    name: String,
    guild: GuildId,
}

impl Offer {
    fn open(secret: &BrowserSecret, found: Offered) -> Result<Self, SessionError> {
        let Offered { user, guild, name } = found;
        Ok(Self { by: user, name: secret.open(NAME, &name)?, guild })
    }

    /// Who gives.
    pub fn by(&self) -> UserId {
        self.by
    }

    /// Their username, to be shown in this browser.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn guild(&self) -> GuildId {
        self.guild
    }
}

impl Sessions {
    /// Offers; answers the cookie. `None`: the session has ended meanwhile.
    pub async fn offer(&self, by: &Subscriber, guild: GuildId) -> Result<Option<String>, SessionError> {
        let secret = BrowserSecret::generate();
        let name = secret.seal(NAME, &by.username)?;
        let session = by.session.hash();
        let offered = within(async {
            sessions::offer(&mut self.pool.across().await?, &session, &secret.hash(), guild, &name).await
        });
        Ok(offered.await?.then(|| secret.text()))
    }

    /// The offer of this browser, to be looked at.
    pub async fn offered(&self, cookie: Option<&str>) -> Result<Option<Offer>, SessionError> {
        let Some(secret) = cookie.and_then(BrowserSecret::parse) else { return Ok(None) };
        let hash = secret.hash();
        let found =
            within(async { sessions::offered(&mut self.pool.across().await?, &hash, OFFER_LIVES).await });
        found.await?.map(|found| Offer::open(&secret, found)).transpose()
    }

    /// Takes it: it counts once.
    pub async fn take_offer(&self, cookie: Option<&str>) -> Result<Option<Offer>, SessionError> {
        let Some(secret) = cookie.and_then(BrowserSecret::parse) else { return Ok(None) };
        let hash = secret.hash();
        let taken =
            within(async { sessions::take_offer(&mut self.pool.across().await?, &hash, OFFER_LIVES).await });
        taken.await?.map(|found| Offer::open(&secret, found)).transpose()
    }
}

//! Codes and tokens of people who agreed. In: what was asked for, and time. Out: each code once, while it lives, and tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Deserialize;
use uuid::Uuid;

/// "codes are one time use and expire 100 seconds after creation" (<https://github.com/discord/discord-api-docs/issues/2526>).
const CODE_LIVES: Duration = Duration::from_secs(100);

/// An authorization request that passed.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) redirect_uri: String,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) state: Option<String>,
    /// PKCE's, by S256.
    pub(crate) challenge: Option<String>,
}

/// A code that was not used yet.
pub(crate) struct Code {
    pub(crate) user: u64,
    pub(crate) asked: Asked,
    until: Instant,
}

/// What a person agreed to, for as long as it is not revoked.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) user: u64,
    pub(crate) scopes: BTreeSet<String>,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// What the application's owner set, and what people agreed to.
#[derive(Default)]
pub(crate) struct OAuth {
    secret: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    code_lives: Option<Duration>,
    codes: BTreeMap<String, Code>,
    grants: Vec<Grant>,
}

/// What a test may set; unsaid settings stay.
#[derive(Deserialize)]
pub(crate) struct Settings {
    client_secret: Option<String>,
    redirect_uris: Option<Vec<String>>,
    code_ms: Option<u64>,
}

impl OAuth {
    pub(crate) fn set(&mut self, settings: Settings) {
        self.secret = settings.client_secret.or(self.secret.take());
        self.redirect_uris =
            settings.redirect_uris.unwrap_or_else(|| std::mem::take(&mut self.redirect_uris));
        self.code_lives = settings.code_ms.map(Duration::from_millis).or(self.code_lives);
    }

    /// Whether this is the application's secret; any that is not empty, while none is set.
    pub(crate) fn accepts(&self, secret: &str) -> bool {
        self.secret.as_deref().map_or(!secret.is_empty(), |expected| expected == secret)
    }

    pub(crate) fn issue(&mut self, user: u64, asked: &Asked, now: Instant) -> String {
        let code = random();
        let until = now + self.code_lives.unwrap_or(CODE_LIVES);
        self.codes.insert(code.clone(), Code { user, asked: asked.clone(), until });
        code
    }

    /// The code, if it lives; either way it is gone.
    pub(crate) fn take(&mut self, code: &str, now: Instant) -> Option<Code> {
        self.codes.remove(code).filter(|code| now < code.until)
    }

    pub(crate) fn grant(&mut self, user: u64, scopes: BTreeSet<String>) -> Grant {
        let grant = Grant { user, scopes, access_token: random(), refresh_token: random() };
        self.grants.push(grant.clone());
        grant
    }

    /// New tokens for the same; the old ones are gone.
    pub(crate) fn refresh(&mut self, token: &str) -> Option<Grant> {
        let at = self.grants.iter().position(|grant| grant.refresh_token == token)?;
        let old = self.grants.remove(at);
        Some(self.grant(old.user, old.scopes))
    }

    /// By either of its tokens.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.grants.retain(|grant| grant.access_token != token && grant.refresh_token != token);
    }

    pub(crate) fn by_access_token(&self, token: &str) -> Option<Grant> {
        self.grants.iter().find(|grant| grant.access_token == token).cloned()
    }

    /// How many people's tokens work now.
    pub(crate) fn granted(&self) -> usize {
        self.grants.len()
    }
}

fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

//! Who calls. In: the `Authorization` header. Out: a key that is good, with its mode and its permissions.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::failure::Failure;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::ACCOUNT_ID;
use crate::stripe::world::World;
use crate::stripe::world::key::{Key, KeyState};

/// A caller whose key is good.
#[derive(Clone, Debug)]
pub(super) struct Caller(Key);

impl Caller {
    /// The key as a Bearer token or as the user name of HTTP Basic.
    pub(super) fn identify(world: &World, headers: &HeaderMap) -> Result<Self, Failure> {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = match sent.and_then(|sent| sent.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim().to_owned(),
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("basic") => basic_user(token),
            _ => String::new(),
        };
        if text.is_empty() {
            return Err(Failure::unauthorized(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using \
                 Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
                None,
            ));
        }
        match world.keys.get(&text) {
            Some(key) if key.state == KeyState::Active => Ok(Self(key.clone())),
            Some(key) if key.state == KeyState::Expired => {
                let message = format!("Expired API Key provided: {}", masked(&text));
                Err(Failure::unauthorized(message, Some("api_key_expired")))
            }
            _ => Err(Failure::unauthorized(format!("Invalid API Key provided: {}", masked(&text)), None)),
        }
    }

    /// Which of the two worlds this key sees.
    pub(super) fn live(&self) -> bool {
        self.0.live
    }

    /// Refuses in Stripe's words, which name the missing permission.
    pub(super) fn may_read(&self, kind: Kind) -> Result<(), Failure> {
        self.may(kind.permission())
    }

    pub(super) fn may(&self, permission: &str) -> Result<(), Failure> {
        if self.0.reads(permission) {
            return Ok(());
        }
        Err(self.refusal(&format!(
            " Having the 'rak_{permission}_read' permission would allow this request to continue."
        )))
    }

    /// Whatever a key is allowed to write, this Stripe has nothing to write to.
    pub(super) fn refusal(&self, hint: &str) -> Failure {
        let message = format!(
            "The provided key '{}' does not have the required permissions for this endpoint on account \
             '{ACCOUNT_ID}'.{hint}",
            masked(&self.0.text)
        );
        Failure::new(StatusCode::FORBIDDEN, message)
    }
}

fn basic_user(token: &str) -> String {
    let decoded = STANDARD.decode(token.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.unwrap_or_default().split(':').next().unwrap_or_default().to_owned()
}

/// The kind of key and its last four characters, as Stripe repeats it.
fn masked(key: &str) -> String {
    let shown = key.match_indices('_').nth(1).map_or(0, |(at, _)| at + 1);
    let hidden = key.chars().count().saturating_sub(shown + 4);
    let tail: String = key.chars().skip(shown + hidden).collect();
    format!("{}{}{tail}", &key[..shown], "*".repeat(hidden))
}

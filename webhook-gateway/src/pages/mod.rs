//! Pages for subscribers. In: browsers, with or without a session. Out: HTML without a script; the words are `shared::views`'.

mod answer;
pub mod arrival;
pub mod assets;
pub mod claim;
pub mod claim_code;
pub mod give_up;
pub mod join;
pub mod log_in;
pub mod mail_stop;
pub mod moving;
mod presence;
pub mod subscribe;
mod visitor;
mod watchers;

use std::sync::Arc;

pub use presence::Presences;
use shared::{
    crypto::Keyring, db::pool::Pool, ids::UserId, service_requests::ServiceRequests, sessions::Sessions,
};
pub use watchers::Watchers;

use crate::{
    http::rate_limit::RateLimit,
    login::discord::DiscordLogin,
    stripe::{api::ReadClient, credentials::Keys},
};

/// What the pages' handlers need.
pub struct Pages {
    pub pool: Pool,
    pub sessions: Sessions,
    /// `None`: the operator has not set it up, and nobody can log in.
    pub discord: Option<DiscordLogin>,
    pub stripe: ReadClient,
    pub keys: Arc<Keys>,
    pub requests: Arc<ServiceRequests>,
    pub presences: Presences,
    /// What codes by e-mail are sealed with; `None`: there is no mail server, and none is sent.
    pub codes: Option<Keyring>,
    /// Each claim may cost a read at Stripe, each joining calls at Discord: by account, whatever address it comes from.
    pub claims: RateLimit<UserId>,
    /// Pages that wait to be told of a change.
    pub watchers: Watchers,
}

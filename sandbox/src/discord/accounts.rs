//! People's accounts, apart from any guild. In: control calls. Out: who there is, what they say of themselves, and what the
//! application may ask of them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::oauth_grants::Settings;
use super::profile::Profile;
use super::state::Discord;
use super::wire;
use super::world::World;
use crate::refusal::Refusal;

impl World {
    /// Everybody with an account, by name.
    pub(crate) fn people(&self) -> Vec<(u64, String)> {
        let mut people: Vec<_> = self.names.iter().map(|(id, name)| (*id, name.clone())).collect();
        people.sort_by(|(_, one), (_, other)| one.cmp(other));
        people
    }

    /// The account of this name, made if there is none.
    pub(crate) fn account(&mut self, username: &str) -> u64 {
        let known = self.names.iter().find(|(_, name)| *name == username).map(|(id, _)| *id);
        known.unwrap_or_else(|| {
            let id = self.mint.next();
            self.names.insert(id, username.to_owned());
            id
        })
    }

    /// Somebody as they see themselves.
    pub(crate) fn person(&self, user: u64, email: bool) -> Value {
        let name = self.names.get(&user).map_or("someone", String::as_str);
        wire::person(user, name, &self.profiles.get(&user).cloned().unwrap_or_default(), email)
    }
}

pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new()
        .route("/users", post(sign_up))
        .route("/users/{user}/profile", put(set_profile))
        .route("/oauth", put(set_oauth))
}

#[derive(Deserialize)]
struct NewAccount {
    username: String,
}

async fn sign_up(State(discord): State<Arc<Discord>>, Json(params): Json<NewAccount>) -> Json<Value> {
    let id = discord.with(|world| world.account(&params.username));
    Json(json!({ "id": id.to_string() }))
}

async fn set_profile(
    State(discord): State<Arc<Discord>>,
    Path(user): Path<u64>,
    Json(profile): Json<Profile>,
) -> Result<Json<Value>, Refusal> {
    discord.with(|world| {
        if !world.knows(user) {
            return Err(Refusal::missing("user"));
        }
        world.profiles.insert(user, profile);
        Ok(Json(json!({})))
    })
}

async fn set_oauth(State(discord): State<Arc<Discord>>, Json(settings): Json<Settings>) -> Json<Value> {
    discord.with(|world| world.oauth.set(settings));
    Json(json!({}))
}

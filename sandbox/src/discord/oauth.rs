//! Login with Discord (OAuth 2.0, authorization code grant). In: a browser, a person's choice, then a program's calls. Out: a
//! code for the registered address, tokens for the code, and who the person is.
//!
//! As Discord's own metadata says (`/.well-known/oauth-authorization-server`): secrets by Basic or in the form, PKCE S256 only, and
//! `iss` in the answer. This server is its own issuer: its `iss` is the origin at which it is reached, as Discord's is
//! `https://discord.com`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::oauth_grants::{Asked, Grant, OAuth};
use super::oauth_page;
use super::reply::No;
use super::state::Discord;
use super::wire;
use super::wire_ids::BOT_ID;
use super::world::World;
use crate::fault_proxy::percent_decoded;

type Field = (String, String);

/// What a browser opens, and what tells of all this.
pub(crate) fn pages() -> Router<Arc<Discord>> {
    Router::new()
        .route("/oauth2/authorize", get(ask).post(answer))
        .route("/.well-known/oauth-authorization-server", get(metadata))
}

/// What programs call, under `/api/v10`; the client's secret guards it, not the bot's token.
pub(crate) fn routes() -> Router<Arc<Discord>> {
    Router::new().route("/oauth2/token", post(token)).route("/oauth2/token/revoke", post(revoke))
}

async fn metadata(State(discord): State<Arc<Discord>>) -> Json<Value> {
    let issuer = &discord.origin;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "token_endpoint": format!("{issuer}/api/v10/oauth2/token"),
        "revocation_endpoint": format!("{issuer}/api/v10/oauth2/token/revoke"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// The query of an authorization request.
#[derive(Deserialize)]
struct Request {
    response_type: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

impl Request {
    /// What is asked for, or why the person is told so instead of being sent anywhere: an address that is not registered gets nothing.
    fn read(self, world: &World) -> Result<Asked, &'static str> {
        if self.client_id.as_deref() != Some(BOT_ID.to_string().as_str()) {
            return Err("Unknown Application");
        }
        let redirect_uri = self.redirect_uri.unwrap_or_default();
        if !world.oauth.redirect_uris.contains(&redirect_uri) {
            return Err("Invalid OAuth2 redirect_uri");
        }
        if self.response_type.as_deref() != Some("code") {
            return Err("Unsupported response type");
        }
        let scopes: BTreeSet<String> =
            self.scope.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
        let known = ["identify", "email", "guilds", "guilds.join"];
        if scopes.is_empty() || !scopes.iter().all(|scope| known.contains(&scope.as_str())) {
            return Err("Invalid OAuth2 scope");
        }
        let challenge = match (self.code_challenge, self.code_challenge_method.as_deref()) {
            (None, None) => None,
            (Some(challenge), Some("S256")) if challenge.len() == 43 => Some(challenge),
            _ => return Err("Invalid code_challenge"),
        };
        Ok(Asked { redirect_uri, scopes, state: self.state, challenge })
    }
}

async fn ask(State(discord): State<Arc<Discord>>, Query(request): Query<Request>) -> Response {
    discord.with(|world| match request.read(world) {
        Ok(asked) => oauth_page::choice(&asked, &world.people()).into_response(),
        Err(why) => oauth_page::refusal(why),
    })
}

/// What the person chose on the page; the query is the request's own.
async fn answer(
    State(discord): State<Arc<Discord>>,
    Query(request): Query<Request>,
    Form(form): Form<Vec<Field>>,
) -> Response {
    let chosen = |name| field(&form, name);
    discord.with(|world| {
        let asked = match request.read(world) {
            Ok(asked) => asked,
            Err(why) => return oauth_page::refusal(why),
        };
        let Ok(address) = Url::parse(&asked.redirect_uri) else {
            return oauth_page::refusal("Invalid OAuth2 redirect_uri");
        };
        let back = |pairs: &[(&str, &str)]| {
            let mut location = address.clone();
            let state = asked.state.as_deref().map(|state| ("state", state));
            let all = pairs.iter().copied().chain(state).chain([("iss", discord.origin.as_str())]);
            location.query_pairs_mut().extend_pairs(all);
            (StatusCode::SEE_OTHER, [(header::LOCATION, location.to_string())]).into_response()
        };
        if chosen("cancel").is_some() {
            let why = "The resource owner or authorization server denied the request";
            return back(&[("error", "access_denied"), ("error_description", why)]);
        }
        let user = match (chosen("user_id"), chosen("username").filter(|name| !name.is_empty())) {
            (Some(id), _) => id.parse().ok().filter(|id| world.knows(*id)),
            (None, Some(name)) => Some(world.account(&name)),
            (None, None) => None,
        };
        let Some(user) = user else { return oauth_page::refusal("Unknown User") };
        let code = world.oauth.issue(user, &asked, Instant::now());
        back(&[("code", &code)])
    })
}

/// One way in which a token is refused, as RFC 6749 section 5.2 names it.
fn refused(status: StatusCode, error: &str, description: Option<&str>) -> Response {
    let mut body = json!({ "error": error });
    if let Some(description) = description {
        body["error_description"] = description.into();
    }
    (status, Json(body)).into_response()
}

/// Whether the client says who it is: by Basic, or in the form, but not by both.
fn is_client(oauth: &OAuth, headers: &HeaderMap, form: &[Field]) -> bool {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(|value| {
        let plain =
            BASE64_STANDARD.decode(value.strip_prefix("Basic ").unwrap_or_default()).unwrap_or_default();
        let plain = String::from_utf8(plain).unwrap_or_default();
        let (id, secret) = plain.split_once(':').unwrap_or_default();
        (percent_decoded(id.as_bytes()), percent_decoded(secret.as_bytes()))
    });
    let in_form = field(form, "client_id").zip(field(form, "client_secret"));
    let ((Some((id, secret)), None) | (None, Some((id, secret)))) = (basic, in_form) else { return false };
    id == BOT_ID.to_string() && oauth.accepts(&secret)
}

async fn token(
    State(discord): State<Arc<Discord>>,
    headers: HeaderMap,
    Form(form): Form<Vec<Field>>,
) -> Response {
    discord.with(|world| {
        if !is_client(&world.oauth, &headers, &form) {
            return refused(StatusCode::UNAUTHORIZED, "invalid_client", None);
        }
        let granted = match field(&form, "grant_type").as_deref() {
            Some("authorization_code") => for_code(&mut world.oauth, &form),
            Some("refresh_token") => world
                .oauth
                .refresh(&field(&form, "refresh_token").unwrap_or_default())
                .ok_or("Invalid \"refresh_token\" in request."),
            _ => return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", None),
        };
        match granted {
            Ok(grant) => Json(json!({
                "token_type": "Bearer", "access_token": grant.access_token, "expires_in": 604_800,
                "refresh_token": grant.refresh_token,
                "scope": grant.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
            }))
            .into_response(),
            Err(why) => refused(StatusCode::BAD_REQUEST, "invalid_grant", Some(why)),
        }
    })
}

/// A code is gone with the first try, whether or not that is a good one.
fn for_code(oauth: &mut OAuth, form: &[Field]) -> Result<Grant, &'static str> {
    const INVALID: &str = "Invalid \"code\" in request.";
    let code = oauth.take(&field(form, "code").unwrap_or_default(), Instant::now()).ok_or(INVALID)?;
    if field(form, "redirect_uri").as_deref() != Some(code.asked.redirect_uri.as_str()) {
        return Err("Invalid \"redirect_uri\" in request.");
    }
    let proof = field(form, "code_verifier").map(|verifier| {
        let plain = (43..=128).contains(&verifier.len());
        plain.then(|| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
    });
    match (&code.asked.challenge, proof) {
        (None, None) => {}
        (Some(challenge), Some(Some(proof))) if *challenge == proof => {}
        _ => return Err("Invalid \"code_verifier\" in request."),
    }
    Ok(oauth.grant(code.user, code.asked.scopes))
}

/// RFC 7009: an unknown token is answered like a known one.
async fn revoke(
    State(discord): State<Arc<Discord>>,
    headers: HeaderMap,
    Form(form): Form<Vec<Field>>,
) -> Response {
    discord.with(|world| {
        if !is_client(&world.oauth, &headers, &form) {
            return refused(StatusCode::UNAUTHORIZED, "invalid_client", None);
        }
        world.oauth.revoke(&field(&form, "token").unwrap_or_default());
        Json(json!({})).into_response()
    })
}

/// The bot as it sees itself, or, by a token that a person agreed to, that person.
pub(crate) async fn myself(
    State(discord): State<Arc<Discord>>,
    by: Option<Extension<Grant>>,
) -> Result<Json<Value>, No> {
    let Some(Extension(grant)) = by else { return Ok(Json(wire::myself())) };
    if !grant.scopes.contains("identify") {
        return Err(No::Unauthorized);
    }
    Ok(Json(discord.with(|world| world.person(grant.user, grant.scopes.contains("email")))))
}

/// A field of a form; `None` also if it is there twice.
fn field(form: &[Field], name: &str) -> Option<String> {
    let mut found = form.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone());
    found.next().filter(|_| found.next().is_none())
}

//! Login at Discord (OAuth 2.0, authorization code with PKCE). In: a login that began, and the code that Discord gave the browser. Out:
//! who the person is, or why that is not known.
//!
//! `oauth2` makes the requests and reads the answers. Its errors have no status, so what only a status tells (429, 5xx) is taken out
//! before it reads: who has to wait is told for how long. No redirect is followed, and the token is dropped as soon as it has named the
//! person, but where they let us add them to a server by it.

use std::{pin::Pin, time::Duration};

use oauth2::{
    AsyncHttpClient, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType},
    http::{self, StatusCode},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use shared::{domain::adding::AccessToken, ids::UserId, sessions::Login};

/// The address that is registered at Discord, under our own origin. No other provider has this path.
pub const CALLBACK: &str = "/oauth/discord/callback";
/// What is called of Discord's API, as its description names it; the browser goes to its page itself.
pub const ROUTES: [(&str, &str); 2] = [("POST", "/oauth2/token"), ("GET", "/users/@me")];
/// Who they are, and nothing else.
const SCOPES: &[&str] = &["identify"];
/// The same where they may be added to a server, and what that takes.
const JOIN_SCOPES: &[&str] = &["identify", "email", JOIN];
const JOIN: &str = "guilds.join";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For each of the two calls; a page has 30 seconds in all.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Longer than Discord's names are; whatever comes, no page is filled with it.
const LONGEST_NAME: usize = 64;
/// Where Discord says 429 without saying for how long.
const DEFAULT_BUSY: Duration = Duration::from_secs(5);
/// What Discord asks for is believed up to here.
const MAX_BUSY: Duration = Duration::from_secs(3600);

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// What the operator copies from Discord's Developer Portal.
#[derive(Debug, Clone)]
pub struct Application {
    pub client_id: String,
    pub client_secret: SecretString,
    /// `https://discord.com`, or a sandbox.
    pub discord_url: String,
    /// Our own origin.
    pub public_url: String,
}

/// Why nobody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("Discord asks to wait {} s", .0.as_secs_f64())]
    Busy(Duration),
    #[error("Discord did not answer: {0}")]
    Unavailable(String),
    /// The code was used before, is too old, or was another login's.
    #[error("Discord does not take the code: {0}")]
    Code(String),
    /// Nobody can log in until the operator has mended it.
    #[error(
        "Discord does not take DISCORD_CLIENT_ID and DISCORD_CLIENT_SECRET ({0}): copy both again from the Developer Portal, OAuth2"
    )]
    NotOurs(String),
    #[error("Discord's answer cannot be used: {0}")]
    Unreadable(String),
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub user: UserId,
    pub username: String,
    /// By which they let us add them to a server; `None`: they do not.
    pub joins: Option<AccessToken>,
}

/// What a login asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    WhoTheyAre,
    /// And that they may be added to a server.
    ToJoin,
}

pub struct DiscordLogin {
    client: Client,
    http: reqwest::Client,
    api: String,
    issuer: String,
}

/// `GET /users/@me`: what we use of it.
#[derive(Deserialize)]
struct WireUser {
    id: String,
    username: String,
    #[serde(default)]
    bot: bool,
}

impl DiscordLogin {
    pub fn new(application: &Application) -> anyhow::Result<Self> {
        let Application { client_id, client_secret, discord_url, public_url } = application;
        let api = format!("{discord_url}/api/v10");
        let client = BasicClient::new(ClientId::new(client_id.clone()))
            .set_client_secret(ClientSecret::new(client_secret.expose_secret().to_owned()))
            .set_auth_uri(AuthUrl::new(format!("{discord_url}/oauth2/authorize"))?)
            .set_token_uri(TokenUrl::new(format!("{api}/oauth2/token"))?)
            .set_redirect_uri(RedirectUrl::new(format!("{public_url}{CALLBACK}"))?);
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("DiscordBot (Nexrole, ", env!("CARGO_PKG_VERSION"), ")"))
            .build()?;
        Ok(Self { client, http, api, issuer: discord_url.clone() })
    }

    /// Where the browser goes.
    pub fn page(&self, login: &Login, asks: Asks) -> String {
        let verifier = PkceCodeVerifier::new(login.verifier());
        let scopes = match asks {
            Asks::WhoTheyAre => SCOPES,
            Asks::ToJoin => JOIN_SCOPES,
        };
        let (url, _) = self
            .client
            .authorize_url(|| CsrfToken::new(login.state()))
            .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        url.into()
    }

    /// Whether an answer that says who it is from is Discord's (RFC 9207). Discord has said so since 2026-10; an answer that does not
    /// say it is taken.
    pub fn is_issuer(&self, iss: Option<&str>) -> bool {
        iss.is_none_or(|iss| iss == self.issuer)
    }

    /// Trades the code for a token, and the token for the person.
    pub async fn person(&self, login: Login, code: String) -> Result<Person, LoginError> {
        let token =
            self.client
                .exchange_code(AuthorizationCode::new(code))
                .set_pkce_verifier(PkceCodeVerifier::new(login.verifier()))
                .request_async(self)
                .await
                .map_err(|error| match error {
                    RequestTokenError::Request(error) => error,
                    RequestTokenError::ServerResponse(said) => match said.error() {
                        BasicErrorResponseType::InvalidClient
                        | BasicErrorResponseType::UnauthorizedClient => LoginError::NotOurs(said.to_string()),
                        _ => LoginError::Code(said.to_string()),
                    },
                    // Neither may be shown as it is: an answer may have a token in it.
                    RequestTokenError::Parse(error, _) => LoginError::Unreadable(error.path().to_string()),
                    RequestTokenError::Other(_) => LoginError::Unreadable("no token".to_owned()),
                })?;
        // What Discord says they agreed to counts, not what was asked for.
        let joins = token.scopes().is_some_and(|scopes| scopes.iter().any(|scope| scope.as_str() == JOIN));
        let token = token.access_token().secret();
        let joins = AccessToken::new(token).filter(|_| joins);
        Ok(Person { joins, ..self.me(token).await? })
    }

    async fn me(&self, token: &str) -> Result<Person, LoginError> {
        let answer = self.http.get(format!("{}/users/@me", self.api)).bearer_auth(token).send().await;
        let answer = answer.map_err(unavailable)?;
        let answer = waits_or_fails(answer.status(), answer.headers()).map_or(Ok(answer), Err)?;
        if !answer.status().is_success() {
            return Err(LoginError::Unreadable(format!("status {} to who it is", answer.status().as_u16())));
        }
        let user: WireUser = serde_json::from_slice(&answer.bytes().await.map_err(unavailable)?)
            .map_err(|error| LoginError::Unreadable(format!("{:?}", error.classify())))?;
        if user.bot {
            return Err(LoginError::Unreadable("a bot logs in".to_owned()));
        }
        let id = user.id.parse().map_err(|_| LoginError::Unreadable("no user id".to_owned()))?;
        let shown = user.username.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME);
        Ok(Person { user: id, username: shown.collect(), joins: None })
    }

    /// For `oauth2`: the answer, unless its status says all.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, LoginError> {
        let request = reqwest::Request::try_from(request).map_err(unavailable)?;
        let answer = self.http.execute(request).await.map_err(unavailable)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if let Some(error) = waits_or_fails(status, &headers) {
            return Err(error);
        }
        let body = answer.bytes().await.map_err(unavailable)?.to_vec();
        let mut response = http::Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for DiscordLogin {
    type Error = LoginError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, LoginError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

fn unavailable(error: reqwest::Error) -> LoginError {
    LoginError::Unavailable(error.without_url().to_string())
}

/// What a status alone says. A redirect is no answer: it could lead the secret anywhere.
fn waits_or_fails(status: StatusCode, headers: &http::HeaderMap) -> Option<LoginError> {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let said = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
        let wait = said.filter(|said| said.is_finite() && *said > 0.0);
        let wait =
            wait.map_or(DEFAULT_BUSY, |wait| Duration::from_secs_f64(wait.min(MAX_BUSY.as_secs_f64())));
        return Some(LoginError::Busy(wait));
    }
    (status.is_server_error() || status.is_redirection())
        .then(|| LoginError::Unavailable(format!("status {}", status.as_u16())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discord() -> DiscordLogin {
        drop(rustls::crypto::ring::default_provider().install_default());
        DiscordLogin::new(&Application {
            client_id: "7".to_owned(),
            client_secret: "hunter2".into(),
            discord_url: "https://discord.com".to_owned(),
            public_url: "https://roles.example.com".to_owned(),
        })
        .unwrap()
    }

    #[test]
    fn the_browser_is_sent_with_a_state_and_a_challenge_and_without_a_secret() {
        let login = Login::parse(&"A".repeat(43)).unwrap();
        let page = discord().page(&login, Asks::WhoTheyAre);
        let asked = page.strip_prefix("https://discord.com/oauth2/authorize?").unwrap();
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(login.verifier()));
        for part in [
            "response_type=code",
            "client_id=7",
            "scope=identify",
            "redirect_uri=https%3A%2F%2Froles.example.com%2Foauth%2Fdiscord%2Fcallback",
            &format!("state={}", login.state()),
            &format!("code_challenge={}", challenge.as_str()),
            "code_challenge_method=S256",
        ] {
            assert!(asked.split('&').any(|pair| pair == part), "{part}: {asked}");
        }
        for secret in ["hunter2", &login.verifier(), &login.cookie()] {
            assert!(!page.contains(secret), "{secret}");
        }
    }

    #[test]
    fn only_who_may_be_added_to_a_server_is_asked_for_it() {
        let login = Login::parse(&"A".repeat(43)).unwrap();
        let asked = |asks| {
            let page = discord().page(&login, asks);
            page.split('&').find_map(|pair| pair.strip_prefix("scope=").map(str::to_owned)).unwrap()
        };
        assert_eq!(asked(Asks::WhoTheyAre), "identify");
        assert_eq!(asked(Asks::ToJoin), "identify+email+guilds.join");
    }

    #[test]
    fn an_answer_of_another_issuer_is_not_discords() {
        let discord = discord();
        for (iss, taken) in [
            (None, true),
            (Some("https://discord.com"), true),
            (Some("https://discord.com/"), false),
            (Some("https://accounts.example.com"), false),
            (Some(""), false),
        ] {
            assert_eq!(discord.is_issuer(iss), taken, "{iss:?}");
        }
    }

    #[test]
    fn a_wait_is_believed_within_reason() {
        let said = |retry_after: &str| {
            let headers =
                [("retry-after".parse().unwrap(), retry_after.parse().unwrap())].into_iter().collect();
            waits_or_fails(StatusCode::TOO_MANY_REQUESTS, &headers)
        };
        for (retry_after, wait) in [
            ("7", Duration::from_secs(7)),
            ("0.5", Duration::from_millis(500)),
            ("-1", DEFAULT_BUSY),
            ("NaN", DEFAULT_BUSY),
            ("soon", DEFAULT_BUSY),
            ("1e30", MAX_BUSY),
        ] {
            assert_eq!(said(retry_after), Some(LoginError::Busy(wait)), "{retry_after}");
        }
        let none = http::HeaderMap::new();
        assert!(waits_or_fails(StatusCode::FOUND, &none).is_some());
        assert!(waits_or_fails(StatusCode::BAD_REQUEST, &none).is_none());
    }
}

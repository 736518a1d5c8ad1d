//! What is to be reached over HTTP: the gateway from outside, and both services on this machine. In: their addresses. Out:
//! whether they answer, and how.

use std::{error::Error, net::SocketAddr, time::Duration};

use serde::Deserialize;

use super::{
    findings::{Check, Findings},
    tls,
};

const TIMEOUT: Duration = Duration::from_secs(8);
/// A year (<https://hstspreload.org>).
const HSTS_SECONDS: u64 = 31_536_000;
const PROXY: &str = "docs/hardening.md, \"TLS\"";

/// They follow nobody elsewhere.
pub(super) struct Clients {
    /// By way of `HTTPS_PROXY`, where there is one.
    outside: reqwest::Client,
    /// Straight to this machine, which no proxy can see.
    here: reqwest::Client,
}

impl Clients {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        let client =
            || reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        Ok(Self { outside: client().build()?, here: client().no_proxy().build()? })
    }
}

/// The public address, as the rest of the world meets it.
pub(super) async fn check(
    findings: &mut Findings,
    clients: &Clients,
    public_url: Option<&str>,
    expects_webhooks: Option<bool>,
) {
    let Some(url) = public_url else { return without(findings, expects_webhooks) };
    let http = match url.strip_prefix("https://") {
        Some(authority) => {
            check_tls(findings, authority).await;
            &clients.outside
        }
        None => {
            findings.warn(
                Check::WebTls,
                "PUBLIC_URL is plain http on this machine: fine for a trial",
                format!("before others come: {PROXY}"),
            );
            &clients.here
        }
    };
    let answer = match http.get(format!("{url}/healthz")).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let detail = format!("{url}/healthz does not answer: {}", deepest(&error.without_url()));
            let fix = "does its name lead here, is the proxy up, and is its certificate good?";
            return findings.fail(Check::WebAddress, detail, fix);
        }
    };
    if !answer.status().is_success() {
        let detail = format!("{url}/healthz answers with status {}", answer.status().as_u16());
        let fix = "let the proxy pass everything to the gateway (BIND)";
        return findings.fail(Check::WebAddress, detail, fix);
    }
    let hsts = answer.headers().get("strict-transport-security").and_then(|value| value.to_str().ok());
    match hsts.and_then(max_age) {
        Some(seconds) if seconds >= HSTS_SECONDS => {
            findings.ok(Check::WebHsts, "Strict-Transport-Security says so for a year or more");
        }
        Some(_) => findings.warn(Check::WebHsts, "Strict-Transport-Security is short", PROXY),
        None => findings.warn(
            Check::WebHsts,
            "Strict-Transport-Security does not arrive: the gateway sends it",
            format!("the proxy takes it away: {PROXY}"),
        ),
    }
    if says(answer, "alive").await {
        findings.ok(Check::WebAddress, format!("{url} leads to the gateway"));
    } else {
        let detail = format!("{url}/healthz is answered by something else than the gateway");
        findings.fail(Check::WebAddress, detail, "let the proxy pass everything to the gateway (BIND)");
    }
}

fn without(findings: &mut Findings, expects_webhooks: Option<bool>) {
    if expects_webhooks == Some(false) {
        let detail = "no webhooks are set up: events are polled, and nobody needs to reach us";
        for check in [Check::WebAddress, Check::WebHsts, Check::WebTls] {
            findings.ok(check, detail);
        }
        return;
    }
    let detail = if expects_webhooks.is_some() {
        "webhooks are expected, and PUBLIC_URL is not set"
    } else {
        "PUBLIC_URL is not set; whether webhooks are expected stands in the database, which was not read"
    };
    findings.ask(Check::WebAddress, detail, "set it, and it is looked at from here");
    for check in [Check::WebHsts, Check::WebTls] {
        findings.ask(check, "PUBLIC_URL is not set: is the proxy set up as it should be?", PROXY);
    }
}

async fn check_tls(findings: &mut Findings, authority: &str) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(443)),
        _ => (authority, 443),
    };
    match tls::answer_to_old(host.trim_matches(['[', ']']), port).await {
        Ok(tls::Answer::Refused) => {
            findings.ok(Check::WebTls, "TLS 1.0 and 1.1 are refused");
        }
        Ok(tls::Answer::Spoken) => findings.fail(
            Check::WebTls,
            "TLS 1.0 or 1.1 is still spoken there",
            format!("let the proxy speak 1.2 and 1.3 alone: {PROXY}"),
        ),
        Ok(unclear) => {
            let said = match unclear {
                tls::Answer::HungUp => "that it hangs up".to_owned(),
                tls::Answer::Alert(about) => format!("alert {about}, which is not about versions"),
                _ => "no TLS".to_owned(),
            };
            let detail = format!("the answer to TLS 1.1 is {said}: which versions does the proxy speak?");
            findings.ask(Check::WebTls, detail, PROXY);
        }
        Err(error) => {
            findings.ask(Check::WebTls, format!("whether TLS 1.1 is refused is not clear: {error}"), PROXY);
        }
    }
}

/// `/security.txt` has somebody to tell.
pub(super) fn contact(findings: &mut Findings, contact: Option<&str>) {
    match contact {
        Some(_) => findings.ok(Check::WebContact, "SECURITY_CONTACT is set"),
        None => findings.warn(
            Check::WebContact,
            "nobody can be told of a vulnerability: /.well-known/security.txt is empty",
            "SECURITY_CONTACT=security@your.host",
        ),
    }
}

/// What `/healthz` and `/readyz` answer, as `shared::health` says it.
#[derive(Deserialize)]
struct Status {
    status: String,
}

async fn says(answer: reqwest::Response, status: &str) -> bool {
    answer.json::<Status>().await.is_ok_and(|said| said.status == status)
}

/// Why it is not ready, as `shared::health` says it (RFC 9457).
#[derive(Deserialize)]
struct Waiting {
    detail: String,
}

/// A service on this machine, if it runs here.
pub(super) async fn check_service(
    findings: &mut Findings,
    check: Check,
    clients: &Clients,
    listen: SocketAddr,
) {
    // On all interfaces means on loopback too.
    let address =
        if listen.ip().is_unspecified() { SocketAddr::from(([127, 0, 0, 1], listen.port())) } else { listen };
    let Ok(answer) = clients.here.get(format!("http://{address}/readyz")).send().await else {
        let where_else = if check == Check::ServicesBot {
            " (`nexrole up` gives it any free port, which its log names)"
        } else {
            ""
        };
        return findings.ask(
            check,
            format!("nothing answers at {address}: does it run elsewhere?{where_else}"),
            "look at its /readyz there, or start it",
        );
    };
    let ports = "BIND or PORT, here and there";
    if answer.status().is_success() {
        if says(answer, "ready").await {
            findings.ok(check, format!("{address} is ready"));
        } else {
            findings.fail(check, format!("{address} is answered by something else than the service"), ports);
        }
        return;
    }
    let status = answer.status().as_u16();
    match answer.json::<Waiting>().await {
        Ok(waiting) => {
            let detail = format!("{address} is not ready: {}", waiting.detail);
            findings.fail(check, detail, "put that right; it goes on by itself");
        }
        Err(_) => findings.fail(check, format!("{address} answers with status {status}: is it ours?"), ports),
    }
}

fn max_age(header: &str) -> Option<u64> {
    let directives = header.split(';').map(|directive| directive.trim().to_ascii_lowercase());
    directives.filter_map(|d| d.strip_prefix("max-age=")?.trim_matches('"').parse().ok()).next()
}

/// The last cause says what it was.
fn deepest(error: &dyn Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_https_is_kept_to() {
        assert_eq!(max_age("max-age=63072000; includeSubDomains; preload"), Some(63_072_000));
        assert_eq!(max_age("includeSubDomains; Max-Age=\"5\""), Some(5));
        assert_eq!(max_age("includeSubDomains"), None);
    }
}

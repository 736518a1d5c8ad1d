//! A subscriber in a browser, as far as claiming goes. In: where the pages are, and who it is at Discord. Out: what they paid for is theirs.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use reqwest::{Method, Response, StatusCode, header, redirect};

/// What a path of ours leads to, one click after the other. Cookies are kept as a browser does: those of ours that are strict are not
/// sent along where Discord led.
pub(crate) struct Visitor<'s> {
    /// Where the pages are, without a path.
    origin: &'s str,
    /// As a proxy in front would say it: each visitor has their own limits.
    address: String,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

const SESSION: &str = "__Host-session";

impl<'s> Visitor<'s> {
    /// `number`: which of them it is.
    pub(crate) fn new(origin: &'s str, number: u16) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).no_proxy().build()?;
        let [high, low] = number.to_be_bytes();
        Ok(Self { origin, address: format!("10.0.{high}.{low}"), http, cookies: BTreeMap::new() })
    }

    /// Opens the page after paying, logs in as this user, and says that the purchase is theirs.
    pub(crate) async fn claim(&mut self, session: &str, user: u64) -> anyhow::Result<()> {
        let claim = format!("/claim?session_id={session}");
        let first = self.open(&claim, true).await?;
        let login = attribute(&first, "href=\"/login/discord").context("the page leads to no login")?;
        let to_discord = self.send(Method::GET, &format!("/login/discord{login}"), &[], true).await?;
        let asked = location(&to_discord)?;
        let clicked = self.http.post(&asked).form(&[("user_id", user.to_string())]).send().await?;
        let back = location(&clicked)?;
        let back = back.strip_prefix(self.origin).context("Discord leads elsewhere")?;
        self.open(back, false).await?;
        ensure!(self.cookies.contains_key(SESSION), "nobody is logged in after the login");
        let question = self.open(&claim, true).await?;
        let token = attribute(&question, "name=\"form_token\" value=\"").context("the page asks nothing")?;
        let claimed = self.send(Method::POST, &claim, &[("form_token", token)], true).await?;
        let status = claimed.status();
        ensure!(
            status == StatusCode::SEE_OTHER,
            "the claim was answered {status}: {}",
            claimed.text().await?
        );
        Ok(())
    }

    /// A page's HTML, whatever its status. `is_ours`: one of our own pages led there.
    async fn open(&mut self, path: &str, is_ours: bool) -> anyhow::Result<String> {
        Ok(self.send(Method::GET, path, &[], is_ours).await?.text().await?)
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        is_ours: bool,
    ) -> anyhow::Result<Response> {
        let sent = self.cookies.iter().filter(|(name, _)| is_ours || *name != SESSION);
        let sent: Vec<_> = sent.map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.origin));
        request = request.header("X-Forwarded-For", &self.address).header(header::COOKIE, sent.join("; "));
        if method == Method::POST {
            request = request.header(header::ORIGIN, self.origin).form(form);
        }
        let response = request.send().await?;
        for line in response.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = line.to_str()?.split_once('=').context("a cookie without a name")?;
            let value = rest.split(';').next().unwrap_or_default();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(response)
    }
}

/// What stands between this and the next quotation mark.
fn attribute<'p>(page: &'p str, before: &str) -> Option<&'p str> {
    page.split_once(before)?.1.split('"').next()
}

fn location(response: &Response) -> anyhow::Result<String> {
    let status = response.status();
    let location = response.headers().get(header::LOCATION);
    let location = location.with_context(|| format!("the answer {status} leads nowhere"))?;
    Ok(location.to_str()?.to_owned())
}

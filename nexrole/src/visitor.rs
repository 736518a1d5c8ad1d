//! A subscriber in a browser, as far as claiming goes. In: where the pages are, and who it is at Discord. Out: what they paid for is theirs.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context, ensure};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header, redirect};

/// What a path of ours leads to, one click after the other. Cookies are kept as a browser does: those of ours that are strict are not
/// sent along where Discord led.
pub struct Visitor {
    /// Where the pages are, without a path.
    origin: String,
    /// As a proxy in front would say it: each visitor has their own limits.
    address: String,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

const SESSION: &str = "__Host-session";
/// As a proxy in front would say where a request is from.
const FORWARDED: &str = "X-Forwarded-For";

/// What came when a page was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub status: StatusCode,
    /// When the head of the answer was there.
    pub head_at: Instant,
    /// Of the body.
    pub bytes: usize,
}

impl Visitor {
    /// `number`: which of them it is.
    pub fn new(origin: &str, number: u16) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).no_proxy().build()?;
        let [high, low] = number.to_be_bytes();
        Ok(Self {
            origin: origin.to_owned(),
            address: format!("10.0.{high}.{low}"),
            http,
            cookies: BTreeMap::new(),
        })
    }

    /// Opens the page after paying, logs in as this user, and says that the purchase is theirs.
    pub(crate) async fn claim(&mut self, session: &str, user: u64) -> anyhow::Result<()> {
        let claim = format!("/claim?session_id={session}");
        self.log_in(&claim, user).await?;
        self.confirm(&claim).await
    }

    /// Opens a page of ours that asks for a login, and logs in as this user.
    pub async fn log_in(&mut self, path: &str, user: u64) -> anyhow::Result<()> {
        let first = self.open(path).await?;
        let login = attribute(&first, "href=\"/login/discord").context("the page leads to no login")?;
        let to_discord = self.send(Method::GET, &format!("/login/discord{login}"), &[], true).await?;
        self.keep_cookies(&to_discord)?;
        let asked = location(&to_discord)?;
        let clicked = self.http.post(&asked).form(&[("user_id", user.to_string())]).send().await?;
        let back = location(&clicked)?;
        let back = back.strip_prefix(&self.origin).context("Discord leads elsewhere")?;
        let back = self.send(Method::GET, back, &[], false).await?;
        self.keep_cookies(&back)?;
        ensure!(self.cookies.contains_key(SESSION), "nobody is logged in after the login");
        Ok(())
    }

    /// Says yes to what the page asks.
    pub async fn confirm(&self, path: &str) -> anyhow::Result<()> {
        let question = self.send(Method::GET, path, &[], true).await?.text().await?;
        let token = attribute(&question, "name=\"form_token\" value=\"").context("the page asks nothing")?;
        let claimed = self.send(Method::POST, path, &[("form_token", token)], true).await?;
        let status = claimed.status();
        ensure!(
            status == StatusCode::SEE_OTHER,
            "the claim was answered {status}: {}",
            claimed.text().await?
        );
        Ok(())
    }

    /// A page of ours, from an address of its own for each `number`.
    pub async fn look_at(&self, path: &str, number: u32) -> anyhow::Result<Page> {
        let [a, b, c, d] = number.to_be_bytes();
        let address = format!("fd00::{a:x}{b:02x}:{c:x}{d:02x}:0:0:0:1");
        let mut answer = self.request(Method::GET, path, true).header(FORWARDED, address).send().await?;
        let (status, head_at) = (answer.status(), Instant::now());
        let mut bytes = 0;
        while let Some(chunk) = answer.chunk().await? {
            bytes += chunk.len();
        }
        Ok(Page { status, head_at, bytes })
    }

    /// The HTML of a page of ours, whatever its status.
    async fn open(&mut self, path: &str) -> anyhow::Result<String> {
        let page = self.send(Method::GET, path, &[], true).await?;
        self.keep_cookies(&page)?;
        Ok(page.text().await?)
    }

    /// `is_ours`: one of our own pages led there.
    async fn send(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
        is_ours: bool,
    ) -> anyhow::Result<Response> {
        let mut request = self.request(method.clone(), path, is_ours).header(FORWARDED, &self.address);
        if method == Method::POST {
            request = request.header(header::ORIGIN, &self.origin).form(form);
        }
        Ok(request.send().await?)
    }

    fn request(&self, method: Method, path: &str, is_ours: bool) -> RequestBuilder {
        let sent = self.cookies.iter().filter(|(name, _)| is_ours || *name != SESSION);
        let sent: Vec<_> = sent.map(|(name, value)| format!("{name}={value}")).collect();
        self.http.request(method, format!("{}{path}", self.origin)).header(header::COOKIE, sent.join("; "))
    }

    fn keep_cookies(&mut self, response: &Response) -> anyhow::Result<()> {
        for line in response.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = line.to_str()?.split_once('=').context("a cookie without a name")?;
            let value = rest.split(';').next().unwrap_or_default();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(())
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

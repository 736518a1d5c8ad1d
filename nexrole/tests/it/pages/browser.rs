//! A browser without scripts: it keeps cookies, sends them as their `SameSite` says, and fills in forms. In: clicks. Out: pages.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};

use reqwest::{Method, StatusCode, header, redirect};
use sandbox::smtp::{self, Options, Running, Security};

use crate::support::world::World;

pub(super) const CALLBACK: &str = "/oauth/discord/callback";
static BROWSERS: AtomicU32 = AtomicU32::new(1);

/// Where a click was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// On a page of ours.
    Ours,
    /// On another site's: no strict cookie comes along.
    Elsewhere,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: header::HeaderMap,
    pub(super) html: String,
}

pub(super) struct Browser<'w> {
    world: &'w World,
    http: reqwest::Client,
    /// Everybody has their own, as far as the proxy says: nobody's limit is another's.
    address: String,
    /// With whether they are strict.
    cookies: RefCell<BTreeMap<String, (String, bool)>>,
    /// Whether the page that is open has `Referrer-Policy: no-referrer`: a form of it is sent with `Origin: null`
    /// (<https://fetch.spec.whatwg.org/#append-a-request-origin-header>).
    hides_origin: Cell<bool>,
}

impl World {
    /// Everything up, with the login set up: one price mapped to one role.
    pub(super) async fn with_login() -> Self {
        Self::without_services().await.log_in_is_set_up().await
    }

    /// The same, with a mail server.
    pub(super) async fn with_login_and_mail() -> (Self, Running) {
        let mut world = Self::without_services().await;
        let mails = world.set_up_mail().await;
        (world.log_in_is_set_up().await, mails)
    }

    /// A mail server, which the gateway is told of when it starts.
    pub(crate) async fn set_up_mail(&mut self) -> Running {
        let options = Options { port: 0, security: Security::StartTls, login: None };
        let mails = smtp::serve(options).await.expect("it listens");
        self.set("SMTP_URL", &format!("smtp://localhost:{}?tls=required", mails.address.port()));
        self.set("SMTP_CA", &mails.certificate);
        self.set("MAIL_FROM", "roles@example.com");
        mails
    }

    async fn log_in_is_set_up(self) -> Self {
        let mut world = self;
        let origin = world.gateway_url.clone();
        for (name, value) in world.set_up_login(&origin).await.expect("it is answered") {
            world.set(name, &value);
        }
        world.set("TRUSTED_PROXY_HOPS", "1");
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world.start_bot().await;
        world.until_every_mapped_role_is_seen().await;
        world
    }

    /// A member of the server, in a browser in which they are logged in.
    pub(super) async fn logged_in(&self, name: &str) -> (u64, Browser<'_>) {
        let user = self.discord.join(self.guild, name).await.expect("it is answered");
        let browser = self.browser();
        browser.log_in(user, "/login/discord?next=%2Faccount").await;
        (user, browser)
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).no_proxy();
        let http = http.timeout(std::time::Duration::from_secs(25)).build().expect("a client");
        let [_, a, b, c] = BROWSERS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = format!("10.{a}.{b}.{c}");
        Browser { world: self, http, address, cookies: RefCell::default(), hides_origin: Cell::default() }
    }
}

impl Page {
    pub(super) fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().expect("text")
    }

    /// Where the browser goes by itself, without a script.
    pub(super) fn refresh(&self) -> Option<&str> {
        let header = self.headers.get("refresh").map(|value| value.to_str().expect("text"));
        header.or_else(|| {
            self.html.split_once("<noscript><meta http-equiv=\"refresh\" content=\"")?.1.split('"').next()
        })
    }

    /// Where it hears of a change, with one.
    pub(super) fn events(&self) -> String {
        plain(
            self.html
                .split_once("data-events=\"")
                .and_then(|(_, rest)| rest.split('"').next())
                .expect("a stream"),
        )
    }

    pub(super) fn title(&self) -> String {
        plain(self.html.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next()).expect("a heading"))
    }

    /// Where the link with this label leads.
    pub(super) fn link(&self, label: &str) -> String {
        let mut parts = self.html.split("<a ").skip(1);
        let found = parts.find(|part| plain(part).contains(&format!(">{label}</a>")));
        let part = found.unwrap_or_else(|| panic!("no link {label:?}: {}", self.html));
        plain(part.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an address"))
    }

    /// The form with this button: where it goes, and what is in it.
    pub(super) fn form(&self, label: &str) -> (String, Vec<(String, String)>) {
        let mut parts = self.html.split("<form ").skip(1);
        let found = parts.find(|part| plain(part).contains(&format!(">{label}</button>")));
        let part = found.unwrap_or_else(|| panic!("no form {label:?}: {}", self.html));
        let attribute = |part: &str, name: &str| {
            plain(
                part.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect(name),
            )
        };
        let fields = part.split("<input ").skip(1);
        let fields = fields.map(|field| (attribute(field, "name"), attribute(field, "value"))).collect();
        (attribute(part, "action"), fields)
    }
}

/// Text as a person sees it.
pub(super) fn plain(html: &str) -> String {
    let named =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\"")];
    let text = named.iter().fold(html.to_owned(), |text, (entity, letter)| text.replace(entity, letter));
    text.replace("&#39;", "'").replace("&#38;", "&").replace("&amp;", "&")
}

impl Browser<'_> {
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).map(|(value, _)| value.clone())
    }

    pub(super) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), (value.to_owned(), name == "__Host-session"));
    }

    /// Another browser with the same cookies: a thief's.
    pub(super) fn copy(&self) -> Self {
        let copy = self.world.browser();
        copy.cookies.replace(self.cookies.borrow().clone());
        copy
    }

    fn request(&self, method: Method, path: &str, from: From) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.world.gateway_url));
        let cookies = self.cookies.borrow();
        let sent = cookies.iter().filter(|(_, (_, strict))| from == From::Ours || !strict);
        let sent: Vec<_> = sent.map(|(name, (value, _))| format!("{name}={value}")).collect();
        let site = if from == From::Ours { "same-origin" } else { "cross-site" };
        let request = request.header("sec-fetch-site", site).header("x-forwarded-for", &self.address);
        if sent.is_empty() { request } else { request.header(header::COOKIE, sent.join("; ")) }
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Page {
        let answer = request.send().await.expect("the gateway answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        self.hides_origin
            .set(headers.get(header::REFERRER_POLICY).is_some_and(|policy| policy == "no-referrer"));
        for line in headers.get_all(header::SET_COOKIE) {
            let line = line.to_str().expect("text");
            assert!(
                line.starts_with("__Host-") && line.contains("; Path=/; Secure; HttpOnly; SameSite="),
                "{line}"
            );
            let (name, rest) = line.split_once('=').expect("a name");
            let value = rest.split(';').next().expect("a value").to_owned();
            let mut cookies = self.cookies.borrow_mut();
            if line.ends_with("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), (value, line.contains("SameSite=Strict")));
            }
        }
        Page { status, headers, html: answer.text().await.expect("text") }
    }

    pub(super) async fn open(&self, path: &str) -> Page {
        self.read(self.request(Method::GET, path, From::Ours)).await
    }

    /// By another site's link, or redirect.
    pub(super) async fn led_to(&self, path: &str) -> Page {
        self.read(self.request(Method::GET, path, From::Elsewhere)).await
    }

    /// Sends a form as our own page does.
    pub(super) async fn send(&self, (action, fields): (String, Vec<(String, String)>)) -> Page {
        let origin = if self.hides_origin.get() { "null" } else { &self.world.gateway_url };
        let request = self.request(Method::POST, &action, From::Ours).header(header::ORIGIN, origin);
        self.read(request.form(&fields)).await
    }

    /// Sends a form with this `Origin`, or none at all, and no word of where it comes from; with every cookie, as no browser would.
    pub(super) async fn post_as(&self, origin: Option<&str>, action: &str, token: &str) -> Page {
        let request = self.http.post(format!("{}{action}", self.world.gateway_url));
        let cookies = self.cookies.borrow().clone();
        let sent: Vec<_> = cookies.iter().map(|(name, (value, _))| format!("{name}={value}")).collect();
        let request = request.header("x-forwarded-for", &self.address);
        let request = request.header(header::COOKIE, sent.join("; ")).form(&[("form_token", token)]);
        self.read(match origin {
            Some(origin) => request.header(header::ORIGIN, origin),
            None => request,
        })
        .await
    }

    /// Goes to Discord's page by this path of ours, and answers there as somebody: our address that Discord's answer leads to.
    pub(super) async fn at_discord(&self, path: &str, form: &[(&str, &str)]) -> String {
        self.at_discord_with(path, form, str::to_owned).await
    }

    /// The same with another address of Discord's page.
    pub(super) async fn at_discord_with(
        &self,
        path: &str,
        form: &[(&str, &str)],
        change: impl Fn(&str) -> String,
    ) -> String {
        let sent = self.open(path).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.html);
        let asked = change(sent.location());
        assert!(asked.starts_with(&self.world.discord_server().url), "{asked}");
        let shown = self.http.get(&asked).send().await.expect("Discord answers");
        assert_eq!(shown.status(), StatusCode::OK, "{asked}");
        let clicked = self.http.post(&asked).form(form).send().await.expect("Discord answers");
        let back = clicked.headers()[header::LOCATION].to_str().expect("text").to_owned();
        back.strip_prefix(&self.world.gateway_url).expect("ours").to_owned()
    }

    /// Logs in as this user, and goes where the login leads: its path.
    pub(super) async fn log_in(&self, user: u64, path: &str) -> String {
        let back = self.at_discord(path, &[("user_id", &user.to_string())]).await;
        let between = self.led_to(&back).await;
        assert_eq!(between.status, StatusCode::OK, "{}", between.html);
        let next = between.refresh().and_then(|refresh| refresh.strip_prefix("0; url=")).expect("it goes on");
        assert_eq!(between.link("Continue"), next, "by itself, or by a click");
        next.to_owned()
    }

    /// Looks at the role's page, as often as the page itself asks for, until it has this title.
    pub(super) async fn until_title(&self, world: &World, path: &str, title: &str) {
        world
            .until(title, async || {
                let page = self.open(path).await;
                page.title() == title || {
                    assert!(page.refresh().is_some(), "it would not look again: {}", page.html);
                    false
                }
            })
            .await;
    }
}

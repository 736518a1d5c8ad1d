//! A real browser: headless Chromium, by chromedriver. In: clicks, and what is typed. Out: what a person sees, and whether they all can.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use shared::config::Env;
use testkit::{process::until, report::say};
use thirtyfour::{
    By, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, SameSite, WebDriver, WebElement,
    error::{WebDriverError, WebDriverResult},
    session::http::{Body, HttpClient},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};

/// Far above what is ever needed, for busy machines.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A browser is several processes, and each test has one: one at a time leaves the other tests their cores.
static ALONE: Mutex<()> = Mutex::const_new(());
static SAID: Once = Once::new();
/// Nothing is asked for that is not on this machine, and nothing of the machine's settings matters.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    // Its own fence needs rights that root in a container has not; every page is ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

/// What pages are looked at on. The narrow one is the narrowest that WCAG 2.2 asks for (1.4.10).
const LOOKS: [Look; 4] = [
    Look { name: "desktop-dark", width: 1280, height: 800, scheme: "dark" },
    Look { name: "desktop-light", width: 1280, height: 800, scheme: "light" },
    Look { name: "phone-dark", width: 320, height: 640, scheme: "dark" },
    Look { name: "phone-light", width: 320, height: 640, scheme: "light" },
];

struct Look {
    name: &'static str,
    width: u32,
    height: u32,
    scheme: &'static str,
}

/// A browser of one person, ended with the test. Its fields end in this order.
pub(super) struct Chromium {
    driver: WebDriver,
    _chromedriver: Chromedriver,
    _folder: Folder,
    _alone: MutexGuard<'static, ()>,
    axe: String,
    screenshots: Option<PathBuf>,
}

impl Chromium {
    /// `None`, said loudly, where there is none; where `NEXROLE_BROWSER` is `required`, that is an error.
    pub(super) async fn start() -> Option<Self> {
        let env = Env::from_process();
        let names = ["NEXROLE_CHROMIUM", "NEXROLE_CHROMEDRIVER", "NEXROLE_AXE"];
        let [Some(chromium), Some(chromedriver), Some(axe)] = names.map(|name| env.get(name)) else {
            let what =
                "the tests in a browser, which need NEXROLE_CHROMIUM, NEXROLE_CHROMEDRIVER and NEXROLE_AXE";
            assert!(env.get("NEXROLE_BROWSER").is_none_or(|word| word != "required"), "not set: {what}");
            SAID.call_once(|| say(&format!("SKIPPED: {what} (CONTRIBUTING.md)")));
            return None;
        };
        let axe = fs::read_to_string(&axe).unwrap_or_else(|error| panic!("{axe}: {error}"));
        let screenshots = env.get("NEXROLE_SCREENSHOTS").map(PathBuf::from);
        if let Some(folder) = &screenshots {
            fs::create_dir_all(folder).expect("a folder for screenshots");
        }
        let alone = ALONE.lock().await;
        let folder = Folder::new();
        let server = Chromedriver::start(&chromedriver, &folder).await;
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(&chromium).expect("a path");
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a level");
        for argument in ARGUMENTS {
            wanted.add_arg(argument).expect("an argument");
        }
        let profile = format!("--user-data-dir={}", folder.0.join("profile").display());
        wanted.add_arg(&profile).expect("an argument");
        let driver = WebDriver::builder(&server.url, wanted).client(Client::new()).connect().await;
        let driver = driver.unwrap_or_else(|error| panic!("Chromium does not start: {error:#}"));
        driver.set_page_load_timeout(PATIENCE).await.expect("it is set");
        driver.set_script_timeout(PATIENCE).await.expect("it is set");
        let (_chromedriver, _folder, _alone) = (server, folder, alone);
        let browser = Self { driver, _chromedriver, _folder, _alone, axe, screenshots };
        browser.looks_through(&LOOKS[3]).await;
        Some(browser)
    }

    /// The end of a test that went well.
    pub(super) async fn quit(self) {
        self.driver.clone().quit().await.expect("Chromium ends");
    }

    pub(super) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error:#}"));
    }

    /// A click on the link or button with this text, and on what it leads to.
    pub(super) async fn click(&self, text: &str) {
        let quoted = xpath_text(text);
        let path = format!("//a[normalize-space()={quoted}] | //button[normalize-space()={quoted}]");
        self.one(&path).await.click().await.unwrap_or_else(|error| panic!("{text:?}: {error:#}"));
    }

    /// What is typed into the field with this label, instead of what was there.
    pub(super) async fn fill(&self, label: &str, typed: &str) {
        let label =
            self.one(&format!("//label[starts-with(normalize-space(), {})]", xpath_text(label))).await;
        let argument = label.to_json().expect("an element");
        let field = self.driver.execute("return arguments[0].control", [argument]).await;
        let field = field.and_then(|field| field.element()).expect("a label names its field");
        field.clear().await.expect("it can be written in");
        field.send_keys(typed).await.expect("it can be written in");
    }

    /// Waits for a page with this heading: by a redirect, by its own looking again, or by its being there.
    pub(super) async fn until_title(&self, title: &str) {
        let began = Instant::now();
        loop {
            // Between two pages there is none.
            let found = self.heading().await;
            if found.as_ref().is_ok_and(|found| found == title) {
                return;
            }
            if began.elapsed() > PATIENCE {
                let address = self.driver.current_url().await;
                panic!("waited in vain for {title:?}: {found:?} at {address:?}");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until this can be read: where the heading was the same before.
    pub(super) async fn until_text(&self, said: &str) {
        let began = Instant::now();
        loop {
            let found = self.readable().await;
            if found.as_ref().is_ok_and(|found| found.contains(said)) {
                return;
            }
            assert!(began.elapsed() <= PATIENCE, "waited in vain for {said:?}: {found:?}");
            sleep(LOOK_EVERY).await;
        }
    }

    async fn readable(&self) -> WebDriverResult<String> {
        self.driver.find(By::Tag("main")).await?.text().await
    }

    async fn heading(&self) -> WebDriverResult<String> {
        self.driver.find(By::Tag("h1")).await?.text().await
    }

    /// All that can be read.
    pub(super) async fn text(&self) -> String {
        self.one("//main").await.text().await.expect("text")
    }

    pub(super) async fn address(&self) -> String {
        self.driver.current_url().await.expect("an address").to_string()
    }

    /// Of the page's site: each one's name, `SameSite`, `Secure` and `HttpOnly`.
    pub(super) async fn cookies(&self) -> Vec<(String, Option<SameSite>, Option<bool>, Option<bool>)> {
        let cookies = self.driver.get_all_cookies().await.expect("cookies");
        cookies.into_iter().map(|it| (it.name, it.same_site, it.secure, it.http_only)).collect()
    }

    /// A script's answer; no page of ours has a script.
    pub(super) async fn script(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, []).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error:#}")).json().clone()
    }

    /// What must hold of every page, does hold of this one. A page that looks again by itself stands still from then on.
    pub(super) async fn check(&self, page: &str) {
        self.script("window.stop()").await;
        let wrong = self.wrong(page).await;
        assert!(wrong.is_empty(), "{page}: {}", wrong.join("\n"));
    }

    /// What is wrong with a page: on a phone and a desktop, in light and dark, axe finds nothing and nothing is cut off; it says its
    /// language, is light, asks nobody else for anything, and breaks no rule of its own about contents. With a picture of each look.
    pub(super) async fn wrong(&self, page: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let facts = self.script(FACTS).await;
        if facts["language"] != "en" {
            wrong.push(format!("its language: {}", facts["language"]));
        }
        if facts["elsewhere"] != json!([]) {
            wrong.push(format!("it asks others: {}", facts["elsewhere"]));
        }
        if !facts["bytes"].as_u64().is_some_and(|bytes| (1..=MOST_BYTES).contains(&bytes)) {
            wrong.push(format!("its bytes: {}", facts["bytes"]));
        }
        self.script(&self.axe).await;
        for look in &LOOKS {
            self.looks_through(look).await;
            self.screenshot(&format!("{page}-{}", look.name)).await;
            wrong.extend(self.axe().await.into_iter().map(|found| format!("{}: {found}", look.name)));
            let cut = self.script("return document.scrollingElement.scrollWidth - window.innerWidth").await;
            if cut.as_i64().is_none_or(|cut| cut > 0) {
                wrong.push(format!("{}: cut off: {cut} px", look.name));
            }
        }
        let log = self.driver.browser_log().await.expect("a log");
        let refused = log.into_iter().filter(|entry| entry.message.contains("Content Security Policy"));
        wrong.extend(refused.map(|entry| entry.message));
        wrong
    }

    /// What axe-core finds, of WCAG 2.2 A and AA and of best practice.
    async fn axe(&self) -> Vec<String> {
        let found = self.driver.execute_async(AXE, []).await.unwrap_or_else(|error| panic!("axe: {error:#}"));
        let found = found.json().as_array().expect("violations, not an error").clone();
        found.iter().map(|violation| format!("{violation:#}")).collect()
    }

    /// Kept as `name.png` where `NEXROLE_SCREENSHOTS` names a folder.
    pub(super) async fn screenshot(&self, name: &str) {
        if let Some(folder) = &self.screenshots {
            self.driver.screenshot(&folder.join(format!("{name}.png"))).await.expect("a picture");
        }
    }

    async fn looks_through(&self, look: &Look) {
        let Look { width, height, scheme, .. } = look;
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < &500 });
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        let cdp = self.driver.cdp();
        cdp.send_raw("Emulation.setDeviceMetricsOverride", size).await.expect("a size");
        cdp.send_raw("Emulation.setEmulatedMedia", media).await.expect("a scheme");
    }

    /// The only one, as soon as it is there.
    async fn one(&self, path: &str) -> WebElement {
        let began = Instant::now();
        loop {
            let mut found = self.driver.find_all(By::XPath(path)).await.unwrap_or_default();
            if let [_] = found[..] {
                return found.remove(0);
            }
            if began.elapsed() > PATIENCE {
                let page = self.driver.source().await;
                panic!("{} times {path}: {page:?}", found.len());
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// In all: the page, and what it loads.
const MOST_BYTES: u64 = 30_000;
const FACTS: &str = "
    const loaded = performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'));
    return {
        language: document.documentElement.lang,
        bytes: loaded.reduce((sum, entry) => sum + entry.encodedBodySize, 0),
        elsewhere: loaded.map(entry => entry.name).filter(name => new URL(name).origin !== location.origin),
    };";
/// Targets large enough for a finger are a rule of WCAG 2.2 AA that axe leaves out unless asked.
const AXE: &str = "
    const done = arguments[0];
    const options = { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } };
    axe.run(document, options).then(
        found => done(found.violations.map(({ id, help, nodes }) =>
            ({ id, help, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) }))),
        error => done(String(error)));";

/// A text in an XPath, which knows no escapes.
fn xpath_text(text: &str) -> String {
    assert!(!text.contains('"'), "{text}");
    format!("\"{text}\"")
}

/// The server that speaks WebDriver, and what it starts.
struct Chromedriver {
    url: String,
    group: Pid,
    _child: Child,
    /// Open, so that it can write.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Chromedriver {
    async fn start(program: &str, folder: &Folder) -> Self {
        let mut command = Command::new(program);
        command.arg("--port=0").env("TMPDIR", &folder.0).env("HOME", &folder.0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.process_group(0).kill_on_drop(true).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}"));
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = async {
            while let Some(line) = lines.next_line().await.expect("UTF-8") {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').to_owned();
                }
            }
            panic!("{program} ended without saying where it listens");
        };
        let port = timeout(PATIENCE, port).await.expect("it says where it listens");
        Self { url: format!("http://127.0.0.1:{port}"), group, _child: child, _stdout: lines }
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        // With whatever is left of a browser, where its test failed. It may have ended by itself.
        kill_process_group(self.group, Signal::KILL).unwrap_or(());
    }
}

/// Where the browser keeps everything. Some of its processes end a moment after it, and write until then.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("nexrole-chromium-{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        until("Chromium's folder can be removed", || fs::remove_dir_all(&self.0).is_ok() || !self.0.exists());
    }
}

/// The driver's way to its server.
struct Client(reqwest::Client);

impl Client {
    fn new() -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(2 * PATIENCE).build();
        Self(client.expect("a client"))
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let failed = |error: reqwest::Error| WebDriverError::RequestFailed(error.to_string());
        let request = request.map(|body| match body {
            Body::Empty => reqwest::Body::default(),
            Body::Json(json) => json.to_string().into(),
        });
        let answer = self.0.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
        let status = answer.status();
        let mut response = Response::new(answer.bytes().await.map_err(failed)?);
        *response.status_mut() = status;
        Ok(response)
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(Self::new())
    }
}

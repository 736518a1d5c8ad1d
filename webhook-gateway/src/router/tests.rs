//! The table against the router, and the middleware against what it is there for.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::IntoResponse,
    routing::any,
};
use shared::{
    db::{pg_roles::Login, pool},
    domain::service_request::Service,
    http::{
        headers,
        limits::Limits,
        origin::{HostCookie, SameSite, allowed_origin},
    },
    service_requests::ServiceRequests,
    sessions::Sessions,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    http::{rate_limit::RateLimit, route::allow},
    ingest::{endpoints::Endpoints, recorder},
    pages::{Presences, Watchers},
    stripe::{api::ReadClient, credentials::Keys},
};

fn app(hops: usize) -> Router {
    let pool = pool::pool("postgres://nobody@127.0.0.1:1/x", 1, Login::Gateway).unwrap();
    let (recorder, _) = recorder::start(pool.clone(), Arc::default(), CancellationToken::new());
    let endpoints = Arc::new(Endpoints::new(pool.clone(), None, false));
    let webhook = Arc::new(Webhook::new(endpoints, recorder, hops));
    drop(rustls::crypto::ring::default_provider().install_default());
    let keys = Keys { pool: pool.clone(), keyring: None, environment: None, budgets: Arc::default() };
    let requests = Arc::new(ServiceRequests::new(pool.clone(), None, Service::Gateway));
    let pages = Arc::new(Pages {
        pool: pool.clone(),
        sessions: Sessions::new(pool.clone()),
        discord: None,
        stripe: ReadClient::new("http://127.0.0.1:1").unwrap(),
        keys: Arc::new(keys),
        presences: Presences::new(Arc::clone(&requests)),
        requests,
        codes: None,
        claims: RateLimit::per_minute(claim::PER_MINUTE),
        watchers: Watchers::default(),
    });
    let state = AppState { webhook, readiness: ReadinessProbe::new(pool), security_txt: None, pages };
    super::app(state, &Arc::new(Admission::new(hops, None)))
}

/// What axum itself says it routes: it has no other way to be asked.
fn paths(router: &Router) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    let quoted = shown.split("paths: {").skip(1).filter_map(|part| part.split('}').next().map(|_| part));
    quoted
        .flat_map(|part| part.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[tokio::test]
async fn the_router_has_what_the_table_names_and_nothing_else() {
    let mut routed = paths(&app(0));
    // axum's own, for the fallback.
    routed.retain(|path| path.starts_with('/') && path != "/" && !path.contains("__private"));
    let table = routes();
    let named: BTreeSet<String> = table.iter().map(|route| route.path.to_owned()).collect();
    assert_eq!(routed, named);
    let lines: BTreeSet<_> = table.iter().map(|route| (route.path, route.method.as_str())).collect();
    assert_eq!(lines.len(), table.len(), "a path and method are named once");
    // The check itself sees a route that was smuggled in.
    let smuggled = app(0).route("/smuggled", any(async || "hello"));
    assert!(paths(&smuggled).contains("/smuggled"));
}

#[test]
fn what_the_table_says_of_a_route_is_what_its_kind_needs() {
    for Route { method, access, limit, path, .. } in routes() {
        match access {
            Access::Signed => assert!(method == Method::POST && limit == Limit::Failures, "{path}"),
            Access::Public => assert!(method == Method::GET && limit != Limit::Failures, "{method} {path}"),
            // Nothing else may be changed from anywhere.
            Access::Link => assert!(path.starts_with("/mail/") && path.ends_with("/{secret}"), "{path}"),
            Access::Page => {
                assert!(matches!(method, Method::GET | Method::POST), "{path}");
                assert!(matches!(limit, Limit::Public | Limit::Login), "{path}: whoever opens it is counted");
            }
        }
    }
}

async fn serve(router: Router) -> (reqwest::Client, String) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(shared::http::serve(listener, router, Limits::default(), CancellationToken::new()));
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().unwrap();
    (http, url)
}

/// Any route, with every method it does not take: 405 with `Allow`; every path that is none: 404; all with their headers.
#[tokio::test]
async fn every_route_refuses_other_methods_and_says_which_it_takes() {
    // As if each came from an address of its own: nobody's limit is reached.
    let (http, url) = serve(app(1)).await;
    let (table, mut callers) = (routes(), 0_u16..);
    for route in &table {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let [net, host] = callers.next().unwrap().to_be_bytes();
            let caller = format!("10.0.{net}.{host}");
            let request = http.request(method.clone(), format!("{url}{}", route.path));
            let answer = request.header("x-forwarded-for", caller).send().await.unwrap();
            let is_page = matches!(route.access, Access::Page | Access::Link);
            let surface = if is_page { headers::Surface::Page } else { headers::Surface::Api };
            let chosen = |name: &str| name == "cache-control" && route.path.starts_with("/assets/");
            for (name, value) in headers::of(surface) {
                let kept = answer.status() == StatusCode::OK && chosen(name);
                assert!(kept || answer.headers()[name] == value, "{method} {}: {name}", route.path);
            }
            let of_path: Vec<_> = table.iter().filter(|other| other.path == route.path).cloned().collect();
            let takes = of_path.iter().any(|route| route.takes(&method));
            assert_eq!(answer.status() == StatusCode::METHOD_NOT_ALLOWED, !takes, "{method} {}", route.path);
            if !takes {
                assert_eq!(answer.headers()[header::ALLOW], allow(&of_path));
                let kind = if is_page { "text/html; charset=utf-8" } else { "application/problem+json" };
                assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
            }
            assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
        }
    }
}

#[tokio::test]
async fn each_address_has_a_rate_limit_and_the_retry_after_is_true() {
    let (http, url) = serve(app(1)).await;
    let ask = async |from: &str| {
        http.get(format!("{url}/nowhere")).header("x-forwarded-for", from).send().await.unwrap()
    };
    let mut answer = ask("1.1.1.1").await;
    for _ in 0..400 {
        answer = ask("1.1.1.1").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = answer.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert_eq!(ask("2.2.2.2").await.status(), StatusCode::NOT_FOUND, "another address");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(ask("1.1.1.1").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn logins_have_a_limit_of_their_own_for_each_address() {
    let (http, url) = serve(app(1)).await;
    let ask = async |path: &str, from: &str| {
        http.get(format!("{url}{path}")).header("x-forwarded-for", from).send().await.unwrap().status()
    };
    let mut tries = 0;
    while ask("/login/discord", "1.1.1.1").await != StatusCode::TOO_MANY_REQUESTS {
        tries += 1;
        assert!(tries < 100, "no limit");
    }
    assert!(tries >= 20, "{tries}: a household may log in");
    let back = ask("/oauth/discord/callback", "1.1.1.1").await;
    assert_eq!(back, StatusCode::TOO_MANY_REQUESTS, "the way back counts, too");
    assert_ne!(ask("/login/discord", "2.2.2.2").await, StatusCode::TOO_MANY_REQUESTS, "another address");
    assert_ne!(ask("/account", "1.1.1.1").await, StatusCode::TOO_MANY_REQUESTS, "and nothing else");
}

#[tokio::test]
async fn plain_http_is_refused_when_our_proxy_says_so() {
    let (http, url) = serve(app(1)).await;
    let (direct, direct_url) = serve(app(0)).await;
    for path in ["/healthz", "/webhooks/stripe", "/nowhere"] {
        let ask = async |http: &reqwest::Client, url: &str, proto: &str| {
            http.get(format!("{url}{path}")).header("x-forwarded-proto", proto).send().await.unwrap()
        };
        let refused = ask(&http, &url, "http").await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!(refused.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_ne!(ask(&http, &url, "https").await.status(), StatusCode::FORBIDDEN);
        // Nobody in front of us is believed.
        assert_ne!(ask(&direct, &direct_url, "http").await.status(), StatusCode::FORBIDDEN);
    }
}

/// What stands before pages, on one that exists here only.
#[tokio::test]
async fn a_page_takes_changes_from_our_own_origin_only() {
    let page = Route::<()>::post("/page", Access::Page, Limit::Public, async || "changed");
    let admission = Arc::new(Admission::new(0, Some("https://roles.example.com".to_owned())));
    let (http, url) = serve(guarded(vec![page], &admission)).await;
    for (name, value, status) in [
        ("origin", "https://roles.example.com", StatusCode::OK),
        ("origin", "https://evil.example", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-origin", StatusCode::OK),
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("x-nothing", "x", StatusCode::FORBIDDEN),
    ] {
        let answer = http.post(format!("{url}/page")).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
        let kind =
            if status == StatusCode::OK { "text/plain; charset=utf-8" } else { "text/html; charset=utf-8" };
        assert_eq!(answer.headers()[header::CONTENT_TYPE], kind, "a person reads the error");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self'"), "{policy}");
    }
}

/// A page that sets a session's cookie, and a change that needs it: what a browser and a foreign site see on the wire.
#[tokio::test]
async fn a_session_is_set_and_used_by_our_own_pages_and_by_nobody_else() {
    let session = HostCookie::new("session", SameSite::Strict);
    let (changes, partners) = (Arc::new(AtomicUsize::new(0)), ["https://shop.example".to_owned()]);
    let page = async move |headers: HeaderMap| {
        let cookie = session.set("abc", Some(Duration::from_secs(60))).expect("letters");
        let mut answer = ([(header::SET_COOKIE, cookie)], "a page").into_response();
        let asks =
            headers.get(header::ORIGIN).and_then(|origin| allowed_origin(&partners, origin.as_bytes()));
        if let Some(origin) = asks {
            let origin = HeaderValue::from_str(origin).expect("an origin");
            answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        answer
    };
    let counted = Arc::clone(&changes);
    let change = async move |headers: HeaderMap| {
        counted.fetch_add(1, SeqCst);
        session.read(&headers).unwrap_or("nobody").to_owned()
    };
    // Reading and changing have the same address.
    let routes: Vec<Route<()>> = vec![
        Route::get("/page", Access::Page, Limit::Public, page),
        Route::post("/page", Access::Page, Limit::Public, change),
    ];
    let admission = Arc::new(Admission::new(0, Some("https://roles.example.com".to_owned())));
    let (http, url) = serve(guarded(routes, &admission)).await;

    let get =
        async |origin: &str| http.get(format!("{url}/page")).header("origin", origin).send().await.unwrap();
    let page = get("https://evil.example").await;
    assert_eq!(
        page.headers()[header::SET_COOKIE],
        "__Host-session=abc; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=60"
    );
    assert!(!page.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let partner = get("https://shop.example").await;
    assert_eq!(partner.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");

    let post = async |origin: &str, cookie: &str| {
        let request = http.post(format!("{url}/page")).header("origin", origin).header("cookie", cookie);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let own = "https://roles.example.com";
    assert_eq!(post(own, "a=b; __Host-session=abc").await, (StatusCode::OK, "abc".to_owned()));
    assert_eq!(post(own, "session=abc").await, (StatusCode::OK, "nobody".to_owned()));
    let planted = "__Host-session=abc; __Host-session=evil";
    assert_eq!(post(own, planted).await, (StatusCode::OK, "nobody".to_owned()));
    for foreign in
        ["https://evil.example", "https://shop.example", "null", "https://roles.example.com.evil.example"]
    {
        let (status, body) = post(foreign, "__Host-session=abc").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{foreign}");
        assert!(body.contains("this site's own pages"), "{body}");
    }
    assert_eq!(changes.load(SeqCst), 3, "a foreign change never reached the page");
}

/// Two lines of one path: each method has its own access and handler, and `Allow` names both.
#[tokio::test]
async fn a_path_may_answer_get_and_post_each_by_its_own_line() {
    let routes: Vec<Route<()>> = vec![
        Route::get("/form", Access::Public, Limit::Public, async || "the form"),
        Route::post("/form", Access::Page, Limit::Public, async || "changed"),
    ];
    let admission = Arc::new(Admission::new(0, Some("https://roles.example.com".to_owned())));
    let (http, url) = serve(guarded(routes, &admission)).await;
    let ask = async |method: Method, origin: &str| {
        let answer =
            http.request(method, format!("{url}/form")).header("origin", origin).send().await.unwrap();
        let allow = answer.headers().get(header::ALLOW).map(|value| value.to_str().unwrap().to_owned());
        (answer.status(), allow, answer.text().await.unwrap())
    };
    let evil = "https://evil.example";
    assert_eq!(ask(Method::GET, evil).await, (StatusCode::OK, None, "the form".to_owned()));
    assert_eq!(ask(Method::HEAD, evil).await, (StatusCode::OK, None, String::new()));
    assert_eq!(ask(Method::POST, evil).await.0, StatusCode::FORBIDDEN);
    let own = "https://roles.example.com";
    assert_eq!(ask(Method::POST, own).await, (StatusCode::OK, None, "changed".to_owned()));
    let (status, allow, _) = ask(Method::PUT, own).await;
    assert_eq!((status, allow.as_deref()), (StatusCode::METHOD_NOT_ALLOWED, Some("GET,HEAD,POST")));
}

//! The gateway's listener, with everything behind it: slow clients, malformed requests over every route, and clients that go away.

use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use shared::http::headers;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use webhook_gateway::router::routes;

use crate::support::{
    scale::scaled,
    signing::{event, sign},
    world::{SECRET, World},
};

fn address(world: &World) -> &str {
    world.gateway_url.trim_start_matches("http://")
}

#[tokio::test]
async fn signed_events_get_in_while_a_thousand_slow_heads_hold_sockets() {
    let world = World::start().await;
    let began = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..1000 {
        let mut stream = TcpStream::connect(address(&world)).await.unwrap();
        stream.write_all(b"POST /webhooks/stripe HTTP/1.1\r\nhost: ").await.unwrap();
        slow.push(stream);
    }
    let mut longest = Duration::ZERO;
    for n in 0..20 {
        let asked = Instant::now();
        let body = event(&format!("evt_meanwhile_{n}"), "new.type", &json!({}), false);
        assert_eq!(world.post_signed(&body).await.status(), 200);
        longest = longest.max(asked.elapsed());
    }
    println!("the slowest of 20 signed events took {} ms", longest.as_millis());
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    let last = slow.pop().unwrap();
    for mut stream in slow.into_iter().chain([last]) {
        let mut heard = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut heard)).await;
        // Closed with a 408, or reset: never still open.
        drop(closed.expect("it is closed"));
    }
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    world.close().await;
}

/// One request out of a generator: mostly a route of the table with something wrong, as bytes.
fn request(random: &mut StdRng) -> (Vec<u8>, bool) {
    let word = |random: &mut StdRng, longest: usize| -> String {
        let n = random.random_range(0..=longest);
        (0..n).map(|_| char::from(random.random_range(0x21..0x7f_u8))).collect()
    };
    let routes = routes();
    let route = &routes[random.random_range(0..routes.len())];
    let method = match random.random_range(0..6) {
        0..=2 => route.method.to_string(),
        3 => ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
            [random.random_range(0..8)]
        .to_owned(),
        4 => word(random, 12).replace([' ', '/', ':'], "X"),
        _ => "POST".to_owned(),
    };
    let mut path = route.path.replace(
        "{endpoint_id}",
        &match random.random_range(0..4) {
            0 => format!("{:032x}", random.random::<u128>()),
            1 => "%FF%00%2e%2e%2f".to_owned(),
            2 => word(random, 80),
            _ => "../../healthz".to_owned(),
        },
    );
    match random.random_range(0..8) {
        0 => path.push_str(&format!("?{}", word(random, 60))),
        1 => path.push_str(&word(random, 20)),
        2 => path = format!("/{}", "a".repeat(random.random_range(0..20_000))),
        3 => path.push('\u{e9}'),
        _ => {}
    }
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
    // Each from another address: or rate limits would answer for everybody.
    head.extend(
        format!(
            "x-forwarded-for: 10.{}.{}.{}\r\n",
            random.random::<u8>(),
            random.random::<u8>(),
            random.random::<u8>()
        )
        .bytes(),
    );
    for _ in 0..random.random_range(0..6) {
        let line = match random.random_range(0..10) {
            0 => format!("stripe-signature: t={},v1={}\r\n", random.random::<u32>(), word(random, 70)),
            1 => "content-type: text/plain; charset=utf-16\r\n".to_owned(),
            2 => "content-encoding: gzip\r\n".to_owned(),
            3 => format!("{}: {}\r\n", word(random, 10), word(random, 200)),
            4 => "x: y\r\n".repeat(random.random_range(0..120)),
            5 => format!("x: {}\r\n", "z".repeat(random.random_range(0..20_000))),
            6 => "expect: 100-continue\r\n".to_owned(),
            7 => format!("origin: {}\r\n", word(random, 30)),
            8 => "upgrade: h2c\r\n".to_owned(),
            _ => "x-odd: \u{7f}\u{1}\r\n".to_owned(),
        };
        head.extend(line.bytes());
    }
    let n = random.random_range(0..300);
    let body: Vec<u8> = (0..n).map(|_| random.random()).collect();
    match random.random_range(0..6) {
        0 => head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
        1 => head.extend(format!("content-length: {}\r\n\r\n", word(random, 5)).bytes()),
        2 => head
            .extend(format!("content-length: {}\r\n\r\n", u64::from(random.random::<u32>()) * 1000).bytes()),
        _ => head.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes()),
    }
    head.extend(body);
    (head, method == "HEAD")
}

/// What is wrong with an answer; `None`: nothing. No answer at all is wrong: every one of these requests has an end.
fn complaint(answer: &[u8], is_head: bool) -> Option<String> {
    // `100 Continue` before the real one.
    let text = String::from_utf8_lossy(answer);
    let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Some("no answer".to_owned()) };
    let Some(status) = head.get(9..12).and_then(|status| status.parse::<u16>().ok()) else {
        return Some("no status".to_owned());
    };
    let is = |kind: &str| head.contains(&format!("\r\ncontent-type: {kind}"));
    // An event stream that nobody listens to has no content, and is a page's.
    let is_page = is("text/html") || status == 204;
    let surface = if is_page { headers::Surface::Page } else { headers::Surface::Api };
    for (name, value) in headers::of(surface) {
        // The pages' style and script may be kept.
        if name == "cache-control" && status == 200 && (is("text/css") || is("text/javascript")) {
            continue;
        }
        if !head.contains(&format!("\r\n{name}: {value}")) {
            return Some(format!("{name} is missing"));
        }
    }
    if status >= 500 && status != 503 {
        return Some("5xx".to_owned());
    }
    if status < 400 || is_head {
        return None;
    }
    if is("text/html") {
        return (!body.contains("<h1>")).then(|| "a page without a heading".to_owned());
    }
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let is_problem = head.contains("\r\ncontent-type: application/problem+json")
        && problem["status"] == status
        && problem["title"].is_string();
    (!is_problem).then(|| "no problem+json".to_owned())
}

#[tokio::test]
async fn generated_requests_over_all_routes_get_a_proper_answer_and_write_nothing() {
    let mut world = World::without_services().await;
    world.set("TRUSTED_PROXY_HOPS", "1");
    world.start_gateway().await;
    let before = world.events().await;
    let total = scaled(1000, 100_000);
    let mut statuses = std::collections::BTreeMap::<String, usize>::new();
    for n in 0..total {
        let mut random = StdRng::seed_from_u64(n as u64);
        let (said, is_head) = request(&mut random);
        let mut stream = TcpStream::connect(address(&world)).await.unwrap();
        // It may be refused before it is read to its end; what announced more than it sends ends here.
        drop(stream.write_all(&said).await);
        drop(stream.shutdown().await);
        let mut heard = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut heard)).await;
        end.unwrap_or_else(|_| panic!("request {n} is never answered")).ok();
        let last = heard.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&heard);
        let status = String::from_utf8_lossy(last.get(9..12).unwrap_or(b"-")).into_owned();
        *statuses.entry(status).or_default() += 1;
        if let Some(wrong) = complaint(&heard, is_head) {
            let (said, heard) = (String::from_utf8_lossy(&said), String::from_utf8_lossy(&heard));
            panic!("request {n}: {wrong}\n{said}\n{heard}");
        }
    }
    println!("{total} requests: {statuses:?}");
    assert!(statuses.len() >= 6, "{statuses:?}");
    assert_eq!(world.events().await, before);
    let alive = world.http.get(format!("{}/healthz", world.gateway_url)).send().await.unwrap();
    assert_eq!(alive.status(), 200);
    world.close().await;
}

/// As `store::abandoned_transactions`, of clients of the gateway, at random moments of a request, when everybody shares one connection.
#[tokio::test]
async fn clients_that_go_away_at_random_leave_no_transaction_behind() {
    let mut world = World::without_services().await;
    world.start_gateway_with(|config| config.connections = 1).await;
    let mut random = StdRng::seed_from_u64(11);
    for n in 0..scaled(300, 10_000) {
        let body = event(&format!("evt_gone_{n}"), "new.type", &json!({}), false);
        let signature = sign(&body, SECRET);
        let endpoint = if n % 3 == 0 { format!("/{:032x}", random.random::<u128>()) } else { String::new() };
        let path = if n % 5 == 0 { "/readyz".to_owned() } else { format!("/webhooks/stripe{endpoint}") };
        let method = if n % 5 == 0 { "GET" } else { "POST" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nstripe-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(address(&world)).await.unwrap();
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        tokio::time::sleep(Duration::from_micros(random.random_range(0..3000))).await;
        drop(stream);
    }
    // Whoever stays is served as ever, again and again: the one connection is not inside anybody's transaction.
    for n in 0..20 {
        let body = event(&format!("evt_after_{n}"), "new.type", &json!({}), false);
        assert_eq!(world.post_signed(&body).await.status(), 200);
        let ready = world.http.get(format!("{}/readyz", world.gateway_url)).send().await.unwrap();
        assert_eq!(ready.status(), 200);
    }
    assert_eq!(world.events_where(|event| event.event_id.starts_with("evt_after_")).await, 20);
    world.until("no transaction is open", async || world.database().idle_transactions().await == 0).await;
    world.close().await;
}

#[tokio::test]
async fn security_txt_names_the_contact_or_is_not_there() {
    let mut world = World::without_services().await;
    world.start_gateway().await;
    let url = format!("{}/.well-known/security.txt", world.gateway_url);
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 404);
    world.stop_gateway().await;
    world.set("SECURITY_CONTACT", "security@example.com");
    world.set("PUBLIC_URL", "https://roles.example.com/");
    world.start_gateway().await;
    let answer = world.http.get(&url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    let text = answer.text().await.unwrap();
    assert!(text.starts_with("Contact: mailto:security@example.com\nExpires: 20"), "{text}");
    assert!(text.contains("\nCanonical: https://roles.example.com/.well-known/security.txt\n"), "{text}");
    world.close().await;
}

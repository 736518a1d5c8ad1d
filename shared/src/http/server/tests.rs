//! The accept loop on real sockets: slow, many, malformed and panicking clients.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::serve;
use crate::http::{
    headers::{self, Surface},
    limits::Limits,
    problem::with_problem_fallbacks,
};

const SOON: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    finished: Arc<AtomicUsize>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let finished = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&finished);
        let slow = move || {
            let count = Arc::clone(&count);
            async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                count.fetch_add(1, SeqCst);
                "done"
            }
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/echo", post(|body: Bytes| async { body }))
            .route("/panic", get(|| async { panic!("sk_live_canary") as &str }))
            .route("/slow", get(slow.clone()))
            .route("/slow-post", post(async move |_: Bytes| slow().await))
            .route("/never", get(std::future::pending::<&str>));
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self { address, stop, task, finished }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// From another of this machine's addresses.
    async fn connect_from(&self, address: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends, and returns what comes back until the connection ends.
    async fn round_trip(&self, sent: &str) -> String {
        read_to_end(send(self.connect().await, sent).await).await
    }
}

async fn send(mut stream: TcpStream, sent: &str) -> TcpStream {
    // The other side may have closed already.
    drop(stream.write_all(sent.as_bytes()).await);
    stream
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut received = Vec::new();
    let reading = async {
        let mut part = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut part).await {
            received.extend_from_slice(&part[..n]);
        }
    };
    tokio::time::timeout(SOON, reading).await.expect("the connection ends");
    String::from_utf8(received).unwrap()
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut part = [0; 4096];
    let n = tokio::time::timeout(SOON, stream.read(&mut part)).await.expect("an answer").unwrap();
    String::from_utf8(part[..n].to_vec()).unwrap()
}

#[track_caller]
fn assert_problem(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    assert!(answer.contains(&format!("\"status\":{status}")), "{answer}");
    assert_has_our_headers(answer);
}

#[track_caller]
fn assert_has_our_headers(answer: &str) {
    for (name, value) in headers::of(Surface::Api) {
        assert_eq!(answer.matches(&format!("\r\n{name}: {value}\r\n")).count(), 1, "{name} in {answer}");
    }
    assert!(!answer.to_ascii_lowercase().contains("\r\nserver:"), "{answer}");
}

#[tokio::test]
async fn an_answer_and_the_errors_that_no_handler_sees_have_all_headers() {
    let server = Server::start(Limits::default()).await;
    let fine = server.round_trip("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(fine.starts_with("HTTP/1.1 200 OK") && fine.ends_with("\r\n\r\nhello"), "{fine}");
    assert_has_our_headers(&fine);
    for (sent, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        ("G\u{1}T / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65)), 431),
        (format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(17_000)), 431),
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "a".repeat(2048)), 414),
        (format!("GET /?{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "a".repeat(2048)), 414),
    ] {
        assert_problem(&server.round_trip(&sent).await, status);
    }
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_message_and_harms_no_other_request() {
    let server = Server::start(Limits::default()).await;
    let mut stream = send(server.connect().await, "GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = read_some(&mut stream).await;
    assert_problem(&answer, 500);
    assert!(!answer.contains("canary"), "{answer}");
    // Not even the same connection.
    let mut stream = send(stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn slow_heads_are_closed_in_time_while_others_are_served() {
    let limits = Limits { head: Duration::from_secs(1), ..Limits::default() };
    let server = Server::start(limits).await;
    let began = Instant::now();
    let mut slow = Vec::new();
    for n in 0..100 {
        let stream = server.connect_from("127.0.0.2").await;
        // Some say nothing, some drip a byte now and then.
        slow.push(tokio::spawn(async move {
            if n % 2 == 0 {
                return read_to_end(stream).await;
            }
            let (mut read, mut write) = stream.into_split();
            let drip = async {
                for byte in b"GET / HTTP/1.1\r\nhost: xxxxxxxxxxxxxxxxxxxxxxxxxxx".iter().cycle() {
                    if write.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            let mut received = String::new();
            let hear = async {
                let mut part = [0; 4096];
                while let Ok(n @ 1..) = read.read(&mut part).await {
                    received.push_str(std::str::from_utf8(&part[..n]).unwrap());
                }
            };
            tokio::select! { () = drip => {} () = hear => {} }
            received
        }));
    }
    for _ in 0..20 {
        let asked = Instant::now();
        server.round_trip("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(asked.elapsed() < Duration::from_millis(500), "an honest client waited");
    }
    for (n, stream) in slow.into_iter().enumerate() {
        let received = stream.await.unwrap();
        if n % 2 == 0 { assert_eq!(received, "") } else { assert_problem(&received, 408) }
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_longer_than_a_slow_head_and_not_for_ever() {
    let limits =
        Limits { head: Duration::from_millis(500), idle: Duration::from_secs(2), ..Limits::default() };
    let server = Server::start(limits).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream = send(stream, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let began = Instant::now();
    assert_eq!(read_to_end(stream).await, "");
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn when_it_is_full_a_silent_connection_is_closed_for_a_new_one() {
    let limits = Limits { connections: 10, per_network: Some(6), ..Limits::default() };
    let server = Server::start(limits).await;
    let mut silent = Vec::new();
    for n in 0..40 {
        silent.push(server.connect_from(&format!("127.0.0.{}", 2 + n % 4)).await);
    }
    let busy =
        send(server.connect().await, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    for _ in 0..20 {
        silent.push(server.connect_from("127.0.0.9").await);
    }
    assert!(
        server.round_trip("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ends_with("hello")
    );
    assert!(read_to_end(busy).await.ends_with("done"), "who is being answered is never closed for others");
    // The first to come were the first to go.
    assert_eq!(read_to_end(silent.remove(0)).await, "");
}

/// Each of these may take its time, and together they are more than there is room for.
#[tokio::test]
async fn slow_bodies_lock_no_client_out() {
    let server = Server::start(Limits { connections: 10, per_network: Some(6), ..Limits::default() }).await;
    let mut slow = Vec::new();
    for n in 0..40 {
        let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
        slow.push(send(server.connect_from(&format!("127.0.0.{}", 2 + n % 4)).await, head).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let echo = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    for _ in 0..10 {
        assert!(server.round_trip(echo).await.ends_with("hello"));
    }
}

#[tokio::test]
async fn when_it_is_full_a_connection_with_an_unfinished_body_is_closed_for_a_new_one() {
    let limits = Limits { connections: 10, per_network: Some(6), ..Limits::default() };
    let server = Server::start(limits).await;
    let half = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{";
    let mut halves = Vec::new();
    for n in 0..40 {
        halves.push(send(server.connect_from(&format!("127.0.0.{}", 2 + n % 2)).await, half).await);
        // So that its head is received.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let whole = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    assert!(server.round_trip(whole).await.ends_with("hello"));
    let slow = "POST /slow-post HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1";
    let answered = send(server.connect().await, slow).await;
    for _ in 0..40 {
        halves.push(send(server.connect_from("127.0.0.3").await, half).await);
    }
    assert!(read_to_end(answered).await.ends_with("done"), "whose body is whole is never closed for others");
    assert_eq!(read_to_end(halves.remove(0)).await, "", "the first to keep us waiting was the first to go");
}

#[tokio::test]
async fn the_connection_that_kept_us_waiting_longest_is_closed_not_the_oldest() {
    let server = Server::start(Limits { connections: 2, ..Limits::default() }).await;
    let first = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut first = send(first, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(read_some(&mut first).await.ends_with("hello"));
    assert!(
        server.round_trip("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.ends_with("hello")
    );
    assert_eq!(read_to_end(second).await, "", "it never sent anything");
    let mut first = send(first, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(read_some(&mut first).await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_nothing() {
    let server = Server::start(Limits::default()).await;
    for _ in 0..10 {
        let stream = send(server.connect().await, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
    }
    let began = Instant::now();
    while server.finished.load(SeqCst) < 10 {
        assert!(began.elapsed() < SOON, "{} of 10 ended", server.finished.load(SeqCst));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_client_that_closes_its_half_after_its_request_still_gets_the_response() {
    let server = Server::start(Limits::default()).await;
    let mut stream = send(server.connect().await, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    stream.shutdown().await.unwrap();
    assert!(read_to_end(stream).await.ends_with("done"));
}

/// A socket that is closed with bytes unread is reset, and many clients then lose what was sent last.
#[tokio::test]
async fn a_refusal_is_not_followed_by_a_reset_while_its_client_still_sends() {
    let server = Server::start(Limits::default()).await;
    let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(17_000));
    let odd = "POST /echo HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_owned();
    for (sent, status) in [(long, 431), (odd, 400)] {
        let mut stream = send(server.connect().await, &sent).await;
        assert_problem(&read_some(&mut stream).await, status);
        for _ in 0..5 {
            stream.write_all(&[b'b'; 1000]).await.expect("it is not reset");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(read_to_end(stream).await, "", "nothing more is sent, and it is closed in the end");
    }
}

#[tokio::test]
async fn what_a_listener_does_not_have_is_a_problem() {
    let routes = Router::new().route("/metrics", get(|| async { "numbers" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(serve(listener, with_problem_fallbacks(routes), Limits::default(), stop.clone()));
    for (line, status) in [("GET /", 404), ("GET /metrics/x", 404), ("PUT /x", 404), ("POST /metrics", 405)] {
        let sent = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = read_to_end(send(TcpStream::connect(address).await.unwrap(), &sent).await).await;
        assert_problem(&answer, status);
        assert_eq!(answer.contains("\r\nallow: GET,HEAD\r\n"), status == 405, "{answer}");
    }
    stop.cancel();
}

#[tokio::test]
async fn what_is_not_answered_in_time_and_what_is_too_much_is_503() {
    let limits = Limits { request: Duration::from_millis(300), requests: 2, ..Limits::default() };
    let server = Server::start(limits).await;
    let never = "GET /never HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for _ in 0..2 {
        let answer = server.round_trip(never).await;
        assert_problem(&answer, 503);
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    }
    // Both still run: the third is refused at once.
    let began = Instant::now();
    assert_problem(&server.round_trip(never).await, 503);
    assert!(began.elapsed() < Duration::from_millis(200));
}

#[tokio::test]
async fn it_stops_at_once_when_nothing_is_in_flight_and_in_time_otherwise() {
    let limits = Limits { drain: Duration::from_secs(1), ..Limits::default() };
    for (sent, longest) in [
        ("", 300),
        ("GET / HT", 300),
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", 300),
        ("GET /never HTTP/1.1\r\nhost: x\r\n\r\n", 1500),
        ("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{", 1500),
    ] {
        let server = Server::start(limits).await;
        let stream = send(server.connect().await, sent).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        server.stop.cancel();
        tokio::time::timeout(SOON, server.task).await.expect("it stops").unwrap();
        assert!(began.elapsed() < Duration::from_millis(longest), "{sent:?}: {:?}", began.elapsed());
        drop(stream);
    }
    let server = Server::start(limits).await;
    let stream = send(server.connect().await, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    assert!(read_to_end(stream).await.ends_with("done"), "what is in flight is answered");
    server.task.await.unwrap();
}

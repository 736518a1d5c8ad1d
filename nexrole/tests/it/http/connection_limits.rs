//! More connections, files and bytes at once than there is room for. In: a gateway that is a process of its own, overloaded. Out: honest
//! events are answered, in bounded time and memory, and the process is still there.

use std::{
    cell::Cell,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use nexrole::children::{Plan, Running, Service, free_port};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use shared::config::Env;
use testkit::scratch::Scratch;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::support::{
    overload::{PATIENCE, allow_many_files, capacity, honest},
    own_server::NEXROLE,
    scale::scaled,
    signing::sign,
    tenants::{ENCRYPTION_KEYS, SECOND_GUILD, TENANT_SECRET},
    world::{SECRET, World},
};

struct Gateway {
    process: Running,
    log: PathBuf,
    address: SocketAddr,
    _scratch: Scratch,
}

impl Gateway {
    async fn start(world: &mut World, name: &str) -> Self {
        let scratch = Scratch::new(name);
        let log = scratch.0.join("log");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port().expect("a port")));
        let values = world.variables();
        let env = Env::from_pairs(values.iter().map(|(name, value)| (*name, value.as_str())));
        let env = env.with("ENCRYPTION_KEYS", ENCRYPTION_KEYS).with("METRICS_BIND", "127.0.0.1:0");
        let plan = Plan {
            program: PathBuf::from(NEXROLE),
            service: Service::Gateway,
            env,
            listen: address,
            log: Some(log.clone()),
        };
        let process = plan.start_ready().await.expect("it starts");
        world.gateway_url = format!("http://{address}");
        let known = async || world.post(b"{}", None).await.status() == 400;
        world.until("the configured connection is known", known).await;
        Self { process, log, address, _scratch: scratch }
    }

    fn pid(&self) -> u32 {
        self.process.pid().expect("it runs")
    }

    /// The most memory it ever had, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Seconds of a processor so far, in hundredths.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("a part").split_whitespace().collect();
        [11, 12].iter().map(|n| fields[*n].parse::<u64>().expect("a number")).sum()
    }

    fn limit_files(&self, to: u64) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("small")).expect("not zero");
        let limit = Rlimit { current: Some(to), maximum: Some(to) };
        prlimit(Some(pid), Resource::Nofile, limit).expect("it is ours");
    }

    /// From one of this machine's many addresses, saying this much.
    async fn dial(&self, from: u8, said: &str) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, from], 0))).expect("an address of this machine");
        let mut stream = socket.connect(self.address).await.ok()?;
        stream.write_all(said.as_bytes()).await.ok()?;
        Some(stream)
    }

    async fn end(self, world: World) {
        self.process.stop().await.expect("it stops");
        world.close().await;
    }
}

/// What is written about JSON bombs: memory is bounded by what was sent, and nothing takes long.
#[tokio::test]
async fn json_bombs_cost_no_more_than_their_size() {
    let mut world = World::without_services().await;
    let gateway = Gateway::start(&mut world, "bombs").await;
    let head = r#"{"id":"evt_ID","type":"customer.subscription.updated","livemode":false,"data":"#;
    let mebibyte = 1024 * 1024;
    let room = mebibyte - 200;
    let keys: String = (0..80_000).map(|n| format!("\"k{n}\":1,")).collect();
    let bombs = [
        (400, "[".repeat(mebibyte)),
        (400, "{\"a\":".repeat(room / 5)),
        (400, format!("{head}{}", "[".repeat(room))),
        (200, format!("{head}{}{}}}", "[".repeat(room / 2), "]".repeat(room / 2))),
        (200, format!("{head}{}1{}}}", "{\"object\":".repeat(room / 12), "}".repeat(room / 12))),
        (200, format!("{head}{{{keys}\"object\":{{\"id\":\"sub_1\"}}}}}}")),
        (200, format!("{head}1{}}}", "0".repeat(room))),
        (200, format!("{head}{{\"object\":{{\"id\":1e{}}}}}}}", "9".repeat(room))),
        (400, format!("{{\"id\":{},\"type\":\"x\"}}", "9".repeat(room))),
        (200, format!("{head}\"{}\"}}", "\\u0041".repeat(room / 6))),
        (400, format!("{{\"id\":\"{}\",\"type\":\"x\"}}", "\\u0041".repeat(room / 6))),
        (200, format!("{head}[{}1]}}", "1,".repeat(room / 2 - 2))),
        (400, format!("{{{}\"id\":\"a\"}}", "\"type\":\"x\",".repeat(room / 11))),
    ];
    honest(&world, "/webhooks/stripe", SECRET, "evt_before").await;
    let before = gateway.peak();
    let mut dearest = 0;
    let rounds = scaled(1, 5);
    for round in 0..rounds {
        for (n, (status, body)) in bombs.iter().enumerate() {
            let body = body.replace("evt_ID", &format!("evt_{round}_{n}")).into_bytes();
            assert!(body.len() <= mebibyte, "bomb {n} has {} bytes", body.len());
            let spent = gateway.ticks();
            let answer = world.post(&body, Some(&sign(&body, SECRET))).await;
            assert_eq!(answer.status(), *status, "bomb {n}");
            dearest = dearest.max(gateway.ticks() - spent);
        }
    }
    let grown = gateway.peak() - before;
    println!(
        "{} bombs of 1 MiB: the peak of memory grew by {grown} KiB; the dearest cost {dearest}0 ms of a processor",
        rounds * bombs.len()
    );
    assert!(grown < 24 * 1024, "memory grew by {grown} KiB");
    assert!(dearest < 200, "{dearest}0 ms of a processor for one event");
    gateway.end(world).await;
}

/// Half-open heads, slow bodies, silent sockets and guesses of addresses, more than there is room for, from nine addresses.
#[tokio::test]
async fn honest_events_are_answered_in_a_flood_of_everything_at_once() {
    allow_many_files();
    let mut world = World::without_services().await;
    let path = format!("/webhooks/stripe/{}", world.sealed_tenant(SECOND_GUILD).await);
    let gateway = Gateway::start(&mut world, "flood").await;
    let slow = [
        "",
        "POST /webhooks/stripe HTTP/1.1\r\nhost: ",
        "POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{",
        "POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{",
    ];
    let mut connections = Vec::new();
    for n in 0..scaled(1_000, 4_000) {
        let from = 2 + u8::try_from(n % 8).expect("small");
        connections.extend(gateway.dial(from, slow[n % slow.len()]).await);
        if connections.len() > 1_000 {
            connections.drain(..100);
        }
    }
    assert!(connections.len() > capacity(), "{} came: no overload", connections.len());
    let guessed = Cell::new(0);
    let guess = |n: u64| {
        format!("POST /webhooks/stripe/{n:032x} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}")
    };
    let guessing = async {
        for n in 0.. {
            let from = 2 + u8::try_from(n % 8).expect("small");
            let guess = gateway.dial(from, &guess(n)).await;
            guessed.set(guessed.get() + usize::from(guess.is_some()));
            connections.extend(guess);
            connections.extend(gateway.dial(from, slow[2]).await);
            tokio::time::sleep(Duration::from_millis(10)).await;
            if connections.len() > 1_000 {
                connections.drain(..100);
            }
        }
    };
    let events = async {
        world.until("guesses come in", async || guessed.get() > 0).await;
        let mut waits = Vec::new();
        for n in 0..30 {
            let (path, secret) =
                if n % 2 == 0 { (path.as_str(), TENANT_SECRET) } else { ("/webhooks/stripe", SECRET) };
            waits.push(honest(&world, path, secret, &format!("evt_honest_{n}")).await);
        }
        waits.sort_unstable();
        waits
    };
    let waits = tokio::select! { () = guessing => unreachable!(), waits = events => waits };
    println!("30 honest events in the flood: half took {:?}, the slowest {:?}", waits[15], waits[29]);
    assert!(
        connections.len() > capacity() && guessed.get() > 0,
        "{} stayed, {} guesses: no flood",
        connections.len(),
        guessed.get()
    );
    drop(connections);
    gateway.end(world).await;
}

/// 64 files, three times as many clients: room is made, nothing ends, and no processor is burnt in vain.
#[tokio::test]
async fn a_gateway_that_may_open_no_more_files_serves_on_and_recovers() {
    let mut world = World::without_services().await;
    let gateway = Gateway::start(&mut world, "files").await;
    honest(&world, "/webhooks/stripe", SECRET, "evt_first").await;
    gateway.limit_files(64);
    let mut connections = Vec::new();
    for n in 0..200_u8 {
        connections.extend(gateway.dial(2 + n % 8, "").await);
    }
    assert!(connections.len() > 64, "{} came: no overload", connections.len());
    let came = Instant::now();
    let lines =
        || std::fs::read_to_string(&gateway.log).unwrap().matches("connections cannot be accepted").count();
    world.until("it met the limit, and says so", async || lines() > 0).await;
    let mut longest = Duration::ZERO;
    for n in 0..20 {
        longest = longest.max(honest(&world, "/webhooks/stripe", SECRET, &format!("evt_overload_{n}")).await);
    }
    let said = lines();
    let at_most = 1 + usize::try_from(came.elapsed().as_secs() / 10).expect("small");
    assert!(said <= at_most, "it says so {said} times: an overload must not fill the disk");
    let (ticks, began) = (gateway.ticks(), Instant::now());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = gateway.ticks() - ticks;
    let share = u128::from(spent) * 1000 / began.elapsed().as_millis().max(1);
    println!(
        "64 files, 200 clients: the slowest of 20 events took {longest:?}; idle it used {share} % of a processor"
    );
    assert!(share < 50, "{share} % of a processor for nothing");
    drop(connections);
    let mut last = vec![0; 64];
    let mut later = gateway.dial(2, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it accepts");
    let heard = tokio::time::timeout(PATIENCE, later.read(&mut last)).await.unwrap().unwrap();
    assert!(last[..heard].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&last));
    honest(&world, "/webhooks/stripe", SECRET, "evt_after").await;
    gateway.end(world).await;
}

//! The gateway's listener under pressure: whose events get in while others hold every connection, and what that costs whom.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use nexrole::children::free_port;
use serde_json::json;
use shared::{
    db::{pg_roles::Login, pool, tenant},
    domain::{
        audit::Actor,
        billing::catalogue::{Catalogue, PaymentLink, Price},
    },
    ids::GuildId,
    store::{catalogue, stripe_connections},
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpSocket, TcpStream},
};

use crate::support::{
    overload::{allow_many_files, capacity, honest},
    postgres_proxy::PostgresProxy,
    signing::{event, sign},
    tenants::{SECOND_GUILD, TENANT_SECRET},
    world::{SECRET, World},
};

/// From another of this machine's addresses, with a head and the first byte of a body.
async fn half_a_request(world: &World, from: [u8; 4]) -> Option<TcpStream> {
    let to: SocketAddr = world.gateway_url.trim_start_matches("http://").parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("the loopback network is ours");
    let mut stream = socket.connect(to).await.ok()?;
    let head = b"POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{";
    stream.write_all(head).await.ok()?;
    Some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_events_get_in_while_two_addresses_fill_every_place_with_half_bodies() {
    allow_many_files();
    let mut world = World::without_services().await;
    world.start_gateway().await;
    let world = Arc::new(world);
    // 512 places are all that one address gets; the other takes the rest, and whenever one is closed, another comes.
    let groups = [([127, 0, 0, 2], 512), ([127, 0, 0, 3], 400)];
    let held = Arc::new(AtomicUsize::new(0));
    let mut attackers = tokio::task::JoinSet::new();
    for (from, places) in groups {
        let (world, all_held) = (Arc::clone(&world), Arc::clone(&held));
        attackers.spawn(async move {
            let mut held = VecDeque::new();
            loop {
                let Some(one) = half_a_request(&world, from).await else { continue };
                held.push_back(one);
                if held.len() <= places {
                    all_held.fetch_add(1, SeqCst);
                    continue;
                }
                held.pop_front();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }
    // The gateway takes connections in the order in which they came: when it answers, it has had all of these.
    let expected = 512 + 400;
    assert!(expected > capacity());
    world.until("every place is taken", async || held.load(SeqCst) == expected).await;
    let mut longest = Duration::ZERO;
    for n in 0..20 {
        // Whose head or body has not come yet may be asked to go: then it comes again.
        longest =
            longest.max(honest(&world, "/webhooks/stripe", SECRET, &format!("evt_meanwhile_{n}")).await);
    }
    println!("the slowest of 20 signed events took {} ms", longest.as_millis());
    if let Some(ended) = attackers.try_join_next() {
        panic!("an attacker gave up: {ended:?}");
    }
    attackers.shutdown().await;
    Arc::into_inner(world).expect("nobody else has it").close().await;
}

/// As after a restart: nobody's address is remembered, and the database is slow enough that all of them wait.
#[tokio::test]
async fn first_events_of_many_servers_at_once_all_get_in() {
    let mut world = World::without_services().await;
    let mut tenants = Vec::new();
    for n in 0..100 {
        tenants.push(world.sealed_tenant(&format!("222222222222222{n:03}")).await);
    }
    let proxy = PostgresProxy::to(world.database_url()).await;
    world.set("DATABASE_URL", &proxy.url);
    world.start_gateway().await;
    proxy.slow(10);
    let body = event("evt_1", "new.type", &json!({}), false);
    let post = async |tenant: &String| {
        let request = world.http.post(format!("{}/{tenant}", world.webhook())).body(body.clone());
        request
            .header("Stripe-Signature", sign(&body, TENANT_SECRET))
            .send()
            .await
            .expect("an answer")
            .status()
    };
    for status in futures::future::join_all(tenants.iter().map(post)).await {
        assert_eq!(status, 200);
    }
    world.close().await;
}

#[tokio::test]
async fn half_bodies_cost_their_address_its_budget_and_no_signed_event() {
    let mut world = World::without_services().await;
    world.start_gateway().await;
    for _ in 0..70 {
        drop(half_a_request(&world, [127, 0, 0, 1]).await);
    }
    // A few tries, of which the budget would have had room for sixty.
    let mut statuses = Vec::new();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        statuses.push(world.post(b"{}", None).await.status().as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    let body = event("evt_1", "new.type", &json!({}), false);
    assert_eq!(world.post_signed(&body).await.status(), 200);
    world.close().await;
}

/// Ingest waits for a lock that this holds.
#[tokio::test]
async fn a_large_catalogue_is_replaced_in_a_moment_though_each_statement_takes_long() {
    let world = World::without_services().await;
    let guild: GuildId = "222222222222222222".parse().unwrap();
    let mut tenant = world.tenant(guild).await;
    stripe_connections::ensure_guild(&mut tenant).await.unwrap();
    let connection =
        stripe_connections::ensure(&mut tenant, Actor::Environment, "large", false, None).await.unwrap();
    tenant.commit().await.unwrap();
    let price = |n: usize| Price {
        id: format!("price_{n:04}").parse().unwrap(),
        product: format!("prod_{}", n / 3).parse().unwrap(),
        product_name: n.is_multiple_of(2).then(|| format!("Gold {n}, \"{{,}}\"")),
        currency: (!n.is_multiple_of(3)).then(|| "usd".to_owned()),
        unit_amount: (!n.is_multiple_of(5)).then_some(i64::try_from(n).unwrap()),
        interval: (!n.is_multiple_of(4)).then(|| "month".to_owned()),
        interval_count: (!n.is_multiple_of(4)).then_some(1),
    };
    let link = |n: usize| PaymentLink {
        id: format!("plink_{n:04}").parse().unwrap(),
        url: format!("https://buy.stripe.com/{n:04}"),
        prices: (0..n % 3).map(|m| format!("price_{m}").parse().unwrap()).collect(),
        redirect_url: n.is_multiple_of(2).then(|| "https://example.com/thanks".to_owned()),
    };
    let read = Catalogue {
        // The last one is there twice, as when a list changes between two of its pages.
        prices: (0..2000).chain([1999]).map(price).collect(),
        payment_links: (0..2000).map(link).collect(),
    };
    let proxy = PostgresProxy::to(world.database_url()).await;
    let pool = pool::pool(&proxy.url, 1, Login::Gateway).unwrap();
    drop(pool.across().await.unwrap());
    proxy.slow(10);
    let began = Instant::now();
    for _ in 0..2 {
        let mut tenant = tenant::begin(&pool, guild).await.unwrap();
        catalogue::replace(&mut tenant, connection, &read).await.unwrap();
        tenant.commit().await.unwrap();
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    proxy.slow(0);
    // Only the operator's commands show it.
    let mut tenant = tenant::begin(&world.login(Login::Operator), guild).await.unwrap();
    let mut offers = catalogue::offers(&mut tenant).await.unwrap();
    offers.sort_by(|one, other| one.price_id.cmp(&other.price_id));
    assert_eq!(offers.len(), 2000);
    for (offer, price) in offers.into_iter().zip(&read.prices) {
        assert_eq!(
            (offer.price_id.as_str(), offer.product_id.as_str()),
            (price.id.as_str(), price.product.as_str())
        );
        assert_eq!(
            (offer.product_name, offer.currency),
            (price.product_name.clone(), price.currency.clone())
        );
        assert_eq!((offer.unit_amount, offer.interval), (price.unit_amount, price.interval.clone()));
        assert_eq!(offer.interval_count, price.interval_count);
    }
    let links = catalogue::links(&mut tenant).await.unwrap();
    assert_eq!(links.len(), 2000);
    for (link, read) in links.into_iter().zip(&read.payment_links) {
        let sold: Vec<_> = read.prices.iter().map(ToString::to_string).collect();
        assert_eq!(
            (link.url, link.price_ids, link.redirect_url),
            (read.url.clone(), sold, read.redirect_url.clone())
        );
    }
    drop(tenant);
    pool.close().await;
    world.close().await;
}

/// As after a restart: nobody has asked for the tenant's address yet.
#[tokio::test]
async fn events_for_a_connected_server_get_in_though_their_sender_asked_for_too_much_that_does_not_exist() {
    let mut world = World::without_services().await;
    let connected = world.sealed_tenant(SECOND_GUILD).await;
    world.start_gateway().await;
    let body = event("evt_1", "new.type", &json!({}), false);
    let post = |endpoint: &str| {
        let url = format!("{}/{endpoint}", world.webhook());
        let signature = sign(&body, TENANT_SECRET);
        world.http.post(url).header("Stripe-Signature", signature).body(body.clone()).send()
    };
    let asked = AtomicU64::new(0);
    let until_blocked = async || loop {
        let n = asked.fetch_add(1, SeqCst);
        match post(&format!("{n:032x}")).await.unwrap().status().as_u16() {
            400 => assert!(n < 500, "unknown callers have no rate limit"),
            429 => break,
            other => panic!("{other}"),
        }
    };
    until_blocked().await;
    assert_eq!(post(&connected).await.unwrap().status(), 200);
    // One that was connected this moment, so that nobody knows it yet, is told to come back. It is blocked for a second at
    // most, so this machine may be too slow to see it; then with another.
    let new = ["333333333333333333", "333333333333333334", "333333333333333335", "333333333333333336"];
    let mut told = None;
    for guild in new {
        let endpoint = world.sealed_tenant(guild).await;
        until_blocked().await;
        let answer = post(&endpoint).await.unwrap();
        if answer.status() == 429 {
            told = Some((endpoint, answer));
            break;
        }
    }
    let (endpoint, answer) = told.expect("an unknown caller's rate limit counts for what is not known yet");
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let said = answer.text().await.unwrap();
    assert!(said.contains("connected within the last minute"), "{said}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(post(&endpoint).await.unwrap().status(), 200);
    world.close().await;
}

#[tokio::test]
async fn events_get_in_through_an_inner_proxy_that_says_http_and_refusals_are_counted() {
    let mut world = World::without_services().await;
    let metrics = format!("127.0.0.1:{}", free_port().unwrap());
    world.set("TRUSTED_PROXY_HOPS", "2");
    world.set("METRICS_BIND", &metrics);
    world.start_gateway().await;
    let body = event("evt_1", "new.type", &json!({}), false);
    let signature = world.stripe.sign(&body).await.unwrap();
    for (proto, status) in [("http", 200), ("https, http", 200), ("http, https", 403), ("http, http", 403)] {
        let request =
            world.http.post(world.webhook()).header("Stripe-Signature", &signature).body(body.clone());
        let request =
            request.header("X-Forwarded-For", "1.1.1.1, 10.0.0.1").header("X-Forwarded-Proto", proto);
        assert_eq!(request.send().await.unwrap().status(), status, "{proto}");
    }
    let scraped =
        world.http.get(format!("http://{metrics}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(scraped.contains(r#"nexrole_http_refusals_total{reason="plain_http"}"#), "{scraped}");
    world.close().await;
}

//! Tokens of personal links: what somebody made up is none, and one is good for one purchase. In: checkout sessions as Stripe shows them. Out:
//! links, or none. What buyers see of it is `pages::references`.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use secrecy::ExposeSecret as _;
use shared::{
    actions::{
        claim::{Claimed, NotProven, claim},
        reference::{self, Made},
    },
    clock,
    crypto::{Keyring, token::Pepper},
    db::{pg_roles::Login, pool::Pool, tenant},
    domain::{
        audit::Actor,
        claim::{CheckoutFact, CheckoutStatus},
        reference::{Carried, ClientReference, PER_HOUR},
    },
    ids::{GuildId, UserId},
    sessions::{Resumed, Sessions, Subscriber},
    store::stripe_connections::{self, Connection},
};

use crate::support::{
    cluster::Database,
    scale::{scaled, seed},
    tenants::ENCRYPTION_KEYS,
};

const HELD: Claimed = Claimed::NotProven(NotProven::ForSomebodyElse);

/// Two servers, each with a connection.
struct Stage {
    database: Database,
    gateway: Pool,
    peppers: Vec<Pepper>,
    here: Connection,
    elsewhere: Connection,
}

impl Stage {
    async fn set() -> Self {
        let database = Database::create().await;
        let connected = async |guild| {
            let guild = GuildId::from_u64(guild).unwrap();
            let mut tenant = database.tenant(guild).await;
            stripe_connections::ensure_guild(&mut tenant).await.unwrap();
            let actor = Actor::Environment;
            let id = stripe_connections::ensure(&mut tenant, actor, "environment", false, Some(true)).await;
            tenant.commit().await.unwrap();
            Connection { guild, id: id.unwrap() }
        };
        let (here, elsewhere) = (connected(1).await, connected(2).await);
        let gateway = database.login(Login::Gateway);
        let peppers = reference::peppers(Some(&Keyring::parse(ENCRYPTION_KEYS).unwrap()));
        Self { database, gateway, peppers, here, elsewhere }
    }

    async fn make(&self, at: Connection, by: &Subscriber) -> Made {
        let mut tenant = tenant::begin(&self.gateway, at.guild).await.unwrap();
        let made = reference::make(&mut tenant, &self.peppers, by.user()).await.unwrap();
        tenant.commit().await.unwrap();
        made
    }

    /// A personal link's token.
    async fn token(&self, at: Connection, by: &Subscriber) -> String {
        match self.make(at, by).await {
            Made::Token(token) => token.expose_secret().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    async fn logged_in(&self, user: u64) -> Subscriber {
        let sessions = Sessions::new(self.gateway.clone());
        let cookie = sessions.begin(UserId::from_u64(user).unwrap(), "name", None).await.unwrap();
        match sessions.resume(Some(&cookie)).await.unwrap() {
            Resumed::Somebody(subscriber, _) => subscriber,
            other => panic!("{other:?}"),
        }
    }

    async fn claim(&self, by: &Subscriber, session: &CheckoutFact) -> Claimed {
        claim(&self.gateway, &self.peppers, by, self.here, session, clock::now()).await.unwrap()
    }

    /// What is known once a purchase has been read.
    async fn notes(&self, at: Connection, session: &CheckoutFact) -> bool {
        let carried = Carried {
            session: session.id.clone(),
            customer: session.customer.clone().unwrap(),
            reference: session.reference.clone().unwrap(),
        };
        let mut tenant = tenant::begin(&self.gateway, at.guild).await.unwrap();
        let noted = reference::note(&mut tenant, &self.peppers, at.id, &carried).await.unwrap();
        tenant.commit().await.unwrap();
        noted
    }

    /// `user proof customer` of each link.
    async fn links(&self) -> Vec<String> {
        let links = "SELECT concat_ws(' ', user_id, proof, customer_id) FROM member_links ORDER BY 1";
        sqlx::query_scalar(links).fetch_all(&self.database.pool).await.unwrap()
    }

    /// `user state` of each token.
    async fn tokens(&self) -> Vec<String> {
        let tokens = "SELECT user_id || ' ' || state FROM link_tokens ORDER BY created_at";
        sqlx::query_scalar(tokens).fetch_all(&self.database.pool).await.unwrap()
    }

    async fn end(self) {
        self.gateway.close().await;
        self.database.remove().await;
    }
}

/// A completed purchase of a customer's own.
fn bought(number: usize, reference: &str) -> CheckoutFact {
    CheckoutFact {
        id: format!("cs_test_{number}").parse().unwrap(),
        status: CheckoutStatus::Complete,
        is_paid: true,
        created: clock::now(),
        customer: format!("cus_{number}").parse().ok(),
        reference: Some(ClientReference::new(reference)),
        named: None,
    }
}

/// What somebody may try who knows real ones, but for what they know.
fn forged(random: &mut StdRng, real: &[String]) -> String {
    let secret = |random: &mut StdRng| {
        let bytes: [u8; 32] = random.random();
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let token = &real[random.random_range(0..real.len())];
    let at = random.random_range(7..token.len());
    match random.random_range(0..10) {
        // As they look.
        0..4 => format!("nx_ref_{}", secret(random)),
        // With the readable part of a real one.
        4..6 => format!("{}{}", &token[..15], &secret(random)[8..]),
        // With another letter somewhere.
        6 | 7 => {
            let other = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
            format!("{}{other}{}", &token[..at], &token[at + 1..])
        }
        8 => [&token[..at], &format!("{token}A"), &token.replacen("ref", "live", 1)]
            [random.random_range(0..3)]
        .to_owned(),
        // In other letters' case: at most the random part.
        _ => format!(
            "nx_ref_{}",
            if random.random() { token[7..].to_uppercase() } else { token[7..].to_lowercase() }
        ),
    }
}

#[tokio::test]
async fn of_many_forged_references_none_names_anybody_and_none_lets_anybody_claim() {
    let stage = Stage::set().await;
    let (ana, ben) = (stage.logged_in(11).await, stage.logged_in(12).await);
    let mut real = Vec::new();
    for by in [&ana, &ben] {
        for _ in 0..5 {
            real.push(stage.token(stage.here, by).await);
        }
    }
    let others = stage.token(stage.elsewhere, &ana).await;
    let mut random = StdRng::seed_from_u64(seed());
    let tries = scaled(5_000, 100_000);
    let mut tried = BTreeSet::new();
    while tried.len() < tries {
        let reference = forged(&mut random, &real);
        if real.contains(&reference) || !tried.insert(reference.clone()) {
            continue;
        }
        let session = bought(tried.len(), &reference);
        assert_eq!(stage.claim(&ana, &session).await, HELD, "{reference}");
        // It is looked up in the same way: a part of them is enough.
        if tried.len() % 10 == 0 {
            assert!(!stage.notes(stage.here, &session).await, "{reference}");
        }
    }
    // A real one of another server's, or of another's, is no better.
    for reference in [&others, &real[5]] {
        assert_eq!(stage.claim(&ana, &bought(1, reference)).await, HELD);
    }
    assert!(!stage.notes(stage.here, &bought(1, &others)).await);
    assert_eq!(stage.links().await, [""; 0]);
    assert!(stage.tokens().await.iter().all(|token| token.ends_with(" open")));
    // Nor does a copy of the table help whoever has not the key.
    let without = Stage { peppers: reference::peppers(None), ..stage };
    assert_eq!(without.claim(&ana, &bought(1, &real[0])).await, HELD);
    assert!(matches!(without.make(without.here, &ana).await, Made::NoKey));
    let stage =
        Stage { peppers: reference::peppers(Some(&Keyring::parse(ENCRYPTION_KEYS).unwrap())), ..without };
    assert_eq!(stage.claim(&ana, &bought(1, &real[0])).await, Claimed::Claimed);
    assert_eq!(stage.links().await, ["11 reference cus_1"]);
    println!("{tries} forged references, none accepted");
    stage.end().await;
}

#[tokio::test]
async fn of_many_purchases_by_one_link_at_the_same_moment_one_is_theirs_and_the_others_are_held() {
    let stage = Stage::set().await;
    let ana = stage.logged_in(11).await;
    let token = stage.token(stage.here, &ana).await;
    let sessions: Vec<_> = (0..20).map(|number| bought(number, &token)).collect();
    // Several that were bought before any was claimed.
    for session in &sessions {
        assert!(stage.notes(stage.here, session).await);
    }
    let claimed = join_all(sessions.iter().map(|session| stage.claim(&ana, session))).await;
    let won: Vec<_> = (0..20).filter(|&number| claimed[number] == Claimed::Claimed).collect();
    assert_eq!((won.len(), claimed.iter().filter(|&&it| it == HELD).count()), (1, 19), "{claimed:?}");
    assert_eq!(stage.links().await, [format!("11 reference cus_{}", won[0])]);
    // What is read afterwards does not give it to another purchase.
    let late = &sessions[(won[0] + 1) % 20];
    assert!(stage.notes(stage.here, late).await);
    assert_eq!(stage.claim(&ana, late).await, HELD);
    assert_eq!(stage.claim(&ana, &sessions[won[0]]).await, Claimed::AlreadyTheirs, "as who clicks twice");
    assert_eq!(stage.tokens().await, ["11 used"]);
    stage.end().await;
}

#[tokio::test]
async fn a_link_that_was_not_linked_is_not_used_up() {
    let stage = Stage::set().await;
    let (ana, ben) = (stage.logged_in(11).await, stage.logged_in(12).await);
    let token = stage.token(stage.here, &ana).await;
    let taken = CheckoutFact { reference: None, ..bought(1, "") };
    assert_eq!(stage.claim(&ben, &taken).await, Claimed::Claimed);
    // Ben's customer bought once more, by Ana's link.
    let again = CheckoutFact { id: "cs_test_2".parse().unwrap(), ..bought(1, &token) };
    assert_eq!(stage.claim(&ana, &again).await, Claimed::SomebodyElses);
    let open = CheckoutFact { status: CheckoutStatus::Open, ..bought(3, &token) };
    assert_eq!(stage.claim(&ana, &open).await, Claimed::NotProven(NotProven::NotComplete));
    assert_eq!(stage.claim(&ana, &bought(4, &token)).await, Claimed::Claimed);
    assert_eq!(stage.links().await, ["11 reference cus_4", "12 checkout cus_1"]);
    stage.end().await;
}

#[tokio::test]
async fn so_many_links_are_made_for_one_member_in_an_hour_however_many_they_ask_for_at_once() {
    let stage = Stage::set().await;
    let (ana, ben) = (stage.logged_in(11).await, stage.logged_in(12).await);
    let made = join_all((0..30).map(|_| stage.make(stage.here, &ana))).await;
    let tokens = made.iter().filter(|made| matches!(made, Made::Token(_))).count();
    assert_eq!(i64::try_from(tokens).unwrap(), PER_HOUR);
    assert!(made.iter().all(|made| matches!(made, Made::Token(_) | Made::TooMany)));
    // Neither another's nor another server's are fewer.
    for (at, by) in [(stage.here, &ben), (stage.elsewhere, &ana)] {
        assert!(matches!(stage.make(at, by).await, Made::Token(_)));
    }
    sqlx::query("UPDATE link_tokens SET created_at = created_at - interval '61 minutes'")
        .execute(&stage.database.pool)
        .await
        .unwrap();
    let token = stage.token(stage.here, &ana).await;
    // Nothing that we keep or print has it.
    assert!(!format!("{made:?} {:?} {:?}", bought(1, &token), stage.peppers).contains("nx_ref_"));
    let rows = stage.database.rows_by_table().await;
    assert!(rows.values().flatten().all(|row| !row.contains(&token[15..])));
    assert!(rows["link_tokens"].iter().any(|row| row.contains(&token[..15])));
    stage.end().await;
}

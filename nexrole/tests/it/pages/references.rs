//! Purchases by a personal link, as buyers see them: a link gives nobody what somebody else paid for, and costs whom it was made for one click.

use reqwest::StatusCode;
use secrecy::ExposeSecret as _;
use serde_json::json;
use shared::{
    actions::reference::{self, Made},
    crypto::Keyring,
    db::{pg_roles::Login, tenant},
    ids::{GuildId, UserId},
};

use super::claim::path;
use crate::support::{tenants::ENCRYPTION_KEYS, world::World};

const HELD: &str = "This purchase is meant for somebody else";
const PAID_BY_LINK: &str = "Somebody paid by your link";

impl World {
    /// The token of a personal link, as `/subscribe` makes it.
    async fn personal(&self, user: u64) -> String {
        let gateway = self.login(Login::Gateway);
        let guild = GuildId::from_u64(self.guild).expect("a guild");
        let mut tenant = tenant::begin(&gateway, guild).await.expect("it begins");
        let peppers = reference::peppers(Some(&Keyring::parse(ENCRYPTION_KEYS).expect("keys")));
        let user = UserId::from_u64(user).expect("a user");
        let made = reference::make(&mut tenant, &peppers, user).await.expect("it is made");
        tenant.commit().await.expect("it is kept");
        gateway.close().await;
        match made {
            Made::Token(token) => token.expose_secret().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    async fn personal_links(&self) -> Vec<(i64, String)> {
        let tokens = "SELECT user_id, state FROM link_tokens ORDER BY created_at";
        sqlx::query_as(tokens).fetch_all(self.db()).await.expect("the query is good")
    }

    async fn until_pending(&self) {
        self.until("the purchase is known", async || {
            self.personal_links().await.iter().any(|(_, state)| state == "pending")
        })
        .await;
    }

    /// Reads of a session for what was bought in it.
    async fn reads_to_apply(&self, session: &str) -> usize {
        let requests = self.stripe.requests().await.expect("Stripe answers");
        let of_it = format!("/v1/checkout/sessions/{session}?");
        requests.iter().filter(|call| call.path_and_query.starts_with(&of_it)).count()
    }
}

#[tokio::test]
async fn who_has_somebody_else_pay_by_their_link_gets_nothing_until_the_buyer_says_so_and_the_buyer_gets_it_by_code()
 {
    let (world, mails) = World::with_login_and_mail().await;
    let (tom, toms) = world.logged_in("tom").await;
    let (ana, anas) = world.logged_in("ana").await;
    let token = world.personal(tom).await;
    let address = "ana@example.com";
    let session = world.pays_by_link(json!({ "email": address, "client_reference_id": token })).await;
    world.until_pending().await;
    world.settle().await;
    let roles = format!("/roles/{}", world.guild);
    // Whose link it was learns that somebody paid, and has nothing of it.
    let page = toms.open(&roles).await;
    assert_eq!((page.title().as_str(), page.refresh()), (PAID_BY_LINK, None), "{}", page.html);
    assert_eq!(page.link("Claim by e-mail"), format!("/claim/{}/email", world.guild));
    assert_eq!(world.discord.member_roles(world.guild, tom).await.unwrap(), Some([].into()));
    let listed = world.of_guild(&["members", "unlinked"]).await.unwrap();
    assert!(listed.contains(&format!("by the personal link of {tom}")), "{listed}");
    // The buyer is not who it was meant for, and proves it in another way.
    assert_eq!(anas.open(&roles).await.title(), "Nothing is linked to you here");
    let held = anas.claims(&session, "ana").await;
    assert_eq!((held.status, held.title().as_str()), (StatusCode::CONFLICT, HELD));
    assert_eq!(world.links().await, []);
    let at = anas.asks_for_code(&world, address).await;
    let code = world.code(&mails, 0).await;
    let done = anas.types(&anas.open(&at).await, "Use this code", "code", &code).await;
    assert_eq!(done.location(), roles, "{}", done.html);
    anas.until_title(&world, &roles, "Your role is there").await;
    assert_eq!(world.links().await, [(i64::try_from(ana).unwrap(), "email".to_owned())]);
    // Nothing waits for whose link it was, not even with the session's address.
    assert_eq!(toms.open(&roles).await.title(), "Nothing is linked to you here");
    let late = toms.claims(&session, "tom").await;
    assert_eq!(late.title(), "This purchase belongs to another account");
    let listed = world.of_guild(&["members", "unlinked"]).await.unwrap();
    assert!(!listed.contains("personal link"), "{listed}");
    assert_eq!(world.discord.member_roles(world.guild, tom).await.unwrap(), Some([].into()));
    world.finish().await;
}

#[tokio::test]
async fn an_honest_buyer_with_another_address_is_not_held_and_a_late_link_costs_the_same_click() {
    let world = World::with_login().await;
    for (name, late, proof) in [("ana", false, "reference"), ("ben", true, "checkout")] {
        let (user, browser) = world.logged_in(name).await;
        let token = world.personal(user).await;
        if late {
            let expire = "UPDATE link_tokens SET expires_at = now() - interval '1 hour' WHERE state = 'open'";
            sqlx::query(expire).execute(world.db()).await.unwrap();
        }
        let paid = json!({ "email": "somebody.else@example.com", "client_reference_id": token });
        let session = world.pays_by_link(paid).await;
        world.until_pending().await;
        let roles = format!("/roles/{}", world.guild);
        browser.until_title(&world, &roles, PAID_BY_LINK).await;
        assert_eq!(world.reads_to_apply(&session).await, 1, "one read, to see whose it is");
        // Whoever looks uses nothing up: a mail's scanner, another member, nobody in particular.
        let (_, other) = world.logged_in("other").await;
        for looking in [&browser, &other, &world.browser()] {
            looking.open(&path(&session)).await;
        }
        assert_eq!(world.personal_links().await.last().unwrap().1, "pending");
        let done = browser.claims(&session, name).await;
        assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, roles.as_str()), "{}", done.html);
        browser.until_title(&world, &roles, "Your role is there").await;
        let user = i64::try_from(user).unwrap();
        assert!(world.links().await.contains(&(user, proof.to_owned())), "{:?}", world.links().await);
        assert_eq!(world.personal_links().await.last(), Some(&(user, "used".to_owned())));
        // Another purchase by the same link is another's, for all we know.
        let again = world.pays_by_link(json!({ "client_reference_id": token })).await;
        assert_eq!(browser.claims(&again, name).await.title(), HELD);
    }
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT cause FROM audit_log WHERE action = 'member.linked' ORDER BY 1")
            .fetch_all(world.db())
            .await
            .unwrap();
    assert_eq!(rows.len(), 2);
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_session_is_read_for_its_reference_only_where_that_looks_like_ours() {
    let world = World::with_login().await;
    let (_, browser) = world.logged_in("ana").await;
    for (reference, reads) in [("order-17", 0), ("nx_ref_made-up", 1)] {
        let session = world.pays_by_link(json!({ "client_reference_id": reference })).await;
        world.heard().await;
        world.settle().await;
        assert_eq!(world.reads_to_apply(&session).await, reads, "{reference}");
        let title = browser.claims(&session, "ana").await;
        assert_eq!(title.status == StatusCode::SEE_OTHER, reads == 0, "{}", title.html);
    }
    // What was sold once is read anyway, and no more often.
    let once = json!({ "product": world.product, "unit_amount": 5_000, "type": "one_time" });
    let once = world.stripe.create_price_with(once).await.unwrap();
    let (tom, _) = world.logged_in("tom").await;
    let mut reads = Vec::new();
    for reference in ["order-17".to_owned(), world.personal(tom).await] {
        let params =
            json!({ "prices": [once], "customer_creation": "always", "client_reference_id": reference });
        let session = world.stripe.open_session(params).await.unwrap();
        world.stripe.complete_session(&session, json!({})).await.unwrap();
        world.heard().await;
        world.settle().await;
        reads.push(world.reads_to_apply(&session).await);
    }
    assert!(reads[0] == reads[1] && reads[0] > 0, "{reads:?}");
    assert_eq!(world.personal_links().await, [(i64::try_from(tom).unwrap(), "pending".to_owned())]);
    world.close().await;
}

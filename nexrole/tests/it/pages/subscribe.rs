//! `/subscribe/{guild}`: what is sold is sold by a link of one's own, once; who has it manages it.

use reqwest::StatusCode;
use serde_json::json;

use super::browser::{Browser, Page};
use crate::support::world::World;

const BUTTON: &str = "VIP: 9.00 USD every month";

impl World {
    fn subscribe_page(&self) -> String {
        format!("/subscribe/{}", self.guild)
    }

    /// A Payment Link that sells this, as soon as it is known here.
    async fn sells_by_link(&self, price: &str) -> String {
        let after = format!("{}/claim?session_id={{CHECKOUT_SESSION_ID}}", self.gateway_url);
        let link = json!({ "price": price, "redirect_url": after });
        let link = self.stripe.create_payment_link(link).await.expect("it is answered");
        let known = "SELECT EXISTS (SELECT FROM payment_links WHERE payment_link_id = $1)";
        self.until("the link is known", async || {
            sqlx::query_scalar(known).bind(&link).fetch_one(self.db()).await.expect("the query is good")
        })
        .await;
        link
    }

    async fn links_made(&self) -> i64 {
        let made = "SELECT count(*) FROM link_tokens";
        sqlx::query_scalar(made).fetch_one(self.db()).await.expect("the query is good")
    }
}

impl Browser<'_> {
    async fn chooses(&self, world: &World, button: &str) -> Page {
        let page = self.open(&world.subscribe_page()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
        self.send(page.form(button)).await
    }
}

#[tokio::test]
async fn a_member_buys_by_a_link_of_their_own_and_is_led_to_manage_it_from_then_on() {
    let world = World::with_login().await;
    let link = world.sells_by_link(&world.price).await;
    let ana = world.discord.join(world.guild, "ana").await.unwrap();
    let browser = world.browser();
    let first = browser.open(&world.subscribe_page()).await;
    assert_eq!((first.status, first.title().as_str()), (StatusCode::UNAUTHORIZED, "Log in first"));
    let next = browser.log_in(ana, &first.link("Log in with Discord")).await;
    assert_eq!(next, world.subscribe_page());
    // Whoever only looks, a mail's scanner for example, makes and uses up nothing.
    for _ in 0..3 {
        let page = browser.open(&next).await;
        assert_eq!((page.status, page.title().as_str()), (StatusCode::OK, "Subscribe"));
    }
    assert_eq!(world.links_made().await, 0);
    let form = browser.open(&next).await.form(BUTTON);
    let chosen = browser.send(form.clone()).await;
    assert_eq!((chosen.status, chosen.title().as_str()), (StatusCode::OK, BUTTON), "{}", chosen.html);
    let personal = chosen.link("Pay at Stripe");
    let (address, token) = personal.split_once("?client_reference_id=").unwrap();
    assert!(address.starts_with("https://buy.stripe.com/test_"), "{address}");
    assert!(token.starts_with("nx_ref_") && token.len() == 50, "{} letters", token.len());
    assert_eq!((chosen.refresh(), world.links_made().await), (None, 1));
    // Each click is another link.
    assert_ne!(browser.send(form.clone()).await.link("Pay at Stripe"), personal);

    let visit = json!({ "email": "another@example.com", "client_reference_id": token });
    let bought = world.stripe.buy(&link, visit).await.unwrap();
    let session = bought["id"].as_str().unwrap();
    let done = browser.claims(session, "ana").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    browser.until_title(&world, done.location(), "Your role is there").await;
    assert_eq!(world.links().await, [(i64::try_from(ana).unwrap(), "reference".to_owned())]);

    // A Payment Link would sell it a second time.
    let page = browser.open(&next).await;
    assert!(!page.html.contains("<form"), "{}", page.html);
    let manage = "https://billing.stripe.com/p/login/";
    assert!(page.link("Manage VIP, which you have").starts_with(manage), "{}", page.html);
    let again = browser.send(form).await;
    assert_eq!((again.status, again.title().as_str()), (StatusCode::OK, "You have VIP already"));
    assert!(again.link("Manage it").starts_with(manage), "{}", again.html);
    assert_eq!(world.links_made().await, 2);
    // Somebody else may.
    let (_, bens) = world.logged_in("ben").await;
    assert_eq!(bens.chooses(&world, BUTTON).await.title(), BUTTON);
    // The subscription is over, and can be bought again.
    world.stripe.cancel(bought["subscription"].as_str().unwrap()).await.unwrap();
    world.until("it can be bought", async || browser.open(&next).await.html.contains("<form")).await;
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn only_what_gives_a_role_is_for_sale_and_a_form_of_ones_own_is_needed() {
    let world = World::with_login().await;
    let (_, browser) = world.logged_in("ana").await;
    let nothing = browser.open(&world.subscribe_page()).await;
    assert_eq!((nothing.status, nothing.title().as_str()), (StatusCode::OK, "Nothing is for sale here"));
    let product = world.stripe.create_product("Coffee").await.unwrap();
    let unmapped = world.stripe.create_price(&product, 500).await.unwrap();
    let coffee = world.sells_by_link(&unmapped).await;
    assert_eq!(browser.open(&world.subscribe_page()).await.title(), "Nothing is for sale here");
    let link = world.sells_by_link(&world.price).await;
    let page = browser.open(&world.subscribe_page()).await;
    assert!(!page.html.contains("Coffee"), "{}", page.html);
    let (action, fields) = page.form(BUTTON);
    let with = |name: &str, value: &str| {
        let mut fields = fields.clone();
        fields.iter_mut().find(|(known, _)| known == name).unwrap().1 = value.to_owned();
        (action.clone(), fields)
    };
    for plan in [coffee.as_str(), "plink_unknown", "", "../x"] {
        let page = browser.send(with("plan", plan)).await;
        assert_eq!((page.status, page.title().as_str()), (StatusCode::GONE, "This is not for sale any more"));
        assert_eq!(page.link("What is for sale"), world.subscribe_page());
    }
    let (ben, bens) = world.logged_in("ben").await;
    let foreign = bens.send(with("plan", &link)).await;
    assert_eq!((foreign.status, foreign.title().as_str()), (StatusCode::FORBIDDEN, "This form is too old"));
    let origin = browser.post_as(Some("https://evil.example"), &action, &fields[0].1).await;
    assert_eq!(origin.status, StatusCode::FORBIDDEN);
    assert_eq!(world.links_made().await, 0);
    for unknown in ["/subscribe/7", "/subscribe/x"] {
        assert_eq!(browser.open(unknown).await.status, StatusCode::NOT_FOUND, "{unknown}");
    }
    // A role that is not turned on is none that is waited for.
    sqlx::query("UPDATE mapped_roles SET enforcement = 'observe'").execute(world.db()).await.unwrap();
    assert_eq!(browser.open(&world.subscribe_page()).await.title(), "Nothing is for sale here");
    sqlx::query("UPDATE mapped_roles SET enforcement = 'on'").execute(world.db()).await.unwrap();
    // As many as one account may ask for in a minute, and in an hour.
    sqlx::query(
        "INSERT INTO link_tokens (guild_id, prefix, hash, user_id, expires_at)
         SELECT $1, 'nx_ref_' || lpad(n::text, 8, '0'), sha256('x'), $2, now() FROM generate_series(1, 20) AS n",
    )
    .bind(i64::try_from(world.guild).unwrap())
    .bind(i64::try_from(ben).unwrap())
    .execute(world.db())
    .await
    .unwrap();
    let many = bens.chooses(&world, BUTTON).await;
    assert_eq!(
        (many.status, many.title().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "You asked for many links")
    );
    world.close().await;
}

//! A Stripe account is disconnected: it is neither read nor heard any more, and nobody loses a role by that.

use serde_json::json;
use shared::domain::audit::AuditAction;

use crate::support::{
    signing::{event, sign},
    tenants::{SECOND_GUILD, TENANT_SECRET},
    world::World,
};

const THIRD_GUILD: &str = "333333333333333333";

#[tokio::test]
async fn nobody_loses_a_role_when_an_account_is_disconnected_and_what_is_to_be_done_is_said() {
    let mut world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let all = world.nexrole(&["connections"]).await.unwrap();
    let path = all.split_once("/webhooks/stripe/").unwrap().1;
    let endpoint = path.split_whitespace().next().unwrap();
    let said = world.of_guild(&["disconnect", endpoint]).await.unwrap();
    assert!(said.contains("Disconnected 'environment' (test)"), "{said}");
    assert!(said.contains("1 reason(s) for a role stay as they are"), "{said}");
    assert!(said.contains("Variables of the gateway describe it"), "{said}");
    assert_eq!(world.connections().await, "false disconnected");
    assert_eq!(world.audit(AuditAction::ConnectionEnded).await, 1);
    // What ends at Stripe now is not seen.
    world.stripe.cancel(&subscription).await.unwrap();
    let said = world.stripe.events().await.unwrap();
    let last = [said.last().unwrap()["id"].as_str().unwrap().to_owned()];
    world.until("the gateway has the event", async || world.events_missing(&last).await.is_empty()).await;
    world
        .until("there is no key to read it with", async || {
            world.reads_where(|read| read.attempts > 0).await > 0
        })
        .await;
    assert!(world.has(&ana, world.vip).await);
    let why = world.why(&ana).await;
    assert!(why.contains("on a Stripe connection that is not connected any more"), "{why}");
    // Connected again, as was said.
    world.stop_gateway().await;
    world.list_again().await;
    world.start_gateway().await;
    assert_eq!(world.connections().await, "false active");
    world.reads_are_due().await;
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn events_for_it_are_refused_and_its_secrets_are_gone() {
    let world = World::start().await;
    let (kept, gone) = (world.sealed_tenant(SECOND_GUILD).await, world.sealed_tenant(THIRD_GUILD).await);
    assert_eq!(world.connections_with_secrets().await, 2);
    let disconnect = ["disconnect", "--guild", THIRD_GUILD, &gone];
    let said = world.nexrole(&disconnect).await.unwrap();
    assert!(said.contains("Disconnected 'sealed' (test)") && !said.contains("Variables"), "{said}");
    assert_eq!(world.connections_with_secrets().await, 1);
    let body = event("evt_1", "customer.updated", &json!({ "id": "cus_1" }), false);
    for (endpoint, expected) in [(&kept, 200), (&gone, 400)] {
        let request = world.http.post(format!("{}/{endpoint}", world.webhook())).body(body.clone());
        let answer = request.header("Stripe-Signature", sign(&body, TENANT_SECRET)).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{endpoint}");
    }
    assert!(world.nexrole(&disconnect).await.unwrap().contains("disconnected already"));
    let other = world.nexrole(&["disconnect", "--guild", SECOND_GUILD, &gone]).await.unwrap_err();
    assert!(other.contains("has no connection"), "another server's is not there: {other}");
    world.close().await;
}

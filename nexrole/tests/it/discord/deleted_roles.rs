//! Stories about roles that were deleted in Discord: whoever asks is told, and nobody is said to have one.

use sandbox::discord::Fault;
use serde_json::json;
use shared::domain::job::JobState;

use crate::support::world::World;

async fn map(world: &World, command: &[&str]) -> String {
    world.of_guild(&[&["map"], command].concat()).await.expect("it tells")
}

#[tokio::test]
async fn a_deleted_role_is_named_wherever_one_asks_and_counts_as_nobodys() {
    let world = World::start().await;
    let owner = world.discord.join(world.guild, "owner").await.unwrap();
    let (ana, ben) = (world.member().await, world.member().await);
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    for said in [world.why(&ana).await, world.map_list().await, world.status_for(owner).await] {
        assert!(!said.contains("deleted"), "{said}");
    }
    world.discord.delete_role(world.guild, world.vip).await.unwrap();
    world.subscribes(&ben).await;
    let deleted =
        async |state| world.jobs_where(|job| job.is(state) && job.outcome.contains("role was deleted")).await;
    world.until("it is said once", async || deleted(JobState::Parked).await == 1).await;
    world.later(5).await;
    world.until("the job has failed", async || deleted(JobState::Failed).await == 1).await;
    world.until("the list was read", async || !world.is_listed(world.vip).await).await;
    let said = world.why(&ben).await;
    assert!(said.contains("the role was deleted in Discord"), "{said}");
    let said = world.why(&ana).await;
    assert!(
        said.contains("was deleted in Discord: nobody has it any more") && !said.contains("confirmed by"),
        "{said}"
    );
    let said = world.map_list().await;
    assert!(said.contains("was deleted in Discord: nobody can be given it"), "{said}");
    assert!(!said.contains("follows payments"), "{said}");
    let vip = world.vip.to_string();
    let said = map(&world, &["preview", "--role", &vip]).await;
    assert!(said.contains("was deleted in Discord"), "{said}");
    let said = world.status_for(owner).await;
    assert!(said.contains(&format!("Role `{vip}` was deleted in Discord")), "{said}");
    assert!(said.contains("held because of Nexrole: 0") && !said.contains("up to date"), "{said}");
    world.close().await;
}

/// The way out that is shown ends what it is shown for.
#[tokio::test]
async fn a_deleted_role_with_another_in_its_place_is_no_trouble_any_more() {
    let mut world = World::start().await;
    let owner = world.discord.join(world.guild, "owner").await.unwrap();
    let deleted = world.vip.to_string();
    world.discord.delete_role(world.guild, world.vip).await.unwrap();
    let named = format!("Role `{deleted}` was deleted in Discord");
    world.until("it is named", async || world.status_for(owner).await.contains(&named)).await;
    world.vip = world.discord.create_role(world.guild, "VIP again").await.unwrap();
    let (price, role) = (world.price.clone(), world.vip.to_string());
    map(&world, &["add", "--price", &price, "--role", &role]).await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.until("it is named no more", async || !world.status_for(owner).await.contains("deleted")).await;
    let said = world.map_list().await;
    assert!(
        said.contains(&format!("role {deleted}  was deleted in Discord; what it was sold by gives another")),
        "{said}"
    );
    world.close().await;
}

/// A role that is made after the list was read is not in it, and was not deleted.
#[tokio::test]
async fn a_new_role_is_not_a_deleted_one() {
    let mut world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // Nobody hears of it.
    world.stop_bot().await.unwrap();
    let role = world.discord.create_role(world.guild, "Gold").await.unwrap();
    map(&world, &["add", "--price", "price_gold", "--role", &role.to_string()]).await;
    let said = world.map_list().await;
    assert!(said.contains(&role.to_string()) && !said.contains("deleted"), "{said}");
    world.close().await;
}

/// One answer to a role call is not what people are told by: the list is.
#[tokio::test]
async fn one_answer_that_says_deleted_has_the_list_read_again() {
    let world = World::start().await;
    let ana = world.member().await;
    let body = json!({ "message": "Unknown Role", "code": 10011 });
    world.discord.fault(Fault::status(404).on("PUT", "/roles/").times(1).body(body)).await.unwrap();
    world.subscribes(&ana).await;
    let reads = async || {
        let requests = world.discord.requests().await.unwrap();
        let put = requests.iter().position(|request| request.method == "PUT" && request.status == Some(404));
        let Some(put) = put else { return 0 };
        requests[put..]
            .iter()
            .filter(|request| request.path.ends_with(&format!("/guilds/{}/roles", world.guild)))
            .count()
    };
    world.until("the list is read after the answer", async || reads().await > 0).await;
    let said = world.map_list().await;
    assert!(said.contains("follows payments") && !said.contains("deleted"), "{said}");
    world.close().await;
}

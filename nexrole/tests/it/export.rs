//! The audit log as its owner gets it.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn an_owner_gets_the_whole_audit_log_and_nobody_elses() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // More than a page, another tenant's line, and a cause that a spreadsheet would run.
    for statement in [
        "INSERT INTO audit_log (guild_id, actor, action, cause)
         SELECT guild_id, 'bot', 'role.granted', 'line ' || n FROM guilds, generate_series(1, 1500) AS n",
        "INSERT INTO audit_log (guild_id, actor, action, cause) SELECT guild_id, 'bot', 'role.granted', '=1+1, \"x\"' FROM guilds",
        "INSERT INTO audit_log (guild_id, actor, action, cause, address, change)
         SELECT guild_id, 'operator', 'connection.set', 'x', '2001:db8::1', '{\"api_key\": [null, \"rk_test_#1\"]}' FROM guilds",
        "INSERT INTO audit_log (guild_id, actor, action, cause) VALUES (7, 'bot', 'role.granted', 'somebody else''s')",
    ] {
        sqlx::query(statement).execute(world.db()).await.unwrap();
    }
    let guild = world.guild.to_string();
    let ours = world.number("SELECT count(*) FROM audit_log WHERE guild_id <> 7").await;
    let jsonl = world.nexrole(&["export", "--guild", &guild]).await.unwrap();
    let lines: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(i64::try_from(lines.len()).unwrap(), ours);
    let user = json!(ana.user.to_string());
    assert!(lines.iter().any(|line| line["action"] == "role.granted" && line["user_id"] == user));
    assert!(!jsonl.contains("somebody else"));
    let set = lines.iter().find(|line| line["cause"] == "x").unwrap();
    assert_eq!(
        (&set["address"], &set["change"]["api_key"]),
        (&json!("2001:db8::1"), &json!([null, "rk_test_#1"]))
    );
    let csv = world.nexrole(&["export", "--guild", &guild, "--format", "csv"]).await.unwrap();
    assert!(csv.starts_with("audit_id,at,actor,action,user_id,role_id,cause,address,change\r\n"));
    assert_eq!(i64::try_from(csv.matches("\r\n").count()).unwrap(), ours + 1);
    assert!(csv.contains("\"'=1+1, \"\"x\"\"\",,\r\n"), "no formula");
    let set = ",x,2001:db8::1,\"{\"\"api_key\"\":[null,\"\"rk_test_#1\"\"]}\"\r\n";
    assert!(csv.contains(set), "quoted");
    world.close().await;
}

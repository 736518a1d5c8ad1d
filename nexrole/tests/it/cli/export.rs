//! The audit log as its owner gets it.

use serde_json::{Value, json};
use shared::domain::audit::{Actor, AuditAction};

use crate::support::world::{AuditLine, World};

#[tokio::test]
async fn an_owner_gets_the_whole_audit_log_and_nobody_elses() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    // More than a page, another tenant's line, and a cause that a spreadsheet would run.
    let line = |cause: &str| AuditLine {
        guild: world.guild,
        actor: Actor::Bot,
        action: AuditAction::RoleGranted,
        user: None,
        role: None,
        cause: cause.to_owned(),
        address: None,
        change: None,
    };
    for n in 1..=1500 {
        world.write_audit(line(&format!("line {n}"))).await;
    }
    world.write_audit(line("=1+1, \"x\"")).await;
    let change = Some(json!({ "api_key": [null, "rk_test_#1"] }));
    let (actor, action, address) = (Actor::Operator, AuditAction::ConnectionSet, Some("2001:db8::1"));
    world.write_audit(AuditLine { actor, action, address, change, ..line("x") }).await;
    let ours = world.audit_where(|_| true).await;
    world.write_audit(AuditLine { guild: 7, ..line("somebody else's") }).await;
    let jsonl = world.of_guild(&["export"]).await.unwrap();
    let lines: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), ours);
    let user = json!(ana.user.to_string());
    assert!(lines.iter().any(|line| line["action"] == "role.granted" && line["user_id"] == user));
    assert!(!jsonl.contains("somebody else"));
    let set = lines.iter().find(|line| line["cause"] == "x").unwrap();
    assert_eq!(
        (&set["address"], &set["change"]["api_key"]),
        (&json!("2001:db8::1"), &json!([null, "rk_test_#1"]))
    );
    let csv = world.of_guild(&["export", "--format", "csv"]).await.unwrap();
    assert!(csv.starts_with("audit_id,at,actor,action,user_id,role_id,cause,address,change\r\n"));
    assert_eq!(csv.matches("\r\n").count(), ours + 1);
    assert!(csv.contains("\"'=1+1, \"\"x\"\"\",,\r\n"), "no formula");
    let set = ",x,2001:db8::1,\"{\"\"api_key\"\":[null,\"\"rk_test_#1\"\"]}\"\r\n";
    assert!(csv.contains(set), "quoted");
    world.close().await;
}

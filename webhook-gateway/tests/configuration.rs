//! The service with a wrong environment: all problems in one message, exit code 78, no value shown.

use std::process::Command;

fn start(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_webhook-gateway"));
    command.env_clear().envs(variables.iter().copied());
    let output = command.output().expect("it starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn missing_wrong_and_contradictory_variables_are_said_at_once() {
    let (code, message) = start(&[
        ("STRIPE_SECRET_KEY", "sk_live_hunter2"),
        ("STRIPE_WEBHOOK_SECRET", "hunter2"),
        ("PORT", "80a"),
        ("TRUSTED_PROXY_HOPS", "many"),
        ("STRIPE_API_URL", "http://stripe.example"),
        ("ENCRYPTION_KEYS", "hunter2"),
        ("LEASE_SECONDS", "0"),
        ("POLL_SECONDS", "1"),
        ("POLL_SECONDS_FILE", "/run/poll"),
    ]);
    assert_eq!(code, Some(78), "{message}");
    for variable in [
        "DATABASE_URL: is required",
        "GUILD_ID: is required",
        "STRIPE_SECRET_KEY: is a secret key",
        "STRIPE_WEBHOOK_SECRET: is not a list of whsec_",
        "PORT: is not a port number",
        "TRUSTED_PROXY_HOPS: is not",
        "STRIPE_API_URL: must be https",
        "ENCRYPTION_KEYS: key number 1",
        "LEASE_SECONDS: is not between",
        "POLL_SECONDS_FILE: POLL_SECONDS is set too",
    ] {
        assert!(message.contains(variable), "{variable} is missing in\n{message}");
    }
    assert!(message.contains("has 10 problems"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_port_that_is_taken_is_a_failure_and_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, message) = start(&[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/x"), ("BIND", &address)]);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains(&format!("cannot listen on {address}")), "{message}");
}

//! The `webhook-gateway` service: configuration from the environment, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::process::main("webhook-gateway", webhook_gateway::config::Config::read, webhook_gateway::run)
}

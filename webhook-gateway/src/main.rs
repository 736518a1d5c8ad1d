//! The `webhook-gateway` service: configuration from the environment, nothing else.

use std::process::ExitCode;

use shared::config::{EXIT_CONFIG, Env};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let env = Env::from_process();
    shared::telemetry::init(&env);
    let config = match webhook_gateway::config::Config::read(&env) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("webhook-gateway: {problems}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("webhook-gateway: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        shared::shutdown::on_signal(stop.clone());
        webhook_gateway::run(config, stop).await
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("webhook-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

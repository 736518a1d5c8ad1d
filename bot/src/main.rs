//! The `bot` service: configuration from the environment, nothing else.

use std::process::ExitCode;

use shared::config::{EXIT_CONFIG, Env};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let env = Env::from_process();
    shared::telemetry::init(&env);
    let config = match bot::config::Config::read(&env) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("bot: {problems}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bot: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        shared::shutdown::on_signal(stop.clone());
        bot::run(config, stop).await
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

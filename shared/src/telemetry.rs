//! Logging, set up once per process. Lines go to stderr; stdout belongs to the commands' answers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Env;

/// Starts logging with `RUST_LOG` and `LOG_FORMAT`. A second call changes nothing.
pub fn init(env: &Env) {
    let filter = env.get("RUST_LOG").and_then(|spec| EnvFilter::try_new(spec).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new("info,sqlx=warn,serenity=warn,tracing::span=warn"));
    std::panic::set_hook(Box::new(log_panic));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match env.get("LOG_FORMAT").as_deref() {
        Some("json") => builder.json().flatten_event(true).try_init(),
        _ => builder.compact().try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was already set up");
    }
}

/// A panic in one line, and its message only if the program's text holds it whole: a formatted one may quote what was sent.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(
        place,
        message = message.unwrap_or("(not shown: it was put together at run time)"),
        "panic"
    );
}

//! Logging, set up once per process. Lines go to stderr; stdout belongs to the commands' answers.
//!
//! In: `RUST_LOG` and `LOG_FORMAT`. Out: lines without secrets, whatever `RUST_LOG` asks for. Of other people's crates nothing
//! is logged at TRACE: `tungstenite` writes whole frames there, and one of them holds the bot token.

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::config::Env;

/// Crates that keep secrets out of their lines at every level: ours.
const OURS: [&str; 5] = ["bot", "nexrole", "sandbox", "shared", "webhook_gateway"];

/// Starts logging with `RUST_LOG` and `LOG_FORMAT`. A second call changes nothing.
pub fn init(env: &Env) {
    let lines = layer(env, std::io::stderr, std::io::stderr().is_terminal());
    if tracing_subscriber::registry().with(lines).try_init().is_err() {
        tracing::debug!("logging was already set up");
    }
}

fn layer<S, W>(env: &Env, writer: W, colours: bool) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let wanted = env.get("RUST_LOG").and_then(|spec| EnvFilter::try_new(spec).ok());
    let wanted = wanted.unwrap_or_else(|| EnvFilter::new("info,sqlx=warn,serenity=warn,tracing::span=warn"));
    let lines = fmt::layer().with_writer(writer).with_ansi(colours);
    let lines: Box<dyn Layer<S> + Send + Sync> = match env.get("LOG_FORMAT").as_deref() {
        Some("json") => lines.json().flatten_event(true).boxed(),
        _ => lines.compact().boxed(),
    };
    lines.with_filter(wanted).with_filter(filter_fn(may_be_logged))
}

fn may_be_logged(line: &Metadata<'_>) -> bool {
    let named = line.target().split("::").next().unwrap_or_default();
    *line.level() != Level::TRACE || OURS.contains(&named)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_setting_makes_other_crates_log_at_trace() {
        for wanted in ["trace", "tungstenite=trace", "trace,tungstenite::protocol=trace,tungstenite=trace"] {
            for format in ["pretty", "json"] {
                let env = Env::of([("RUST_LOG", wanted), ("LOG_FORMAT", format)]);
                let kept = Kept::default();
                let writer = kept.clone();
                let lines = layer(&env, move || writer.clone(), false);
                tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
                    tracing::trace!(target: "tungstenite::protocol", "Sending frame: hunter2");
                    tracing::debug!(target: "tungstenite::protocol", "connected");
                    tracing::trace!(target: "shared::store", "ours");
                });
                let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
                assert!(!text.contains("hunter2") && text.contains("connected"), "{wanted}: {text}");
                assert_eq!(text.contains("ours"), wanted.starts_with("trace"), "{wanted}: {text}");
            }
        }
    }
}

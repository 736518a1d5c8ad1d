//! Configuration: environment variables in, values or *all* problems out.
//!
//! `NAME_FILE` names a file whose content is the value of `NAME` (for mounted secrets). A variable that is set but
//! blank counts as absent. Values are never shown in a problem: a mistyped secret is still a secret.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use crate::{crypto::Keyring, metrics::MetricsBind};

mod database;

/// The process exits with this code when its configuration is wrong (`EX_CONFIG` of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Shorter leases would only be lost: a call and its settling must fit.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);

/// A snapshot of environment variables, taken once at start.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// Reads the process' environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        )
    }

    /// An environment of these variables only.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self::from_pairs(variables)
    }

    /// The same of a list; the last value of a name counts.
    pub fn from_pairs<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        Self(variables.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    /// The same with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The value, trimmed; `None` when absent or blank.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }
}

/// One thing that is wrong with one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub variable: String,
    /// What is wrong, in words; never contains the value.
    pub wrong: String,
    /// A value that would do.
    pub example: String,
}

/// Everything that is wrong, reported together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        writeln!(f, "the configuration has {count} problem{}:", if count == 1 { "" } else { "s" })?;
        for Problem { variable, wrong, example } in &self.0 {
            writeln!(f, "  {variable}: {wrong}\n      for example  {variable}={example}")?;
        }
        write!(f, "Variables come from the environment or a .env file; .env.example explains each.")
    }
}

impl std::error::Error for Problems {}

/// Reads variables and remembers what was wrong; [`Reader::finish`] gives all of it at once.
pub struct Reader<'a> {
    env: &'a Env,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub fn new(env: &'a Env) -> Self {
        Self { env, problems: Vec::new() }
    }

    /// Notes a problem.
    pub fn problem(&mut self, variable: &str, wrong: impl Into<String>, example: &str) {
        self.problems.push(Problem {
            variable: variable.into(),
            wrong: wrong.into(),
            example: example.into(),
        });
    }

    /// The value of `name`, or the content of the file that `name_FILE` names.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let file_variable = format!("{name}_FILE");
        let (value, file) = (self.env.get(name), self.env.get(&file_variable));
        match (value, file) {
            (Some(_), Some(_)) => {
                self.problem(
                    &file_variable,
                    format!("{name} is set too; keep one of them"),
                    "/run/secrets/value",
                );
                None
            }
            (value, None) => value,
            (None, Some(path)) => match std::fs::read_to_string(Path::new(&path)) {
                Ok(content) if content.trim().is_empty() => {
                    self.problem(&file_variable, "the file is empty", "/run/secrets/value");
                    None
                }
                Ok(content) => Some(content.trim().to_owned()),
                Err(error) => {
                    self.problem(
                        &file_variable,
                        format!("the file cannot be read: {error}"),
                        "/run/secrets/value",
                    );
                    None
                }
            },
        }
    }

    /// Whether the variable, or its `_FILE`, is set at all, rightly or wrongly.
    pub fn given(&self, name: &str) -> bool {
        self.env.get(name).is_some() || self.env.get(&format!("{name}_FILE")).is_some()
    }

    /// Like [`Reader::text`], and its absence is a problem.
    pub fn required(&mut self, name: &str, example: &str) -> Option<String> {
        if !self.given(name) {
            self.problem(name, "is required and not set", example);
        }
        self.text(name)
    }

    /// A secret of at least one character.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// `ENCRYPTION_KEYS`, if it is set.
    pub fn keyring(&mut self) -> Option<Keyring> {
        let keys = self.secret("ENCRYPTION_KEYS")?;
        let keyring = Keyring::parse(keys.expose_secret());
        keyring
            .inspect_err(|error| {
                self.problem("ENCRYPTION_KEYS", error.to_string(), "k1:<32 random bytes, base64>");
            })
            .ok()
    }

    /// A value with a `FromStr`.
    pub fn parsed<T: FromStr>(&mut self, name: &str, what: &str, example: &str) -> Option<T> {
        let parsed = self.text(name)?.parse();
        if parsed.is_err() {
            self.problem(name, format!("is not {what}"), example);
        }
        parsed.ok()
    }

    /// A duration in seconds, fractions allowed, above zero and at most a day.
    pub fn seconds(&mut self, name: &str, default: Duration) -> Duration {
        let Some(seconds) = self.parsed::<f64>(name, "a number of seconds", "30") else { return default };
        if seconds > 0.0 && seconds <= 86_400.0 {
            return Duration::from_secs_f64(seconds);
        }
        self.problem(name, "is not between 0 and 86400 seconds", "30");
        default
    }

    /// `LEASE_SECONDS`: how long one worker keeps what it works on.
    pub fn lease(&mut self) -> Duration {
        let lease = self.seconds("LEASE_SECONDS", Duration::from_secs(30));
        if lease < SHORTEST_LEASE {
            self.problem(
                "LEASE_SECONDS",
                "is below 3 seconds, which no call to Stripe or Discord fits in",
                "30",
            );
        }
        lease
    }

    /// Where to listen: `BIND`, or all interfaces on `PORT`, or loopback on the default port.
    pub fn listen(&mut self, default_port: u16) -> SocketAddr {
        let bind = self.parsed::<SocketAddr>("BIND", "an address with a port", "127.0.0.1:8080");
        let port = self.parsed::<u16>("PORT", "a port number", "8080");
        match (bind, port) {
            (Some(_), Some(_)) => {
                self.problem("BIND", "PORT is set too; keep one of them", "127.0.0.1:8080");
                SocketAddr::from(([127, 0, 0, 1], default_port))
            }
            (Some(address), None) => address,
            (None, Some(port)) => SocketAddr::from(([0, 0, 0, 0], port)),
            (None, None) => SocketAddr::from(([127, 0, 0, 1], default_port)),
        }
    }

    /// `METRICS_BIND`, or loopback on the default port.
    pub fn metrics(&mut self, default_port: u16) -> MetricsBind {
        let chosen = self.parsed("METRICS_BIND", "an address with a port", "127.0.0.1:9090");
        let default = SocketAddr::from(([127, 0, 0, 1], default_port));
        chosen.map_or(MetricsBind::Default(default), MetricsBind::Chosen)
    }

    /// An `http(s)` origin without a trailing slash; plain `http` only for this machine.
    pub fn origin(&mut self, name: &str, default: Option<&str>) -> Option<String> {
        let Some(text) = self.text(name) else { return default.map(str::to_owned) };
        let origin = text.trim_end_matches('/');
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        match host {
            None | Some("") => self.problem(name, "is not an http(s) address", "https://roles.example.com"),
            Some(host) if host.contains(['/', '?', '#', '@']) => {
                self.problem(name, "has more than scheme, host and port", "https://roles.example.com");
            }
            Some(host) if origin.starts_with("http://") && !is_loopback(host) => {
                self.problem(
                    name,
                    "must be https (http is for this machine only)",
                    "https://roles.example.com",
                );
            }
            Some(_) => return Some(origin.to_owned()),
        }
        None
    }

    /// The values that `build` makes of what was read, or all problems. `build` returning `None` with no problem
    /// noted cannot happen when it only uses `?` on this reader's answers.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Problems(self.problems)),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_come_together_and_name_their_variable() {
        let env = Env::of([
            ("PORT", "http"),
            ("POLL_SECONDS", "-1"),
            ("PUBLIC_URL", "http://example.com"),
            ("BLANK", "  "),
        ]);
        let mut reader = Reader::new(&env);
        reader.listen(8080);
        reader.seconds("POLL_SECONDS", Duration::from_secs(1));
        reader.origin("PUBLIC_URL", None);
        assert_eq!(reader.required("BLANK", "x"), None);
        let problems = reader.finish(Some(())).unwrap_err();
        let names: Vec<_> = problems.0.iter().map(|p| p.variable.as_str()).collect();
        assert_eq!(names, ["PORT", "POLL_SECONDS", "PUBLIC_URL", "BLANK"]);
        let text = problems.to_string();
        assert!(text.starts_with("the configuration has 4 problems:"), "{text}");
        assert!(text.contains("PORT: is not a port number"), "{text}");
    }

    #[test]
    fn a_problem_never_shows_the_value() {
        let env = Env::of([("PORT", "hunter2"), ("PUBLIC_URL", "ftp://hunter2")]);
        let mut reader = Reader::new(&env);
        reader.listen(1);
        reader.origin("PUBLIC_URL", None);
        assert!(!reader.finish(Some(())).unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn contradictions_are_problems() {
        let env = Env::of([("PORT", "1"), ("BIND", "127.0.0.1:2"), ("KEY", "a"), ("KEY_FILE", "/x")]);
        let mut reader = Reader::new(&env);
        reader.listen(1);
        reader.text("KEY");
        assert_eq!(reader.finish(Some(())).unwrap_err().0.len(), 2);
    }

    #[test]
    fn a_file_gives_the_value_trimmed_and_its_absence_is_one_problem() {
        let path = std::env::temp_dir().join(format!("nexrole-config-{}", std::process::id()));
        std::fs::write(&path, "  sesame\n").unwrap();
        let text = path.to_str().unwrap();
        assert_eq!(Reader::new(&Env::of([("KEY_FILE", text)])).text("KEY").as_deref(), Some("sesame"));
        std::fs::remove_file(&path).unwrap();
        let env = Env::of([("KEY_FILE", text)]);
        let mut reader = Reader::new(&env);
        assert_eq!(reader.required("KEY", "x"), None);
        assert_eq!(reader.finish(Some(())).unwrap_err().0[0].variable, "KEY_FILE");
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for (url, good) in [
            ("https://a.example/", true),
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://127.0.0.1.evil.example", false),
            ("https://", false),
            ("https://a.example/path", false),
            ("https://user@a.example", false),
        ] {
            let env = Env::of([("PUBLIC_URL", url)]);
            let mut reader = Reader::new(&env);
            assert_eq!(reader.origin("PUBLIC_URL", None).is_some(), good, "{url}");
        }
    }
}

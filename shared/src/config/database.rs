//! Where the database is, and whether the way there is safe. In: `DATABASE_URL`, `DATABASE_PRIVATE_HOST`. Out: the address.
//!
//! A library's default is to encrypt if the server offers it and to go on in plain text if not: whoever sits between decides.
//! So beyond this machine it is `sslmode=verify-full`, or a host that somebody has named as one behind a private network.

use std::{net::IpAddr, str::FromStr};

use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::Reader;

const URL: &str = "DATABASE_URL";
const PRIVATE_HOST: &str = "DATABASE_PRIVATE_HOST";

/// What is wrong with the way to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    NoAddress,
    Unprotected,
    OtherHost,
}

impl Reader<'_> {
    /// `DATABASE_URL`, which must be set.
    pub fn database(&mut self) -> Option<SecretString> {
        let url = self.required(URL, "postgres://nexrole@localhost/nexrole")?;
        let private_host = self.text(PRIVATE_HOST);
        match way(&url, private_host.as_deref()) {
            Ok(()) => return Some(url.into()),
            Err(Wrong::NoAddress) => {
                self.problem(URL, "is not the address of a Postgres", "postgres://nexrole@localhost/nexrole");
            }
            Err(Wrong::Unprotected) => self.problem(
                URL,
                "leads over a network without protection: add sslmode=verify-full, with sslrootcert=/path if the server's \
                 certificate is of an authority of its own; or name its host in DATABASE_PRIVATE_HOST if the network is private",
                "postgres://nexrole@db.example.com/nexrole?sslmode=verify-full",
            ),
            Err(Wrong::OtherHost) => self.problem(
                PRIVATE_HOST,
                "is not the host of DATABASE_URL, which has no sslmode=verify-full either",
                "postgres.internal",
            ),
        }
        None
    }
}

fn way(url: &str, private_host: Option<&str>) -> Result<(), Wrong> {
    // Without it, text that is no address at all could still be taken for one.
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Wrong::NoAddress);
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| Wrong::NoAddress)?;
    let host = options.get_host().trim_matches(['[', ']']);
    let socket = options.get_socket().is_some() || host.starts_with('/');
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if socket || loopback || matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
        return Ok(());
    }
    match private_host {
        None => Err(Wrong::Unprotected),
        Some(named) if named.eq_ignore_ascii_case(host) => Ok(()),
        Some(_) => Err(Wrong::OtherHost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    #[test]
    fn beyond_this_machine_the_way_is_verified_or_named() {
        use Wrong::{NoAddress, OtherHost, Unprotected};
        let named = Some("db.internal");
        for (url, private_host, expected) in [
            ("postgres://u@localhost/d", None, Ok(())),
            ("postgresql://u@127.0.0.1:5433/d?sslmode=disable", None, Ok(())),
            ("postgres://u@127.8.8.8/d", None, Ok(())),
            ("postgres://u@[::1]/d", None, Ok(())),
            ("postgres://u@localhost/d?host=%2Frun%2Fpostgresql", None, Ok(())),
            ("postgres://u@%2Frun%2Fpostgresql/d", None, Ok(())),
            ("postgres://u@db.example.com/d?sslmode=verify-full", None, Ok(())),
            ("postgres://u@db.example.com/d?sslmode=verify-full", named, Ok(())),
            ("postgres://u@db.example.com/d", None, Err(Unprotected)),
            ("postgres://u@db.example.com/d?sslmode=prefer", None, Err(Unprotected)),
            ("postgres://u@db.example.com/d?sslmode=require", None, Err(Unprotected)),
            ("postgres://u@db.example.com/d?sslmode=verify-ca", None, Err(Unprotected)),
            ("postgres://u@db.example.com/d?sslmode=disable", None, Err(Unprotected)),
            ("postgres://u@localhost/d?host=db.example.com", None, Err(Unprotected)),
            ("postgres://u@localhost/d?hostaddr=10.0.0.7", None, Err(Unprotected)),
            ("postgres://u@localhost.example.com/d", None, Err(Unprotected)),
            ("postgres://u@10.0.0.7/d", None, Err(Unprotected)),
            ("postgres://u@db.internal/d", named, Ok(())),
            ("postgres://u@DB.internal/d", named, Ok(())),
            ("postgres://u@other.internal/d", named, Err(OtherHost)),
            ("postgres://u@xdb.internal/d", named, Err(OtherHost)),
            ("postgres://u@db.internal.example.com/d", named, Err(OtherHost)),
            ("mysql://u@localhost/d", None, Err(NoAddress)),
            ("localhost", None, Err(NoAddress)),
            ("postgres://u@localhost:port/d", None, Err(NoAddress)),
            ("postgres://u@localhost/d?sslmode=maybe", None, Err(NoAddress)),
        ] {
            assert_eq!(way(url, private_host), expected, "{url} {private_host:?}");
        }
    }

    #[test]
    fn the_problem_names_the_fix_and_shows_neither_host_nor_password() {
        for url in ["postgres://u:hunter2@hunter3/d", "postgres://u:hunter2@hunter3:x/d", "hunter2"] {
            let env = Env::of([(URL, url)]);
            let mut reader = Reader::new(&env);
            assert!(reader.database().is_none());
            let said = reader.finish(Some(())).unwrap_err().to_string();
            assert!(!said.contains("hunter"), "{said}");
            let unprotected = url.ends_with("hunter3/d");
            assert_eq!(
                said.contains("sslmode=verify-full") && said.contains(PRIVATE_HOST),
                unprotected,
                "{said}"
            );
        }
    }
}

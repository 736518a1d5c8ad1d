//! The database: can it be reached, by whom, over what, and does it keep what it is given? In: its address. Out: findings, and a
//! connection for whoever looks on, which can change nothing.

use std::{str::FromStr, time::Duration};

use shared::{
    db::{pg_roles::Standing, pool::within},
    store::health_facts,
};
use sqlx::{
    PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::{
    address, clocks,
    findings::{Check, Findings},
};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// What the migrations are written for.
const OLDEST: i32 = 150_000;
const NOT_PUBLIC: &str = "switch the public address off, or let the firewall admit the services' addresses alone and reach it by a \
                          private one: docs/hardening.md, \"The database is nobody else's\"";

/// How the services get there.
enum Way {
    Socket,
    Loopback,
    Verified(String),
    Named(String),
}

/// Checks; `None` if there is no connection with a schema and roles to go on with.
pub(super) async fn check(findings: &mut Findings, url: &str) -> Option<PgConnection> {
    let way = match PgConnectOptions::from_str(url) {
        Ok(options) => way(&options),
        // Its text may show the address, and with it a password.
        Err(_) => {
            findings.fail(
                Check::DatabaseReachable,
                "DATABASE_URL is not the address of a Postgres",
                "postgres://…",
            );
            return None;
        }
    };
    if let Way::Verified(host) | Way::Named(host) = &way {
        check_address(findings, host).await;
    }
    let connected = tokio::time::timeout(CONNECT_WITHIN, health_facts::connect(url)).await;
    let mut db = match connected.map_err(|_| "no answer within 5 s".to_owned()) {
        Ok(Ok(db)) => db,
        Ok(Err(sqlx::Error::Database(error))) => return unreachable(findings, error.message()),
        Ok(Err(error)) => return unreachable(findings, &error.to_string()),
        Err(error) => return unreachable(findings, &error),
    };
    let asked = async {
        let server = within(health_facts::server(&mut db)).await?;
        clocks::judge(findings, Check::ClockDatabase, "the database's", server.at);
        check_server(findings, &server, &way);
        if !check_roles(findings, &mut db).await? {
            return Ok(false);
        }
        check_schema(findings, &mut db).await
    };
    match asked.await {
        Ok(true) => Some(db),
        Ok(false) => None,
        Err(error) => {
            let error: sqlx::Error = error;
            unreachable(findings, &format!("a question failed: {error}"))
        }
    }
}

fn unreachable(findings: &mut Findings, why: &str) -> Option<PgConnection> {
    let fix = "is it running, and are host, port, user, password and database of DATABASE_URL right?";
    findings.fail(Check::DatabaseReachable, why.to_owned(), fix);
    None
}

fn way(options: &PgConnectOptions) -> Way {
    let host = options.get_host().trim_matches(['[', ']']).to_owned();
    if options.get_socket().is_some() || host.starts_with('/') {
        return Way::Socket;
    }
    if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        return Way::Loopback;
    }
    match options.get_ssl_mode() {
        PgSslMode::VerifyFull => Way::Verified(host),
        _ => Way::Named(host),
    }
}

async fn check_address(findings: &mut Findings, host: &str) {
    match address::public_addresses(host).await {
        Ok(public) if public.is_empty() => {
            findings.ok(Check::DatabaseAddress, format!("{host} has private addresses only"));
        }
        Ok(public) => {
            let public: Vec<_> = public.iter().map(ToString::to_string).collect();
            let detail = format!("{host} is on a public address: {}", public.join(", "));
            findings.fail(Check::DatabaseAddress, detail, NOT_PUBLIC);
        }
        Err(error) => {
            let detail = format!("{host} cannot be resolved: {error}");
            findings.fail(Check::DatabaseAddress, detail, "is the host of DATABASE_URL right?");
        }
    }
}

fn check_server(findings: &mut Findings, server: &health_facts::Server, way: &Way) {
    let version = &server.version;
    if server.version_number < OLDEST {
        let detail = format!("Postgres {version} answers; 15 or newer is needed");
        findings.fail(Check::DatabaseReachable, detail, "upgrade it");
    } else if server.standby {
        let detail = format!("Postgres {version} answers, but is a standby, which takes no writes");
        findings.fail(Check::DatabaseReachable, detail, "let DATABASE_URL name the primary");
    } else {
        findings.ok(Check::DatabaseReachable, format!("Postgres {version} answers"));
    }
    // What a socket or loopback leads to may listen elsewhere too.
    if matches!(way, Way::Socket | Way::Loopback) {
        let listens = server.listen_addresses.split(',').map(str::trim).filter(|address| !address.is_empty());
        let beyond: Vec<&str> =
            listens.filter(|address| !["localhost", "127.0.0.1", "::1"].contains(address)).collect();
        if beyond.is_empty() {
            findings.ok(Check::DatabaseAddress, "it listens on this machine alone");
        } else {
            findings.warn(
                Check::DatabaseAddress,
                format!("it is on this machine, and listens on {} too", beyond.join(", ")),
                "listen_addresses = 'localhost' in postgresql.conf, or is none of these public?",
            );
        }
    }
    let encrypted = server.tls.as_deref();
    match (way, encrypted) {
        (Way::Socket, _) => findings.ok(Check::DatabaseTls, "a Unix socket: no network lies between"),
        // A tunnel may begin there; that one is encrypted or not, whatever Postgres says.
        (Way::Loopback, _) => findings.ok(
            Check::DatabaseTls,
            "DATABASE_URL names this machine: no network lies between, unless a tunnel or a pooler listens there",
        ),
        (Way::Verified(_), Some(tls)) => {
            findings.ok(Check::DatabaseTls, format!("{tls}, and its certificate is verified"));
        }
        (Way::Named(_), Some(tls)) => findings.ok(
            Check::DatabaseTls,
            format!("{tls}, not verified: DATABASE_PRIVATE_HOST says that the network is private"),
        ),
        (Way::Named(_), None) => findings.ok(
            Check::DatabaseTls,
            "not encrypted as far as Postgres: DATABASE_PRIVATE_HOST says that the network is private",
        ),
        // Without TLS and a good certificate there would be no connection; yet Postgres has none.
        (Way::Verified(_), None) => findings.ask(
            Check::DatabaseTls,
            "verified and encrypted as far as what answers there, a pooler perhaps; Postgres itself sees no TLS",
            "is the network between that and Postgres private?",
        ),
    }
    check_durability(findings, server);
    let without = "a page that a disk changed is not noticed: data checksums are off";
    if server.checksums {
        findings.ok(Check::DatabaseChecksums, "data checksums are on");
    } else {
        findings.warn(
            Check::DatabaseChecksums,
            without,
            "stop Postgres, run pg_checksums --enable, and start it again",
        );
    }
    if !findings.knows(Check::OperatorBackups) {
        super::questions::backups(findings, Some(server.archives));
    }
}

fn check_durability(findings: &mut Findings, server: &health_facts::Server) {
    let settings = [
        ("fsync", server.fsync),
        ("full_page_writes", server.full_page_writes),
        ("synchronous_commit", server.commits_wait),
    ];
    let off: Vec<&str> = settings.iter().filter(|(_, on)| !on).map(|(name, _)| *name).collect();
    if off.is_empty() {
        return findings.ok(Check::DatabaseDurability, "what is committed survives a crash");
    }
    let detail = format!("{} off: a crash may lose what Stripe was told is recorded", join_is(&off));
    let statements: Vec<_> = off.iter().map(|name| format!("ALTER SYSTEM SET {name} = on;")).collect();
    // With synchronous_commit off, saying that data may go would leave it off.
    let elsewhere = if server.commits_wait {
        "; its storage may keep what is committed all the same: ask the provider, and if so ALTER DATABASE … SET \
         nexrole.may_lose_data = on"
    } else {
        ""
    };
    let fix = format!(
        "{} SELECT pg_reload_conf(); and no ALTER DATABASE or ALTER ROLE that says otherwise. At a managed Postgres these are \
         the provider's settings{elsewhere}",
        statements.join(" ")
    );
    if server.may_lose_data {
        findings.warn(
            Check::DatabaseDurability,
            format!("{detail}; nexrole.may_lose_data says that it may"),
            fix,
        );
    } else {
        findings.fail(Check::DatabaseDurability, detail, fix);
    }
}

fn join_is(names: &[&str]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

async fn check_roles(findings: &mut Findings, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match within(health_facts::standing(db)).await? {
        (Standing::Fine, _) => {
            findings.ok(Check::DatabaseRoles, "the login may act as each of Nexrole's roles");
            Ok(true)
        }
        (Standing::Missing, _) => {
            findings.fail(Check::DatabaseRoles, "Nexrole's roles do not all exist", "nexrole migrate");
            Ok(false)
        }
        (Standing::Lacks(roles), by_hand) => {
            findings.fail(
                Check::DatabaseRoles,
                format!("the login may not become {}", roles.join(", ")),
                format!("an administrator runs, on any database of the cluster:\n{by_hand}"),
            );
            Ok(false)
        }
    }
}

async fn check_schema(findings: &mut Findings, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let health_facts::Schema { behind, ahead } = within(health_facts::schema(db)).await?;
    match (behind, ahead) {
        (0, 0) => findings.ok(Check::DatabaseSchema, "the schema is this release's"),
        (0, ahead) => findings.warn(
            Check::DatabaseSchema,
            format!("the schema is newer; migrations that this release does not know: {ahead}"),
            "use the release that migrated it",
        ),
        (behind, _) => {
            let detail = format!("migrations of this release that are missing: {behind}");
            findings.fail(Check::DatabaseSchema, detail, "nexrole migrate");
        }
    }
    Ok(behind == 0)
}

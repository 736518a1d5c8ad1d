//! The way to a Postgres behind TLS. In: a server with a certificate of an authority of the test's own. Out: who gets in.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use embedded_postgres::Durability;
use nexrole::children::free_port;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use shared::db::readiness;
use shared::db::{pg_roles::Login, pool, readiness::Readiness};
use sqlx::{Connection as _, PgConnection};
use testkit::scratch::Scratch;
use tokio::process::{Child, Command};

use crate::support::own_server::options;

const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "hunter2";

/// A server's folder and program, made by the product, which itself never listens on TCP.
struct Made {
    program: PathBuf,
    data: PathBuf,
}

fn made(folder: &Path) -> Made {
    let cluster = embedded_postgres::start(&options(folder, Durability::Durable)).expect("Postgres starts");
    let program = fs::read_link(format!("/proc/{}/exe", cluster.pid())).expect("it runs");
    let data = fs::read_link(format!("/proc/{}/cwd", cluster.pid())).expect("it runs");
    cluster.stop().expect("it stops");
    Made { program, data }
}

impl Made {
    /// On TCP, with or without TLS.
    fn serve(&self, port: u16, tls: &[&str]) -> Child {
        let owner = fs::metadata(&self.data).expect("the folder");
        let mut command = Command::new(&self.program);
        command
            .arg("-D")
            .arg(&self.data)
            .current_dir(&self.data)
            .env_clear()
            .uid(owner.uid())
            .gid(owner.gid());
        let port = format!("port={port}");
        for setting in ["listen_addresses=127.0.0.1", &port, "unix_socket_directories="].iter().chain(tls) {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command.spawn().expect("Postgres starts")
    }

    /// A file that the server may read, and nobody else.
    fn private(&self, name: &str, content: &str) {
        let (path, owner) = (self.data.join(name), fs::metadata(&self.data).expect("the folder"));
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("private");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("given away");
    }
}

/// An authority, and a key with the certificate that it gave `localhost`.
fn certificates() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let authority_certificate = authority.self_signed(&authority_key).expect("signed").pem();
    let (issuer, key) = (Issuer::new(authority, authority_key), KeyPair::generate().expect("a key"));
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = server.signed_by(&key, &issuer).expect("signed").pem();
    (authority_certificate, certificate, key.serialize_pem())
}

async fn answers(url: &str) -> Result<bool, String> {
    let mut db = PgConnection::connect(url).await.map_err(|error| format!("{error} {error:?}"))?;
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    sqlx::query_scalar(encrypted).fetch_one(&mut db).await.map_err(|error| error.to_string())
}

/// Who gets in the way the services do.
async fn through_a_pool(url: &str) -> Readiness {
    let pool = pool::pool(url, 1, Login::Gateway).expect("the address is good");
    let readiness = readiness::readiness(&pool).await;
    pool.close().await;
    readiness
}

async fn until_up(url: &str) {
    let began = Instant::now();
    while let Err(error) = answers(url).await {
        assert!(began.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nor does a service get in, and it does not say the password.
async fn refused(url: &str, why: &str) {
    let Readiness::Away(error) = through_a_pool(url).await else { panic!("a service got in: {why}") };
    assert!(!error.contains(PASSWORD), "{error}");
}

#[tokio::test]
async fn a_verified_way_takes_the_right_certificate_only_and_is_never_downgraded() {
    // As the services do at their start.
    drop(rustls::crypto::ring::default_provider().install_default());
    let scratch = Scratch::new("tls");
    let folder = scratch.0.join("postgres");
    let made = tokio::task::spawn_blocking(move || made(&folder)).await.expect("no panic");
    let (authority, certificate, key) = certificates();
    let (unrelated_ca, _, _) = certificates();
    made.private("server.crt", &certificate);
    made.private("server.key", &key);
    let (good, other) = (scratch.0.join("ca.pem"), scratch.0.join("other.pem"));
    fs::write(&good, authority).unwrap();
    fs::write(&other, unrelated_ca).unwrap();
    let port = free_port().expect("a port");
    let url =
        |host: &str, query: &str| format!("postgres://nexrole:{PASSWORD}@{host}:{port}/postgres?{query}");
    let verified = |file: &Path| format!("sslmode=verify-full&sslrootcert={}", file.display());

    let mut server = made.serve(port, &["ssl=on"]);
    until_up(&url("localhost", "sslmode=disable")).await;
    assert_eq!(answers(&url("localhost", &verified(&good))).await, Ok(true));
    // It was asked, and said that nothing was ever migrated there.
    assert_eq!(through_a_pool(&url("localhost", &verified(&good))).await, Readiness::SchemaBehind);
    for (host, query, why) in [
        ("localhost", verified(&other), "an authority that nobody named"),
        ("localhost", "sslmode=verify-full".to_owned(), "no public authority either"),
        ("127.0.0.1", verified(&good), "the certificate is of another name"),
    ] {
        let error = answers(&url(host, &query)).await.expect_err(why);
        assert!(!error.contains(PASSWORD), "{error}");
        refused(&url(host, &query), why).await;
    }
    server.kill().await.unwrap();

    // The same server without TLS, as if somebody between had cut it out.
    let mut server = made.serve(port, &["ssl=off"]);
    until_up(&url("localhost", "sslmode=prefer")).await;
    assert_eq!(
        answers(&url("localhost", "sslmode=prefer")).await,
        Ok(false),
        "what a library does by default"
    );
    assert_eq!(through_a_pool(&url("localhost", "sslmode=prefer")).await, Readiness::SchemaBehind);
    let error = answers(&url("localhost", &verified(&good))).await.expect_err("a downgrade");
    assert!(!error.contains(PASSWORD), "{error}");
    refused(&url("localhost", &verified(&good)), "a downgrade").await;
    server.kill().await.unwrap();
}

//! What `SECURITY.md` and `security/controls.toml` promise of the sources: what they may name, and what the documents link to.

use std::{fs, path::Path};

use crate::tidy::{code, product};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Product code without comments, line by line.
fn statements() -> impl Iterator<Item = (String, String)> {
    product().filter(|(path, _)| !path.starts_with("sandbox")).flat_map(|(path, text)| {
        let lines = code(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.map(|line| (path.display().to_string(), line.to_owned())).collect::<Vec<_>>()
    })
}

#[test]
fn what_readme_and_policy_link_to_is_there() {
    let policy = ["docs/threats.md", "docs/hardening.md", "docs/ARCHITECTURE.md", "security/controls.toml"];
    let readme = ["SECURITY.md", "CHANGELOG.md", "docs/roadmap.md"];
    for (document, all_wanted) in [("SECURITY.md", &policy[..]), ("README.md", &readme)] {
        let text = text_of(document);
        let links: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        for wanted in all_wanted {
            assert!(links.contains(wanted), "{document} does not link to {wanted}");
        }
        for link in links.iter().filter(|link| !link.contains("://")) {
            let file = link.split('#').next().expect("a part");
            assert!(root().join(file).exists(), "{document} links to {link}");
        }
    }
}

/// sqlx takes fixed texts only, unless it is told that a made one is safe.
#[test]
fn no_statement_is_made_of_what_somebody_wrote() {
    // Commands about databases, by their checked names; roles, whose names stand there, milliseconds, and a guild's id, whose
    // type is a number: SET and BEGIN take no parameters.
    let known = [
        "nexrole/src/database.rs",
        "shared/src/db/pool.rs",
        "shared/src/db/pg_roles.rs",
        "shared/src/db/tenant.rs",
    ];
    for (file, line) in statements().filter(|(file, _)| !known.contains(&file.as_str())) {
        for word in ["AssertSqlSafe", "QueryBuilder", ".leak()", "Box::leak"] {
            assert!(!line.contains(word), "{file}: {line}");
        }
    }
}

#[test]
fn nobody_has_a_password_or_a_token_that_cannot_be_taken_back() {
    for entry in fs::read_dir(root().join("migrations")).expect("migrations") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("UTF-8").to_lowercase();
        assert!(
            path.extension().is_none_or(|e| e != "sql") || !text.contains("password"),
            "{}",
            path.display()
        );
    }
    let crates = text_of("Cargo.lock");
    for word in ["jwt", "jsonwebtoken", "jose", "paseto", "bcrypt"] {
        let named = |line: &&str| line.starts_with("name = ") && line.contains(word);
        assert_eq!(crates.lines().find(named), None);
    }
}

/// No telemetry: these are the only addresses that the services know by themselves.
#[test]
fn the_services_know_two_addresses_stripes_and_discords() {
    let examples = ["roles.example.com", "YOUR.HOST"];
    let mut hosts = Vec::new();
    for (file, line) in statements() {
        for rest in line.split("https://").skip(1) {
            let host: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || ".-".contains(*c)).collect();
            if !host.is_empty() && !examples.contains(&host.as_str()) {
                assert!(["api.stripe.com", "discord.com"].contains(&host.as_str()), "{file}: {line}");
                hosts.push(host);
            }
        }
    }
    assert!(hosts.len() >= 2, "{hosts:?}");
}

#[test]
fn the_bot_asks_for_two_intents_and_never_reads_messages() {
    let mut seen = 0;
    for (file, line) in statements() {
        for rest in line.split("GatewayIntents::").skip(1) {
            let intent: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // `empty` asks for nothing.
            assert!(["GUILDS", "GUILD_MEMBERS", "empty"].contains(&intent.as_str()), "{file}: {line}");
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

#[test]
fn the_compose_file_keeps_the_database_to_itself() {
    let compose = text_of("compose.yaml");
    let published: Vec<&str> =
        compose.lines().map(str::trim).filter(|line| line.starts_with("ports:")).collect();
    assert_eq!(
        published,
        [r#"ports: ["127.0.0.1:8080:8080"]"#],
        "the gateway alone, for a proxy on this machine"
    );
    assert!(compose.contains("database: { internal: true }"));
    let postgres = compose.split("\n  postgres:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    assert!(postgres.is_some_and(|service| service.contains("networks: [database]")));
}

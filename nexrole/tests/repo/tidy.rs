//! House rules that grep can check, so that they do not rot.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Tests aside.
const LONGEST_FILE: usize = 500;
pub(crate) const CRATES: [&str; 7] =
    ["bot", "embedded-postgres", "nexrole", "sandbox", "shared", "testkit", "webhook-gateway"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// Every Rust file of the workspace, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = CRATES.iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).expect("UTF-8");
                files.push((entry.strip_prefix(root()).expect("inside").to_owned(), text));
            }
        }
    }
    assert!(files.len() > 80, "only {} files were found", files.len());
    files
}

/// Product code: no tests, no benchmarks, and not this file.
pub(crate) fn product() -> impl Iterator<Item = (PathBuf, String)> {
    let is_test = |path: &Path| {
        path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
            || path.to_string_lossy().contains("tests.rs")
            || path.starts_with("testkit")
    };
    sources().into_iter().filter(move |(path, _)| !is_test(path))
}

/// The part before the unit tests.
pub(crate) fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap_or(text)
}

fn none_has(words: &[&str], files: impl Iterator<Item = (PathBuf, String)>, why: &str) {
    let found: Vec<String> = files
        .flat_map(|(path, text)| {
            let hits: Vec<_> = words
                .iter()
                .filter(|word| code(&text).contains(**word))
                .map(|word| format!("{}: {word}", path.display()))
                .collect();
            hits
        })
        .collect();
    assert!(found.is_empty(), "{why}\n{}", found.join("\n"));
}

/// Doctests are off, for an empty run of rustdoc takes the better part of a second for each crate.
#[test]
fn no_doc_has_code_that_nothing_runs() {
    for (path, text) in product() {
        let doc = text.lines().filter_map(|line| line.trim().strip_prefix("//")?.strip_prefix(['/', '!']));
        let fences: Vec<&str> = doc.map(str::trim).filter(|line| line.starts_with("```")).collect();
        let mut opening = fences.iter().step_by(2);
        let what = "an example in a doc is not run: make it a test, or turn `doctest` on in Cargo.toml";
        assert!(opening.all(|fence| *fence == "```text"), "{}: {what}", path.display());
    }
}

#[test]
fn the_domain_is_pure() {
    let domain = product().filter(|(path, _)| path.starts_with("shared/src/domain"));
    let words = [
        "async ",
        "tracing::",
        "sqlx::query",
        "clock::now",
        "clock::jitter",
        "rand::",
        "std::fs",
        "std::env",
    ];
    none_has(&words, domain, "nothing in shared::domain does IO, reads a clock, draws randomness or logs");
    let pure = ["signature.rs", "stripe/event.rs", "classify.rs", "role_list.rs", "client_ip.rs"];
    let is_pure = move |path: &PathBuf| {
        path.starts_with("webhook-gateway/src/stripe/read") || pure.iter().any(|name| path.ends_with(name))
    };
    let pure = product().filter(move |(path, _)| is_pure(path));
    none_has(&["async ", "tracing::", "clock::now"], pure, "these files are pure");
}

#[test]
fn sql_is_in_the_store() {
    let elsewhere = product().filter(|(path, _)| {
        let allowed = [
            "shared/src/store",
            "shared/src/db",
            "nexrole/src/demo",
            "nexrole/src/scenario.rs",
            "nexrole/src/database.rs",
        ];
        !allowed.iter().any(|folder| path.starts_with(folder))
    });
    none_has(
        &["sqlx::query", "INSERT INTO", "DELETE FROM"],
        elsewhere,
        "SQL lives in shared/src/{store,db} only",
    );
}

/// Everybody else has a `Tenant`, or a `Crossing`.
#[test]
fn bare_connections_stay_in_the_store() {
    let elsewhere = product().filter(|(path, _)| {
        let allowed = [
            "shared/src/store",
            "shared/src/db",
            // What the doctor's read-only session is asked goes through the store; it is no service's.
            "nexrole/src/doctor",
            // Makes databases, and migrates them.
            "nexrole/src/database.rs",
            // Tell their story from a database of their own, as the owner.
            "nexrole/src/demo",
            "nexrole/src/scenario.rs",
        ];
        !allowed.iter().any(|folder| path.starts_with(folder))
    });
    let bare = ["PgConnection", "PgPool", "PgListener", "PoolConnection", "sqlx::Transaction"];
    none_has(&bare, elsewhere, "rows are reached by a Tenant or a Crossing");
    let product = product().filter(|(path, _)| {
        let made_in = ["shared/src/db/tenant.rs", "shared/src/db/cross_tenant.rs"];
        !made_in.iter().any(|file| path.starts_with(file))
    });
    none_has(&["unguarded"], product, "Tenant::unguarded and Crossing::unguarded are for tests");
}

/// Each function of the store, as `file::name`, with what stands before and in its signature.
fn store_functions() -> Vec<(String, String)> {
    let mut functions = Vec::new();
    let folders = ["shared/src/store", "shared/src/db"];
    let store = product().filter(|(path, _)| folders.iter().any(|folder| path.starts_with(folder)));
    for (path, text) in store {
        let file = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut before = "";
        for part in code(&text).split("fn ") {
            let signature = part.split('{').next().unwrap_or(part);
            let name = signature.split(['(', '<']).next().unwrap_or(signature);
            let visibility = before.lines().next_back().unwrap_or("").trim();
            functions.push((format!("{file}::{name}"), format!("{visibility} {signature}")));
            before = part;
        }
    }
    assert!(functions.len() > 100, "only {} functions were found", functions.len());
    functions
}

/// What crosses tenants is what decision 6 lists, and nothing else.
#[test]
fn what_crosses_tenants_is_on_the_list() {
    let decision = root().join("docs/decisions/0006-tenants-in-the-database.md");
    let decision = fs::read_to_string(decision).expect("decision 6");
    let list =
        decision.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the list");
    let listed: Vec<&str> = list.split_whitespace().collect();
    let functions = store_functions();
    let crossing = functions.iter().filter(|(_, signature)| signature.contains("&mut Crossing"));
    let mut crossing: Vec<&str> = crossing.map(|(name, _)| name.as_str()).collect();
    crossing.sort_unstable();
    assert_eq!(crossing, listed, "found in the store, and listed in decision 6");
}

/// A guild beside a connection, or beside a `Tenant`, could be the wrong one.
#[test]
fn the_store_lets_nobody_choose_the_guild_of_a_connection() {
    // Setting up and examining databases, and the two capabilities themselves.
    let bare = ["health_facts", "pg_roles", "tenant", "cross_tenant"];
    for (name, signature) in store_functions() {
        let is_bare = signature.starts_with("pub ") && signature.contains("PgConnection");
        let allowed = bare.iter().any(|file| name.starts_with(&format!("{file}::")));
        assert!(!is_bare || allowed, "{name} takes a bare connection");
        let twice = signature.contains("&mut Tenant") && signature.contains("GuildId");
        assert!(!twice, "{name} takes a Tenant, which has its guild, and a guild");
    }
}

/// Its login is what lets the operator act for every server's owner.
#[test]
fn only_the_operators_commands_use_the_operators_login() {
    let elsewhere = product().filter(|(path, _)| {
        let allowed = ["nexrole/src/cli", "nexrole/src/keys", "shared/src/db"];
        !allowed.iter().any(|folder| path.starts_with(folder))
    });
    none_has(&["Login::Operator", "Authorized::operator"], elsewhere, "services are not the operator");
}

#[test]
fn stripe_and_discord_stay_in_their_crates() {
    let shared = product().filter(|(path, _)| path.starts_with("shared"));
    none_has(
        &["serenity::", "poise::", "stripe_billing", "stripe_core", "reqwest::"],
        shared,
        "no vendor's type in shared",
    );
    let gateway = product().filter(|(path, _)| path.starts_with("webhook-gateway"));
    none_has(&["DISCORD_TOKEN", "serenity::"], gateway, "the gateway holds no bot token");
    let bot = product().filter(|(path, _)| path.starts_with("bot"));
    none_has(
        // The keys open what the two services ask of each other; what is sealed of Stripe's the bot's database role does not see.
        &["STRIPE_SECRET_KEY\"", "stripe_core", "webhook_secrets", "api_key", "store::sealed", "credential"],
        bot,
        "the bot holds no Stripe secret",
    );
}

#[test]
fn only_get_goes_to_stripe() {
    let gateway = product().filter(|(path, _)| path.starts_with("webhook-gateway"));
    none_has(
        &[".post(", ".put(", ".patch(", ".delete(", "Method::POST"],
        gateway.filter(|(path, _)| !path.ends_with("http/route.rs")),
        "the gateway reads only",
    );
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    let allow = ["#[al", "low("].concat();
    none_has(
        &[&allow, &allow.replace("#[", "#![")],
        sources().into_iter(),
        "use #[expect(…, reason = \"…\")]",
    );
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for (path, text) in product() {
        let lines = code(&text).lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", path.display());
        assert!(text.starts_with("//! "), "{} does not say what it is", path.display());
    }
}

#[test]
fn no_junk_drawers() {
    for (path, _) in sources() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        for junk in
            ["util", "utils", "helper", "helpers", "common", "models", "types", "manager", "service", "misc"]
        {
            assert_ne!(name, junk, "{}: name it for what it holds", path.display());
        }
    }
}

#[test]
fn migrations_have_a_time_a_verb_and_a_reason() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("migrations")).expect("migrations") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let (time, words) = name.split_once('_').expect("a time and words");
            assert!(
                time.len() == 14 && time.bytes().all(|b| b.is_ascii_digit()) && words.contains('_'),
                "{name}"
            );
            let text = fs::read_to_string(&path).expect("UTF-8");
            assert!(text.starts_with("-- "), "{name} does not say why it exists");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_variable_is_explained() {
    let example = fs::read_to_string(root().join(".env.example")).expect(".env.example");
    for (path, text) in product().filter(|(path, _)| path.ends_with("config.rs")) {
        for variable in code(&text).split('"').filter(|word| is_variable(word)) {
            assert!(example.contains(variable), "{variable} of {} is not in .env.example", path.display());
        }
    }
}

fn is_variable(word: &str) -> bool {
    let shape = word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && word.contains('_');
    shape && word.len() > 4 && !word.starts_with('_')
}

/// `unsafe` is forbidden by the workspace's lints: a crate that does not inherit them would have none.
#[test]
fn every_crate_inherits_the_lints() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    assert!(manifest.contains("\nunsafe_code = \"forbid\"\n"));
    let members = CRATES.map(|name| format!("\"{name}\"")).join(", ");
    assert!(manifest.contains(&format!("members = [{members}]")), "CRATES is not the list of members");
    for name in CRATES {
        let text = fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
        assert!(text.contains("\n[lints]\nworkspace = true\n"), "{name} has lints of its own, or none");
    }
}

//! No circle of modules inside a crate, and who may not know whom.

mod circles;
mod modules;
mod syntax;
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
};

use self::modules::Modules;

const HELP: &str = "Move what both need to a module of its own, or what decides to the one that asks.";

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The file of a crate's root, as `bot/src/lib.rs`.
fn read(root: &Path) -> Modules {
    Modules::read(root, &|file| fs::read_to_string(workspace().join(file)).ok())
}

/// The library and the program of every member.
fn roots() -> Vec<PathBuf> {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let members = manifest["workspace"]["members"].as_array().expect("a list of members");
    let sources = members.iter().map(|member| Path::new(member.as_str().expect("a folder")).join("src"));
    let files = sources.flat_map(|folder| ["lib.rs", "main.rs"].map(|file| folder.join(file)));
    let roots: Vec<PathBuf> = files.filter(|file| workspace().join(file).is_file()).collect();
    assert!(roots.len() >= members.len(), "only {roots:?} were found");
    roots
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut found = Vec::new();
    for root in roots() {
        let uses = read(&root).uses();
        let circles = circles::circles(&uses);
        found.extend(
            circles.iter().map(|circle| format!("{}:\n{}", root.display(), circles::explain(&uses, circle))),
        );
    }
    assert!(found.is_empty(), "{} circles. {HELP}\n{}", found.len(), found.join("\n"));
}

#[test]
fn what_decides_knows_neither_store_nor_database() {
    for (root, module) in [
        ("bot/src/lib.rs", "discord::classify"),
        ("shared/src/lib.rs", "domain"),
        ("webhook-gateway/src/lib.rs", "stripe::event"),
        ("webhook-gateway/src/lib.rs", "stripe::read"),
        ("webhook-gateway/src/lib.rs", "stripe::signature"),
    ] {
        for (path, place) in read(Path::new(root)).said(module) {
            let known = path.iter().find(|word| matches!(word.as_str(), "db" | "store"));
            assert!(known.is_none(), "{module} says {} in {place}", path.join("::"));
        }
    }
}

/// Names of crates and modules that can do none.
#[test]
fn the_domain_does_no_io() {
    let shared = read(Path::new("shared/src/lib.rs"));
    for (user, used) in shared.uses().into_iter().filter(|(user, _)| modules::is_in(user, "domain")) {
        for (used, place) in used {
            let allowed = ["domain", "ids", "clock", "crypto::fingerprint"];
            let is_allowed = allowed.iter().any(|module| modules::is_in(&used, module));
            assert!(is_allowed, "{user} uses {used} in {place}");
        }
    }
    // Of sqlx: how a word is written in a column.
    let allowed = [
        "idna::domain_to_ascii",
        "serde::",
        "sqlx::Type",
        "std::borrow::Cow",
        "std::cmp::",
        "std::collections::",
        "std::fmt",
        "std::net::IpAddr",
        "std::time::",
        "thiserror::",
        "time::",
        "u128::",
        "u64::",
        "usize::",
        "uuid::Uuid",
    ];
    let of_others = shared.of_others("domain");
    assert!(of_others.len() > 10, "hardly anything was read: {of_others:?}");
    for (path, place) in of_others {
        assert!(allowed.iter().any(|start| path.starts_with(start)), "{path} in {place}");
    }
}

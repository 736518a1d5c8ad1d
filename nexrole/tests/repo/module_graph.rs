//! No circle of modules inside a crate, and who may not know whom.

mod circles;
mod modules;
mod syntax;
mod tests;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::modules::Modules;

/// The uses that lie on a circle today: the list shrinks, and never grows.
const KNOWN: &str = "nexrole/tests/repo/module_graph/known.txt";

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

/// With `NEXROLE_WRITE_CIRCLES` set the list is written anew.
#[test]
fn no_modules_use_each_other_in_a_circle() {
    let (mut on_circles, mut explained) = (BTreeSet::new(), Vec::new());
    for root in roots() {
        let uses = read(&root).uses();
        for circle in circles::circles(&uses) {
            explained.push(format!("{}: {}", root.display(), circles::explain(&uses, &circle)));
            let next = circle.iter().cycle().skip(1);
            let uses = circle.iter().zip(next);
            on_circles.extend(uses.map(|(user, used)| format!("{}: {user} → {used}", root.display())));
        }
    }
    if shared::config::Env::from_process().get("NEXROLE_WRITE_CIRCLES").is_some() {
        let lines: String = on_circles.iter().map(|line| format!("{line}\n")).collect();
        fs::write(workspace().join(KNOWN), lines).expect("written");
        return;
    }
    let known = fs::read_to_string(workspace().join(KNOWN)).expect("the list");
    let known: BTreeSet<String> = known.lines().map(str::to_owned).collect();
    let new: Vec<&String> = on_circles.difference(&known).collect();
    assert!(new.is_empty(), "new on a circle: {new:#?}\nAll circles:\n{}", explained.join("\n"));
    let gone: Vec<&String> = known.difference(&on_circles).collect();
    assert!(
        gone.is_empty(),
        "on no circle any more, so NEXROLE_WRITE_CIRCLES=1 takes them off the list: {gone:#?}"
    );
}

#[test]
fn what_decides_knows_neither_store_nor_database() {
    for (root, module) in [
        ("bot/src/lib.rs", "discord::classify"),
        ("shared/src/lib.rs", "domain"),
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
        "serde::",
        "sqlx::Type",
        "std::borrow::Cow",
        "std::collections::",
        "std::fmt",
        "std::net::IpAddr",
        "std::time::",
        "thiserror::",
        "time::",
        "u128::",
        "usize::",
        "uuid::Uuid",
    ];
    let of_others = shared.of_others("domain");
    assert!(of_others.len() > 10, "hardly anything was read: {of_others:?}");
    for (path, place) in of_others {
        assert!(allowed.iter().any(|start| path.starts_with(start)), "{path} in {place}");
    }
}

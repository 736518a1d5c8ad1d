//! Cargo.lock against the list of known holes (RustSec), and against what we know that list to lack.
//!
//! `ADVISORY_DB` names a folder with the list, a checkout of github.com/rustsec/advisory-db. Nothing is fetched here.

use std::{collections::BTreeMap, path::Path};

use rustsec::{Database, Lockfile, advisory::Informational, report};

/// What is accepted for now: `advisory package version`, and why. `deny.toml` says the same to cargo-deny.
const ACCEPTED: [(&str, &str); 5] = [
    ("RUSTSEC-2026-0049 rustls-webpki 0.102.8", UNUSED),
    ("RUSTSEC-2026-0098 rustls-webpki 0.102.8", UNUSED),
    ("RUSTSEC-2026-0099 rustls-webpki 0.102.8", UNUSED),
    ("RUSTSEC-2026-0104 rustls-webpki 0.102.8", UNUSED),
    // Newer than some lists: of code that prints the secrets of a session.
    ("RUSTSEC-2026-0346 rustls 0.22.4", UNUSED),
];
const UNUSED: &str = "serenity 0.12 brings it, and nothing is sent over it: the Gateway connection is ours";

fn lockfile() -> Lockfile {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    Lockfile::load(file).expect("Cargo.lock")
}

#[test]
fn every_known_hole_in_cargo_lock_is_accepted_with_a_reason() {
    let Some(folder) = shared::config::Env::from_process().get("ADVISORY_DB") else {
        println!("NOT CHECKED against RustSec's advisories: ADVISORY_DB names no folder");
        return;
    };
    let list = Database::open(Path::new(&folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    assert!(list.iter().count() > 500, "{folder} holds {} advisories", list.iter().count());
    let informational_warnings =
        vec![Informational::Notice, Informational::Unmaintained, Informational::Unsound];
    let settings = report::Settings { informational_warnings, ..Default::default() };
    let report = report::Report::generate(&list, &lockfile(), &settings);
    let holes = report.vulnerabilities.list.iter().map(|hole| (&hole.advisory, &hole.package));
    let warnings = report.warnings.values().flatten();
    let warnings = warnings.filter_map(|warning| Some((warning.advisory.as_ref()?, &warning.package)));
    let found: BTreeMap<String, &str> = holes
        .chain(warnings)
        .map(|(advisory, package)| {
            (format!("{} {} {}", advisory.id, package.name, package.version), advisory.title.as_str())
        })
        .collect();
    let accepted = BTreeMap::from(ACCEPTED);
    let new: Vec<_> = found.iter().filter(|(hole, _)| !accepted.contains_key(hole.as_str())).collect();
    assert!(new.is_empty(), "update the crate, or accept it here and in deny.toml with a reason: {new:#?}");
    for (hole, reason) in accepted {
        let id = id(hole).parse().expect("an advisory's id");
        match (list.get(&id), found.get(hole)) {
            (Some(_), Some(title)) => println!("accepted: {hole}, {title}: {reason}"),
            (Some(_), None) => panic!("{hole} is not there any more: take it out here and in deny.toml"),
            (None, _) => println!("NOT CHECKED: {hole}, which the list in {folder} is too old for"),
        }
    }
}

fn id(hole: &str) -> &str {
    hole.split(' ').next().unwrap_or(hole)
}

/// cargo-deny is told the same.
#[test]
fn what_is_accepted_here_is_accepted_in_deny_toml() {
    let deny = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml"))
        .expect("deny.toml");
    let deny: toml::Table = deny.parse().expect("TOML");
    let ignored = deny["advisories"]["ignore"].as_array().expect("a list");
    let ignored: Vec<&str> = ignored.iter().map(|entry| entry["id"].as_str().expect("an id")).collect();
    for (hole, _) in ACCEPTED {
        assert!(ignored.contains(&id(hole)), "{hole} is not in deny.toml");
    }
}

/// Since 2026-10-20 anybody can issue certificates for any host with the keys of eight intermediates that became public.
/// rustls-webpki refuses them from 0.103.16 on; its 0.102, which serenity brings, has no such list. There the list of roots alone
/// helps, which is without their root from 1.0.10 on. 0.26 hands on that of 1.0.
#[test]
fn the_trusted_roots_are_without_the_one_whose_keys_became_public() {
    let first = "1.0.10".parse().expect("a version");
    let lockfile = lockfile();
    let roots: Vec<_> =
        lockfile.packages.iter().filter(|package| package.name.as_str() == "webpki-roots").collect();
    assert!(!roots.is_empty(), "whose roots do we trust?");
    for package in roots {
        let hands_on = package.dependencies.iter().find(|of| of.name == package.name);
        let version = hands_on.map_or(&package.version, |of| &of.version);
        assert!(
            *version >= first,
            "webpki-roots {} is below {first}: cargo update -p webpki-roots",
            package.version
        );
    }
}

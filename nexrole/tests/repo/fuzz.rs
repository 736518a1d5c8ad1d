//! The fuzz targets and their seeds. In: the folder `fuzz`. Out: every committed seed goes through its target at each run, and
//! targets, files and folders are the same list.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sandbox::stripe::{self, Control};
use serde_json::Value;
use shared::config::Env;
use testkit::event_kinds;

/// A target's name, the path of what it runs, and what that is.
type Target = (&'static str, &'static str, fn(&[u8]));

macro_rules! targets {
    ($($name:literal => $runs:path,)*) => { [$(($name, stringify!($runs), $runs as fn(&[u8]))),*] };
}

/// Every target. Its file is not compiled here, for that takes a nightly compiler; but it must name the same function.
const TARGETS: [Target; 3] = targets! {
    "discord_answer" => bot::discord::fuzz::answer,
    "event_body" => webhook_gateway::stripe::fuzz::event_body,
    "signature_header" => webhook_gateway::stripe::fuzz::signature_header,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.expect("an entry").path())).collect()
}

#[test]
fn every_target_has_a_file_a_line_in_the_manifest_and_seeds() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(names(&folder().join("seeds")), targets);
    assert_eq!(names(&folder().join("fuzz_targets")), targets);
    let manifest: toml::Table = fs::read_to_string(folder().join("Cargo.toml")).unwrap().parse().unwrap();
    let programs = manifest["bin"].as_array().unwrap();
    assert_eq!(programs.len(), TARGETS.len());
    for (name, runs, _) in TARGETS {
        let file = format!("fuzz_targets/{name}.rs");
        let program = programs.iter().find(|program| program["name"].as_str() == Some(name));
        assert_eq!(program.expect(name)["path"].as_str(), Some(file.as_str()));
        let text = fs::read_to_string(folder().join(&file)).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("//!")).collect();
        let call = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| {runs}(data));");
        assert_eq!(lines, ["#![no_main]", &call], "{file}");
        let from = runs.split("::").next().unwrap().replace('_', "-");
        let path = manifest["dependencies"].get(&from).and_then(|dependency| dependency["path"].as_str());
        assert_eq!(path, Some(format!("../{from}").as_str()), "{file} uses it");
    }
}

#[test]
fn every_seed_goes_through_its_target() {
    for (name, _, target) in TARGETS {
        let mut run = 0;
        for seed in fs::read_dir(folder().join("seeds").join(name)).unwrap() {
            let seed = seed.unwrap().path();
            let bytes = fs::read(&seed).unwrap();
            let ended = std::panic::catch_unwind(|| target(&bytes));
            assert!(ended.is_ok(), "{} breaks a promise of {name}: see above", seed.display());
            run += 1;
        }
        assert!(run >= 40, "{name} has {run} seeds only");
    }
}

/// `NEXROLE_WRITE_SEEDS=1` writes those that are missing.
#[tokio::test]
async fn every_kind_of_event_that_the_sandbox_sends_is_a_seed() {
    let seeds = folder().join("seeds/event_body");
    if Env::from_process().get("NEXROLE_WRITE_SEEDS").is_some() {
        let running = stripe::serve(stripe::Options::default()).await.unwrap();
        for (kind, event) in event_kinds::all(&Control::new(&running.url)).await {
            let seed = seeds.join(kind + ".json");
            if !seed.exists() {
                fs::write(seed, serde_json::to_vec_pretty(&event).unwrap()).unwrap();
            }
        }
        running.stop().await;
    }
    for kind in event_kinds::KINDS {
        let seed = fs::read(seeds.join(format!("{kind}.json"))).expect("NEXROLE_WRITE_SEEDS=1 writes it");
        let event: Value = serde_json::from_slice(&seed).unwrap();
        assert_eq!(event["type"], kind);
    }
}

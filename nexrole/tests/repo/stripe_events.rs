//! What owners are told to send us is what we ask Stripe for.

use std::{fs, path::Path};

use webhook_gateway::stripe::event_types::EventList;

#[test]
fn owners_are_told_the_events_that_are_polled() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md"))
        .expect("it is there");
    let (_, section) = text.split_once("\n## Events of Stripe\n").expect("it has the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    for (column, list) in EventList::ALL.into_iter().enumerate() {
        let told: Vec<&str> = rows.iter().map(|row| row[column]).filter(|name| !name.is_empty()).collect();
        assert_eq!(told, list.types(), "{list:?}");
    }
}

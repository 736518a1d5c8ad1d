//! Circles in who uses whom. In: the uses of one crate. Out: for every use that lies on a circle, the shortest circle through it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::Uses;

/// Modules, each of which uses the next one, and the last one the first. It begins with the first by name.
pub(super) type Circle = Vec<String>;

pub(super) fn circles(uses: &Uses) -> BTreeSet<Circle> {
    let mut found = BTreeSet::new();
    for (user, used) in uses.iter().flat_map(|(user, used)| used.keys().map(move |used| (user, used))) {
        if let Some(mut circle) = shortest_way(uses, used, user) {
            let first = circle.iter().enumerate().min_by_key(|(_, name)| *name).map_or(0, |(at, _)| at);
            circle.rotate_left(first);
            found.insert(circle);
        }
    }
    found
}

/// From one to the other, both included.
fn shortest_way(uses: &Uses, from: &str, to: &str) -> Option<Vec<String>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(at) = next.pop_front() {
        if at == to {
            let mut way = vec![at.to_owned()];
            while way[way.len() - 1] != from {
                let before = came_from[way[way.len() - 1].as_str()];
                way.push(before.to_owned());
            }
            way.reverse();
            return Some(way);
        }
        for used in uses.get(at).into_iter().flat_map(BTreeMap::keys) {
            if used != from && !came_from.contains_key(used.as_str()) {
                came_from.insert(used, at);
                next.push_back(used);
            }
        }
    }
    None
}

/// One line for each use: who, whom, where.
pub(super) fn explain(uses: &Uses, circle: &Circle) -> String {
    let pairs = circle.iter().zip(circle.iter().cycle().skip(1));
    pairs
        .map(|(user, used)| format!("  {user} uses {used}: {}", uses[user][used]))
        .collect::<Vec<_>>()
        .join("\n")
}

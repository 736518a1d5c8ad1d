//! All objects of one kind. In: objects as they arise, cursors. Out: single objects and pages, newest first.

use std::collections::HashMap;

use serde_json::Value;

/// Objects in order of creation, found by id.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    objects: Vec<Value>,
    /// Beside each object, whether it is of live mode: not every object says so itself.
    modes: Vec<bool>,
    places: HashMap<String, usize>,
}

/// Which page of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// 1 to 100.
    pub(crate) limit: usize,
    /// Continue with what is older than this id.
    pub(crate) starting_after: Option<String>,
    /// Go back to what is just newer than this id.
    pub(crate) ending_before: Option<String>,
}

/// Which of two objects of the same second comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ties {
    /// The younger one.
    ByAge,
    /// The one with the higher id.
    ById,
}

/// A cursor names an object that does not exist.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownCursor {
    /// `starting_after` or `ending_before`.
    pub(crate) param: &'static str,
    pub(crate) id: String,
}

impl Collection {
    pub(crate) fn add(&mut self, object: Value, live: bool) {
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        self.places.insert(id, self.objects.len());
        self.objects.push(object);
        self.modes.push(live);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.places.get(id).map(|place| &self.objects[*place])
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.places.get(id).map(|place| &mut self.objects[*place])
    }

    /// Whether an object is of live mode.
    pub(crate) fn is_live(&self, id: &str) -> bool {
        self.places.get(id).is_some_and(|place| self.modes[*place])
    }

    pub(crate) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.objects.iter()
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.objects.iter_mut()
    }

    /// One page of one mode of what `wanted` lets through, newest first, and whether there is more in that direction.
    pub(crate) fn page(
        &self,
        cursor: &Cursor,
        live: bool,
        ties: Ties,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<(Vec<Value>, bool), UnknownCursor> {
        let order = self.order(ties);
        let place = |param: &'static str, id: &String| {
            let place = self.places.get(id).and_then(|place| order.iter().position(|other| other == place));
            place.ok_or_else(|| UnknownCursor { param, id: id.clone() })
        };
        let older_than = cursor.starting_after.as_ref().map(|id| place("starting_after", id)).transpose()?;
        let newer_than = cursor.ending_before.as_ref().map(|id| place("ending_before", id)).transpose()?;
        let first = newer_than.map_or(0, |place| place + 1);
        let last = older_than.unwrap_or(self.objects.len()).max(first);
        let range = order[first..last]
            .iter()
            .filter(|place| self.modes[**place] == live)
            .map(|place| &self.objects[*place])
            .filter(|object| wanted(object));
        // Going back means the page next to the cursor, which is the oldest part of what is newer.
        let mut page: Vec<Value> = if newer_than.is_some() {
            range.take(cursor.limit + 1).cloned().collect()
        } else {
            range.rev().take(cursor.limit + 1).cloned().collect()
        };
        let has_more = page.len() > cursor.limit;
        page.truncate(cursor.limit);
        if newer_than.is_some() {
            page.reverse();
        }
        Ok((page, has_more))
    }

    /// All places, the oldest first.
    fn order(&self, ties: Ties) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.objects.len()).collect();
        if ties == Ties::ById {
            let key =
                |object: &Value| (object["created"].as_i64(), object["id"].as_str().map(ToOwned::to_owned));
            order.sort_by_key(|place| key(&self.objects[*place]));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(limit: usize, after: Option<&str>, before: Option<&str>) -> (Vec<String>, bool) {
        let mut collection = Collection::default();
        for id in ["a", "b", "c", "d"] {
            collection.add(json!({ "id": id }), false);
        }
        let cursor = Cursor {
            limit,
            starting_after: after.map(ToOwned::to_owned),
            ending_before: before.map(ToOwned::to_owned),
        };
        let (page, more) = collection.page(&cursor, false, Ties::ByAge, |_| true).unwrap();
        (page.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect(), more)
    }

    #[test]
    fn pages_are_newest_first_in_both_directions() {
        let check = |got: (Vec<String>, bool), ids: &[&str], more| {
            assert_eq!(got.0, ids);
            assert_eq!(got.1, more);
        };
        check(page(3, None, None), &["d", "c", "b"], true);
        check(page(3, Some("b"), None), &["a"], false);
        check(page(2, None, Some("a")), &["c", "b"], true);
        check(page(2, None, Some("b")), &["d", "c"], false);
    }

    #[test]
    fn in_one_second_ids_may_decide_instead_of_age() {
        let mut collection = Collection::default();
        for (id, created) in [("z", 1), ("b", 2), ("c", 2), ("a", 2)] {
            collection.add(json!({ "id": id, "created": created }), false);
        }
        let page = |ties, before: Option<&str>| {
            let cursor =
                Cursor { limit: 10, starting_after: None, ending_before: before.map(ToOwned::to_owned) };
            let (page, _) = collection.page(&cursor, false, ties, |_| true).unwrap();
            page.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(page(Ties::ByAge, None), ["a", "c", "b", "z"]);
        assert_eq!(page(Ties::ById, None), ["c", "b", "a", "z"]);
        // Whoever read up to `b` never sees `a`, though it is younger.
        assert_eq!(page(Ties::ById, Some("b")), ["c"]);
    }
}

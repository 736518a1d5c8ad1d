//! A query string as Stripe reads it. In: the raw query. Out: named values, lists and the page that is wanted.

use axum::extract::Query;
use axum::http::{StatusCode, Uri};

use super::failure::Failure;
use crate::stripe::collection::Cursor;

/// What lists take besides their filters.
const PAGING: [&str; 4] = ["limit", "starting_after", "ending_before", "expand"];

/// The query, with `key[]` and `key[0]` read as repetitions of `key`; `key[word]` stays what it is.
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    pub(super) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let uri = Uri::builder().path_and_query(format!("/?{}", query.unwrap_or_default())).build();
        let pairs = uri.ok().and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
        let Query(pairs) =
            pairs.ok_or_else(|| Failure::new(StatusCode::BAD_REQUEST, "Invalid query string"))?;
        let pairs = pairs.into_iter().map(|(key, value)| (plain(&key), value));
        Ok(Self(pairs.filter(|(key, _)| !key.is_empty()).collect()))
    }

    /// Refuses what is neither for paging nor a filter.
    pub(super) fn only(&self, filters: &[&str]) -> Result<(), Failure> {
        let known = |key: &str| {
            let ranged = ["[gt]", "[gte]", "[lt]", "[lte]"].iter().find_map(|bound| key.strip_suffix(bound));
            PAGING.contains(&key) || filters.contains(&ranged.unwrap_or(key))
        };
        match self.0.iter().find(|(key, _)| !known(key)) {
            Some((unknown, _)) => Err(Failure::unknown_parameter(unknown)),
            None => Ok(()),
        }
    }

    pub(super) fn all(&self, key: &str) -> Vec<&str> {
        self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn one(&self, key: &str) -> Option<&str> {
        self.all(key).first().copied()
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Failure> {
        match self.one(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Failure::parameter(key, format!("Invalid boolean: {other}"))),
        }
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, Failure> {
        let parse = |text: &str| {
            let code = "parameter_invalid_integer";
            let invalid =
                |_| Failure::coded(StatusCode::BAD_REQUEST, code, key, format!("Invalid integer: {text}"));
            text.parse().map_err(invalid)
        };
        self.one(key).map(parse).transpose()
    }

    pub(super) fn cursor(&self) -> Result<Cursor, Failure> {
        let limit = self.integer("limit")?.unwrap_or(10);
        let bound = match limit {
            ..1 => Some("greater than or equal to 1"),
            1..=100 => None,
            101.. => Some("less than or equal to 100"),
        };
        if let Some(bound) = bound {
            let message = format!("This value must be {bound} (it currently is '{limit}').");
            return Err(Failure::parameter("limit", message));
        }
        let (after, before) = (self.one("starting_after"), self.one("ending_before"));
        if after.is_some() && before.is_some() {
            let message = "You may only specify one of these parameters: starting_after, ending_before.";
            return Err(Failure::new(StatusCode::BAD_REQUEST, message));
        }
        Ok(Cursor {
            limit: usize::try_from(limit).unwrap_or(10),
            starting_after: after.map(ToOwned::to_owned),
            ending_before: before.map(ToOwned::to_owned),
        })
    }
}

fn plain(key: &str) -> String {
    match key.split_once('[') {
        Some((base, rest)) if rest.trim_end_matches(']').bytes().all(|b| b.is_ascii_digit()) => {
            base.to_owned()
        }
        _ => key.to_owned(),
    }
}

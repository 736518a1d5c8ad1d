//! Discord ids. In: ids as Discord writes them (decimal strings). Out: `u64`, and new ids that sort by age.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serializer, de};

use crate::clock;

/// The first millisecond of Discord's epoch, 2015-01-01.
const EPOCH_MS: u64 = 1_420_070_400_000;

/// Hands out ids that look like Discord's: 19 digits, growing with time.
#[derive(Debug, Default)]
pub(crate) struct Mint {
    last: u64,
}

impl Mint {
    pub(crate) fn next(&mut self) -> u64 {
        let by_time = clock::millis().saturating_sub(EPOCH_MS) << 22;
        self.last = by_time.max(self.last + 1);
        self.last
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Spelling {
    Text(String),
    Number(u64),
}

impl Spelling {
    fn value<E: de::Error>(self) -> Result<u64, E> {
        match self {
            Self::Text(text) => text.parse().map_err(|_| E::custom(format!("not an id: {text}"))),
            Self::Number(number) => Ok(number),
        }
    }
}

/// Writes ids as strings, because JSON numbers lose digits above 2^53.
pub(crate) fn serialize<S: Serializer>(id: &u64, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(id)
}

/// Reads a string or a number.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    Spelling::deserialize(input)?.value()
}

/// The same for lists.
pub(crate) fn many<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeSet<u64>, D::Error> {
    Vec::<Spelling>::deserialize(input)?.into_iter().map(Spelling::value).collect()
}

/// The same for fields that may be absent or null.
pub(crate) fn optional<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    Option::<Spelling>::deserialize(input)?.map(Spelling::value).transpose()
}

//! The words. In: a message's id and arguments, already as one surface shows them. Out: text.
//!
//! One file of Fluent for each language; there is English so far.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use super::document::{Message, Value};

const ENGLISH: &str = include_str!("en.ftl");

static BUNDLE: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| {
    let language: LanguageIdentifier = "en".parse().expect("en is a language");
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // Marks around arguments, for text of both directions: a terminal and a shell would have them in commands to copy.
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(ENGLISH.to_owned())
        .unwrap_or_else(|(_, errors)| panic!("the catalogue is parsed by a test: {errors:?}"));
    bundle
        .add_resource(resource)
        .unwrap_or_else(|errors| panic!("no id of the catalogue is there twice, a test says: {errors:?}"));
    bundle
});

/// A message's text, where `show` says how this surface shows a value.
pub(super) fn text(message: &Message, show: &dyn Fn(&Value) -> String) -> String {
    let mut arguments = FluentArgs::with_capacity(message.arguments.len());
    for (name, value) in &message.arguments {
        match value {
            // A number: its plural is the catalogue's.
            Value::Count(count) => arguments.set(*name, *count),
            value => arguments.set(*name, argument(value, show)),
        }
    }
    let Some(pattern) = BUNDLE.get_message(message.id).and_then(|found| found.value()) else {
        debug_assert!(false, "no message {}", message.id);
        return message.id.to_owned();
    };
    let mut errors = Vec::new();
    let text = BUNDLE.format_pattern(pattern, Some(&arguments), &mut errors).into_owned();
    debug_assert!(errors.is_empty(), "{}: {errors:?}", message.id);
    text
}

fn argument(value: &Value, show: &dyn Fn(&Value) -> String) -> String {
    match value {
        Value::Message(message) => text(message, show),
        Value::List(values) => {
            let values: Vec<_> = values.iter().map(|value| argument(value, show)).collect();
            values.join(", ")
        }
        value => show(value),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// Ids in the catalogue that begin so, each once.
    fn ids(begins: fn(char) -> bool) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for line in ENGLISH.lines().filter(|line| line.starts_with(begins)) {
            let id = line.split([' ', '=']).next().unwrap_or(line);
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
        }
        ids
    }

    fn is_message(first: char) -> bool {
        first.is_ascii_lowercase()
    }

    #[test]
    fn the_catalogue_is_read_whole() {
        FluentResource::try_new(ENGLISH.to_owned()).map_err(|(_, errors)| errors).expect("valid Fluent");
        for id in ids(is_message) {
            assert!(BUNDLE.has_message(&id), "{id}");
        }
    }

    #[test]
    fn every_message_has_words_and_all_words_are_said() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/views");
        let mut said = BTreeSet::new();
        for file in fs::read_dir(folder).expect("the views").map(|entry| entry.expect("a file").path()) {
            let text = fs::read_to_string(&file).expect("text");
            let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
            let calls = code.split("message(\"").skip(1);
            said.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
        // Of the doc comment.
        said.remove("…");
        assert_eq!(said, ids(is_message));
    }

    #[test]
    fn every_phrase_is_part_of_a_message() {
        for phrase in ids(|c| c == '-') {
            assert!(ENGLISH.contains(&format!("{{ {phrase} }}")), "{phrase}");
        }
    }
}

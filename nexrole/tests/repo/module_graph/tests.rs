//! The graph, on crates of a few lines.

use std::{collections::BTreeMap, path::Path};

use super::{circles, modules::Modules};

/// In: files with their texts. Out: each circle, and each use as `user uses used`.
fn graph(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let files: BTreeMap<&Path, &str> = files.iter().map(|(file, text)| (Path::new(*file), *text)).collect();
    let uses =
        Modules::read(Path::new("lib.rs"), &|file| files.get(file).map(|text| (*text).to_owned())).uses();
    let circles = circles::circles(&uses).iter().map(|circle| circle.join(" → ")).collect();
    let pairs = uses.iter().flat_map(|(user, used)| {
        used.iter().map(move |(used, place)| format!("{user} uses {used}: {place}"))
    });
    (circles, pairs.collect())
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
    let child = ("one.rs", "use super::LIMIT;\npub fn act() {}\n");
    let (circles, uses) =
        graph(&[("lib.rs", "mod one;\nconst LIMIT: u8 = 1;\nfn f() { one::act() }\n"), child]);
    assert_eq!(circles, ["crate → one"]);
    assert_eq!(uses, ["crate uses one: lib.rs:3", "one uses crate: one.rs:1"]);
    let (circles, uses) = graph(&[("lib.rs", "mod one;\npub use one::act;\nconst LIMIT: u8 = 1;\n"), child]);
    assert!(circles.is_empty(), "passing on is no use: {circles:?}");
    assert_eq!(uses, ["one uses crate: one.rs:1"]);
    let (circles, _) =
        graph(&[("lib.rs", "mod one;\npub use one::act;\nconst LIMIT: u8 = 1;\nfn f() { act() }\n"), child]);
    assert_eq!(circles, ["crate → one"], "it is passed on, and used as well");
}

#[test]
fn a_name_leads_to_where_it_is_declared() {
    let (circles, uses) = graph(&[
        ("lib.rs", "mod a;\n"),
        (
            "a/mod.rs",
            "mod one;\nmod two;\npub use one::*;\npub use self::two::two as second;\nuse std::fmt::Debug;\n",
        ),
        ("a/one.rs", "use super::{Debug, second};\npub struct One;\n"),
        ("a/two.rs", "pub fn two() {}\n"),
    ]);
    assert!(circles.is_empty());
    assert_eq!(uses, ["a::one uses a::two: a/one.rs:1"]);
    let (_, uses) = graph(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a/mod.rs", "mod one;\npub use one::*;\n"),
        ("a/one.rs", "pub struct One;\n"),
        ("b.rs", "use crate::a;\nfn f(of: &a::One) {}\n"),
    ]);
    assert_eq!(uses, ["b uses a::one: b.rs:2"], "naming a module is no use of it");
}

#[test]
fn a_path_is_seen_wherever_it_stands() {
    for place in [
        "use crate::b::B;",
        "fn f() { use super::b::{self, B as C}; }",
        "fn f() -> Option<crate::b::B> { None }",
        "fn f() { let _ = self::super::b::B; }",
        "impl crate::b::Trait for u8 {}",
        "fn f() { println!(\"{}\", super::b::B) }",
        "fn f() { tokio::select! { x = crate::b::f(1) => {} } }",
        "#[derive(crate::b::B)] struct S;",
        "struct S { #[serde(with = \"crate::b\", default = \"crate::b::B\")] x: u8 }",
        "macro_rules! m { () => { $crate::b::B } }",
        "mod inner { fn f() { super::super::b::f() } }",
        "use super::b::*;",
        "made! { x: super::b::Made }",
    ] {
        let of_b = "pub struct B; pub trait Trait {} pub fn f() {} made!(Made);";
        let (circles, uses) = graph(&[("lib.rs", "mod a;\nmod b;\n"), ("a.rs", place), ("b.rs", of_b)]);
        assert!(circles.is_empty());
        let user = if place.starts_with("mod inner") { "a::inner" } else { "a" };
        assert_eq!(uses, [format!("{user} uses b: a.rs:1")], "{place}");
    }
}

#[test]
fn what_is_no_use_is_none() {
    for place in [
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(test)] use crate::b::B;",
        "/// See [`crate::b::B`].\nfn f() {}",
        "pub(in crate::b) fn f() {}",
        "fn f(b: u8) { b.b(); g!(x.b::<u8>()) }",
        "use ::b::B;",
        "use crate::b;",
        "fn f() { let _ = \"crate::b::B\"; }",
    ] {
        let (_, uses) = graph(&[("lib.rs", "mod a;\nmod b;\n"), ("a.rs", place), ("b.rs", "pub struct B;")]);
        assert!(uses.is_empty(), "{place}: {uses:?}");
    }
}

#[test]
fn a_circle_of_three_is_named_once_and_by_its_shortest_way() {
    let (circles, _) = graph(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\n#[path = \"odd.rs\"]\nmod d;\n"),
        ("a.rs", "pub struct A;\nuse crate::b::B;"),
        ("b.rs", "pub struct B;\nuse crate::c::C;"),
        ("c.rs", "pub struct C;\nuse crate::{a::A, d::D};"),
        ("odd.rs", "pub struct D;"),
    ]);
    assert_eq!(circles, ["a → b → c"]);
}

//! One file of Rust, read with `syn`. In: its text. Out: what each of its modules declares, imports and names. What is compiled for
//! tests only is left out.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, Meta, UseTree, Visibility,
    ext::IdentExt,
    visit::{self, Visit},
};

/// A path as it is written, `["super", "plan", "Step"]`, and the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// One leaf of a `use`.
#[derive(Debug)]
pub(super) struct Import {
    /// The name it has here; `None` of a glob.
    pub(super) name: Option<String>,
    pub(super) of: Named,
    /// Somebody else may take it from here.
    pub(super) again: bool,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    /// Of `#[path = "…"]`.
    pub(super) file: Option<String>,
    /// Of `mod name { … }`.
    pub(super) inline: Option<Code>,
}

/// What one module says.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    pub(super) children: Vec<Child>,
    /// Every path in its code, imports aside.
    pub(super) named: BTreeSet<Named>,
}

/// # Panics
/// If it is no Rust.
pub(super) fn read(text: &str, of: &str) -> Code {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{of}: {error}"));
    let mut code = Code::default();
    code.visit_file(&file);
    code
}

impl<'a> Visit<'a> for Code {
    fn visit_item(&mut self, item: &'a Item) {
        let (attributes, name) = head(item);
        if is_for_tests(attributes) {
            return;
        }
        self.items.extend(name);
        match item {
            Item::Mod(module) => {
                let inline = module.content.as_ref().map(|(_, items)| {
                    let mut code = Code::default();
                    items.iter().for_each(|item| code.visit_item(item));
                    code
                });
                self.children.push(Child {
                    name: module.ident.unraw().to_string(),
                    file: path_attribute(&module.attrs),
                    inline,
                });
            }
            Item::Use(item) => {
                let again = !matches!(item.vis, Visibility::Inherited);
                self.import(&item.tree, &Vec::new(), again);
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        // `::name` is another crate.
        if path.leading_colon.is_none() {
            let first = &path.segments[0].ident;
            let segments = path.segments.iter().map(|segment| segment.ident.unraw().to_string());
            self.named.insert(Named { path: segments.collect(), line: first.span().start().line });
        }
        visit::visit_path(self, path);
    }

    /// `pub(super)` and `pub(in crate::x)` say who may see, and use nothing.
    fn visit_visibility(&mut self, _: &'a Visibility) {}

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        match &attribute.meta {
            Meta::List(list) => self.tokens(list.tokens.clone()),
            Meta::NameValue(_) | Meta::Path(_) => {}
        }
    }
}

impl Code {
    fn import(&mut self, tree: &UseTree, before: &[String], again: bool) {
        let mut add = |name: Option<String>, last: Option<String>, line: usize| {
            let path = before.iter().cloned().chain(last).collect();
            self.imports.push(Import { name, of: Named { path, line }, again });
        };
        match tree {
            UseTree::Path(path) => {
                let before = [before, &[path.ident.unraw().to_string()]].concat();
                self.import(&path.tree, &before, again);
            }
            UseTree::Name(leaf) => {
                let (name, line) = (leaf.ident.unraw().to_string(), leaf.ident.span().start().line);
                if name == "self" {
                    add(before.last().cloned(), None, line);
                } else {
                    add(Some(name.clone()), Some(name), line);
                }
            }
            UseTree::Rename(leaf) => {
                let (name, line) = (leaf.ident.unraw().to_string(), leaf.ident.span().start().line);
                let last = (name != "self").then_some(name);
                add(Some(leaf.rename.unraw().to_string()), last, line);
            }
            UseTree::Glob(star) => add(None, None, star.star_token.spans[0].start().line),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before, again)),
        }
    }

    /// What is given to a macro is no syntax tree, so every `a::b::c` in it is taken for a path, and what a string of an
    /// attribute says (`with = "crate::a::b"`) as well.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Option<Named> = None;
        // What would make a path of the name that follows: nothing before it, or `::` behind a name.
        let mut colons = 0;
        let mut of_a_value = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    let name = ident.unraw().to_string();
                    match &mut path {
                        Some(path) if colons == 2 => path.path.push(name),
                        _ => {
                            self.named.extend(path.take());
                            let starts = colons != 2 && !of_a_value;
                            path =
                                starts.then(|| Named { path: vec![name], line: ident.span().start().line });
                        }
                    }
                    (colons, of_a_value) = (0, false);
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
                other => {
                    self.named.extend(path.take());
                    colons = 0;
                    of_a_value = matches!(&other, TokenTree::Punct(sign) if sign.as_char() == '.');
                    match other {
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Literal(literal) => self.literal(&literal),
                        TokenTree::Punct(_) | TokenTree::Ident(_) => {}
                    }
                }
            }
        }
        self.named.extend(path);
    }

    fn literal(&mut self, literal: &proc_macro2::Literal) {
        let text = literal.to_string();
        let path: Vec<String> = text.trim_matches('"').split("::").map(str::to_owned).collect();
        let starts_here = matches!(path[0].as_str(), "crate" | "self" | "super");
        if starts_here && path.len() > 1 {
            self.named.insert(Named { path, line: literal.span().start().line });
        }
    }
}

/// `#[cfg(test)]`, and `#[test]` itself.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::NameValue(_) => false,
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

/// Its attributes, and the name that it declares.
fn head(item: &Item) -> (&[Attribute], Option<String>) {
    let (attributes, name) = match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::TraitAlias(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::ExternCrate(item) => (&item.attrs, None),
        Item::ForeignMod(item) => (&item.attrs, None),
        Item::Impl(item) => (&item.attrs, None),
        Item::Mod(item) => (&item.attrs, None),
        Item::Use(item) => (&item.attrs, None),
        _ => return (&[], None),
    };
    (attributes, name.map(|name| name.unraw().to_string()))
}

//! SQL in Rust source. In: the text of a file. Out: its functions, each with its statements, and what it calls.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    FnArg, Item, LitStr, Meta, Signature, Type, UseTree,
    visit::{self, Visit},
};

/// What a function says, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Text(String),
    /// `["role_jobs", "enqueue"]`
    Path(Vec<String>),
}

/// With which right a function reaches rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Tenant,
    Crossing,
    /// A bare connection: its caller's right.
    Neither,
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) takes: Takes,
    pub(super) says: Vec<Said>,
}

/// One file, without what is compiled for tests only.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) functions: Vec<Function>,
    /// Constants that are text.
    pub(super) texts: BTreeMap<String, String>,
    /// Macros that put one literal into a text: what stands before, between and after it.
    templates: BTreeMap<String, Vec<String>>,
    /// Outside of functions.
    rest: Vec<Said>,
    open: Vec<Function>,
}

/// # Panics
/// If it is no Rust.
pub(super) fn read(text: &str, of: &str) -> Source {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{of}: {error}"));
    let mut source = Source::default();
    source.visit_file(&file);
    source
}

impl Source {
    /// Everything that is said anywhere.
    pub(super) fn said(&self) -> impl Iterator<Item = &Said> {
        self.functions.iter().flat_map(|function| &function.says).chain(&self.rest)
    }

    fn say(&mut self, said: Said) {
        self.open.last_mut().map_or(&mut self.rest, |function| &mut function.says).push(said);
    }

    fn function(&mut self, signature: &Signature, visit: impl FnOnce(&mut Self)) {
        let function =
            Function { name: signature.ident.to_string(), takes: takes(signature), says: Vec::new() };
        self.open.push(function);
        visit(self);
        self.functions.extend(self.open.pop());
    }

    fn imports(&mut self, tree: &UseTree, before: &[String]) {
        let leaf = |name: &syn::Ident| Said::Path([before, &[name.to_string()]].concat());
        match tree {
            UseTree::Path(path) => self.imports(&path.tree, &[before, &[path.ident.to_string()]].concat()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.imports(tree, before)),
            UseTree::Name(name) => self.say(leaf(&name.ident)),
            UseTree::Rename(name) => self.say(leaf(&name.ident)),
            UseTree::Glob(_) => {}
        }
    }

    /// The code in a macro's call: its texts and paths.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 && !path.is_empty() {
                        self.say(Said::Path(std::mem::take(&mut path)));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Punct(_) => {}
                TokenTree::Literal(_) => {
                    if let Some(text) = text(token) {
                        self.say(Said::Text(text));
                    }
                }
                TokenTree::Group(group) => {
                    if !path.is_empty() {
                        self.say(Said::Path(std::mem::take(&mut path)));
                    }
                    self.tokens(group.stream());
                }
            }
            colons = 0;
            if !path.is_empty() {
                self.say(Said::Path(std::mem::take(&mut path)));
            }
        }
        if !path.is_empty() {
            self.say(Said::Path(path));
        }
    }
}

impl<'a> Visit<'a> for Source {
    fn visit_item(&mut self, item: &'a Item) {
        match item {
            Item::Mod(module) if module.attrs.iter().any(is_for_tests) => {}
            // A function that is imported by its own name is called by it.
            Item::Use(item) => self.imports(&item.tree, &[]),
            Item::Fn(function) => {
                self.function(&function.sig, |this| visit::visit_item_fn(this, function));
            }
            Item::Const(item) => {
                if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &*item.expr {
                    self.texts.insert(item.ident.to_string(), text.value());
                }
                visit::visit_item_const(self, item);
            }
            Item::Macro(rules) if rules.mac.path.is_ident("macro_rules") => {
                if let (Some(name), Some(parts)) = (&rules.ident, template(rules.mac.tokens.clone())) {
                    self.templates.insert(name.to_string(), parts);
                }
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.function(&function.sig, |this| visit::visit_impl_item_fn(this, function));
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let path_of = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.say(Said::Path(path_of));
        visit::visit_path(self, path);
    }

    fn visit_lit_str(&mut self, text: &'a LitStr) {
        self.say(Said::Text(text.value()));
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        let parts = call.path.get_ident().and_then(|name| self.templates.get(&name.to_string()));
        match (parts, call.parse_body::<LitStr>()) {
            (Some(parts), Ok(filled)) => self.say(Said::Text(parts.join(&filled.value()))),
            _ => self.tokens(call.tokens.clone()),
        }
    }

    /// Documentation is text, too.
    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}
}

fn is_for_tests(attribute: &syn::Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("cfg") && list.tokens.to_string() == "test"
}

fn takes(signature: &Signature) -> Takes {
    let types = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(&*typed.ty),
        FnArg::Receiver(_) => None,
    });
    let mut rights = types.filter_map(|ty| match ty {
        Type::Reference(of) => match &*of.elem {
            Type::Path(path) => path.path.segments.last(),
            _ => None,
        },
        _ => None,
    });
    rights
        .find_map(|last| match last.ident.to_string().as_str() {
            "Tenant" => Some(Takes::Tenant),
            "Crossing" => Some(Takes::Crossing),
            _ => None,
        })
        .unwrap_or(Takes::Neither)
}

fn text(token: TokenTree) -> Option<String> {
    syn::parse2::<LitStr>(TokenStream::from(token)).ok().map(|text| text.value())
}

/// Of `($name:literal) => { concat!("…", $name, "…") };`.
fn template(rules: TokenStream) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut tokens = rules.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "concat" => {
                let TokenTree::Group(group) = tokens.nth(1)? else { return None };
                for token in group.stream() {
                    match token {
                        TokenTree::Literal(_) => parts.last_mut()?.push_str(&text(token)?),
                        TokenTree::Ident(_) => parts.push(String::new()),
                        TokenTree::Punct(_) => {}
                        TokenTree::Group(_) => return None,
                    }
                }
                return Some(parts);
            }
            TokenTree::Group(group) => {
                if let Some(parts) = template(group.stream()) {
                    return Some(parts);
                }
            }
            _ => {}
        }
    }
    None
}

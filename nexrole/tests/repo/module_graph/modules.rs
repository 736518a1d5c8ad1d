//! The modules of one crate. In: the file of its root. Out: which module uses which, and where it says so.
//!
//! What a path means is looked up as Rust does it: a name that a module only passes on (`pub use`, or an import that its children
//! take from it) leads to where the item is declared, so passing on makes nobody depend on anybody. Importing a module is no use of
//! it either; naming something in it is. What cannot be seen here: a method of another module's type that is called without the
//! type being named, and items that macros make under names of their own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::syntax::{self, Code, Named};

pub(super) struct Modules {
    modules: Vec<Module>,
}

struct Module {
    /// `store::guild_gates`; of the root, `crate`.
    name: String,
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    code: Code,
}

/// Who uses whom, and the first `file:line` that says so.
pub(super) type Uses = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    /// Something that is declared in this module.
    In(usize),
    Module(usize),
}

impl Modules {
    /// `text` gives what is in a file, if there is one.
    pub(super) fn read(root: &Path, text: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut all = Self { modules: Vec::new() };
        all.add_file(root, &folder(root), None, "crate".to_owned(), text);
        all
    }

    /// `below` is the folder in which the module's children lie.
    fn add_file(
        &mut self,
        file: &Path,
        below: &Path,
        parent: Option<usize>,
        name: String,
        text: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let source = text(file).unwrap_or_else(|| panic!("{} is declared and not there", file.display()));
        let code = syntax::read(&source, &file.display().to_string());
        self.add(code, (file, below), parent, name, text)
    }

    fn add(
        &mut self,
        mut code: Code,
        (file, below): (&Path, &Path),
        parent: Option<usize>,
        name: String,
        text: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let index = self.modules.len();
        let declared = std::mem::take(&mut code.children);
        let prefix = parent.map_or(String::new(), |_| format!("{name}::"));
        self.modules.push(Module { name, file: file.to_owned(), parent, children: BTreeMap::new(), code });
        for child in declared {
            let name = format!("{prefix}{}", child.name);
            let inner = below.join(&child.name);
            let added = match (child.inline, child.file) {
                (Some(code), _) => self.add(code, (file, &inner), Some(index), name, text),
                (None, Some(path)) => {
                    let file = folder(file).join(path);
                    self.add_file(&file, &folder(&file), Some(index), name, text)
                }
                (None, None) => {
                    let flat = below.join(format!("{}.rs", child.name));
                    let file = if text(&flat).is_some() { flat } else { inner.join("mod.rs") };
                    self.add_file(&file, &inner, Some(index), name, text)
                }
            };
            self.modules[index].children.insert(child.name, added);
        }
        index
    }

    pub(super) fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (index, module) in self.modules.iter().enumerate() {
            // What is only passed on is used by whoever takes it, and here if it is named here.
            let imports = module.code.imports.iter().filter(|import| !import.again);
            let imports = imports.map(|import| (&import.of, import.name.is_none()));
            let mut named: Vec<_> =
                imports.chain(module.code.named.iter().map(|named| (named, false))).collect();
            named.sort();
            for (named, is_glob) in named {
                for meaning in self.meanings(index, &named.path) {
                    let used = match meaning {
                        Meaning::In(used) => used,
                        Meaning::Module(used) if is_glob => used,
                        Meaning::Module(_) => continue,
                    };
                    if used != index {
                        let place = format!("{}:{}", module.file.display(), named.line);
                        let of = uses.entry(module.name.clone()).or_default();
                        of.entry(self.modules[used].name.clone()).or_insert(place);
                    }
                }
            }
        }
        uses
    }

    /// What a module, or one below it, names of other crates: each path with its `file:line`.
    pub(super) fn of_others(&self, within: &str) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (index, module) in
            self.modules.iter().enumerate().filter(|(_, module)| is_in(&module.name, within))
        {
            let imports = module.code.imports.iter().map(|import| &import.of);
            let paths = module.code.named.iter().filter(|named| named.path.len() > 1);
            let is_imported = |named: &Named| {
                module.code.imports.iter().any(|import| import.name.as_ref() == Some(&named.path[0]))
            };
            // A type's own items are no crate's.
            let is_crate = |named: &&Named| named.path[0].starts_with(char::is_lowercase);
            for named in imports.chain(paths.filter(|named| !is_imported(named))).filter(is_crate) {
                if self.meanings(index, &named.path).is_empty() {
                    found
                        .insert((named.path.join("::"), format!("{}:{}", module.file.display(), named.line)));
                }
            }
        }
        found
    }

    /// Every path that a module, or one below it, says, as it is written, with its `file:line`.
    pub(super) fn said(&self, within: &str) -> Vec<(&[String], String)> {
        let modules: Vec<_> = self.modules.iter().filter(|module| is_in(&module.name, within)).collect();
        assert!(!modules.is_empty(), "there is no module {within}");
        let said = modules.into_iter().flat_map(|module| {
            let imports = module.code.imports.iter().map(|import| &import.of);
            let all = imports.chain(&module.code.named);
            all.map(|named| (&named.path[..], format!("{}:{}", module.file.display(), named.line)))
        });
        said.collect()
    }

    /// What a path means that stands in a module: several things if a name is a function's and a module's at once, nothing if it
    /// is another crate's.
    fn meanings(&self, at: usize, path: &[String]) -> BTreeSet<Meaning> {
        self.look_up(at, path, &mut Vec::new())
    }

    /// `through`: the imports that led here, each a module and a number.
    fn look_up(&self, at: usize, path: &[String], through: &mut Vec<(usize, usize)>) -> BTreeSet<Meaning> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::from([Meaning::Module(at)]) };
        let module = &self.modules[at];
        match first.as_str() {
            "crate" => return self.inside(0, rest, through),
            "self" => return self.inside(at, rest, through),
            "super" => {
                let parent =
                    module.parent.unwrap_or_else(|| panic!("{} has no parent", module.file.display()));
                return self.inside(parent, rest, through);
            }
            _ => {}
        }
        let mut found = BTreeSet::new();
        if let Some(child) = module.children.get(first) {
            found.extend(self.inside(*child, rest, through));
        }
        if module.code.items.contains(first) {
            found.insert(Meaning::In(at));
        }
        for (number, import) in module.code.imports.iter().enumerate() {
            // An import does not stand for its own first word (`use plan::plan`), and two modules that import everything of each
            // other would ask for ever.
            let fits = import.name.as_ref().is_none_or(|name| name == first);
            if !fits || through.contains(&(at, number)) {
                continue;
            }
            through.push((at, number));
            if import.name.is_some() {
                found.extend(self.look_up(at, &[&import.of.path[..], rest].concat(), through));
            } else {
                for meaning in self.look_up(at, &import.of.path, through) {
                    if let Meaning::Module(of) = meaning {
                        found.extend(self.look_up(of, path, through));
                    }
                }
            }
            through.pop();
        }
        found
    }

    /// What is left of a path once it has led into a module of this crate.
    fn inside(&self, at: usize, rest: &[String], through: &mut Vec<(usize, usize)>) -> BTreeSet<Meaning> {
        let Some(first) = rest.first() else { return BTreeSet::from([Meaning::Module(at)]) };
        let found = self.look_up(at, rest, through);
        let imports = &self.modules[at].code.imports;
        let is_passed_on = imports.iter().any(|import| import.name.as_ref().is_none_or(|name| name == first));
        // A macro has declared it: it is of this module all the same.
        if found.is_empty() && !is_passed_on { BTreeSet::from([Meaning::In(at)]) } else { found }
    }
}

pub(super) fn is_in(module: &str, within: &str) -> bool {
    module.strip_prefix(within).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn folder(file: &Path) -> PathBuf {
    file.parent().expect("a file lies in a folder").to_owned()
}

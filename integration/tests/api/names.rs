//! What a name means in a module, and under which paths a user of the crate reaches it.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Import, ModulePath, Source, is_public_item, name_of};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Module(ModulePath),
    /// An item of this crate: its module and name.
    Item(ModulePath, String),
    /// Something of another crate.
    Foreign(Vec<String>),
}

/// The definitions that are reachable from outside, with their paths; the shortest is the first.
pub(crate) type Reachable = BTreeMap<(ModulePath, String), Vec<String>>;

/// A chain of imports is not longer than this; a longer one is a circle.
const MOST_IMPORTS: usize = 16;

impl Source {
    /// What `path` means in a module; `None` for what the prelude or a generic parameter defines.
    pub(crate) fn resolve(&self, module: &[String], path: &[String]) -> Option<Target> {
        self.follow(module, path, MOST_IMPORTS)
    }

    fn follow(&self, module: &[String], path: &[String], left: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(Vec::new()),
            "self" => Target::Module(module.to_vec()),
            "super" => Target::Module(module[..module.len().saturating_sub(1)].to_vec()),
            name => match self.look_up(module, name, left) {
                Some(target) => target,
                None if rest.is_empty() => return None,
                None => Target::Foreign(vec![name.to_owned()]),
            },
        };
        for name in rest {
            target = match target {
                Target::Module(at) if name == "super" => {
                    Target::Module(at[..at.len().saturating_sub(1)].to_vec())
                }
                Target::Module(at) => self
                    .look_up(&at, name, left)
                    .unwrap_or_else(|| Target::Item(at, name.clone())),
                // A variant or an associated item.
                Target::Item(..) => return Some(target),
                Target::Foreign(mut path) => {
                    path.push(name.clone());
                    Target::Foreign(path)
                }
            };
        }
        Some(target)
    }

    fn look_up(&self, path: &[String], name: &str, left: usize) -> Option<Target> {
        let left = left.checked_sub(1)?;
        let mut inside = path.to_vec();
        inside.push(name.to_owned());
        if self.modules.contains_key(&inside) {
            return Some(Target::Module(inside));
        }
        let module = self.modules.get(path)?;
        if module
            .items
            .iter()
            .any(|item| name_of(item).as_deref() == Some(name))
        {
            return Some(Target::Item(path.to_vec(), name.to_owned()));
        }
        let import = module.imports.iter().find(|import| import.name == name);
        if let Some(import) = import {
            return Some(self.imported(path, import, left));
        }
        let everything = module.imports.iter().filter(|import| import.name == "*");
        everything
            .filter_map(|import| match self.follow(path, &import.path, left)? {
                Target::Module(from) => self.look_up(&from, name, left),
                _ => None,
            })
            .next()
    }

    /// What an import names. A crate and a module may have the name that it gets here.
    fn imported(&self, path: &[String], import: &Import, left: usize) -> Target {
        match import.path.as_slice() {
            [single] if *single == import.name => Target::Foreign(vec![single.clone()]),
            whole => self
                .follow(path, whole, left)
                .unwrap_or_else(|| Target::Foreign(whole.to_vec())),
        }
    }

    /// Every definition that a user of the crate reaches, and every `pub use` of another crate.
    pub(crate) fn reachable(&self) -> (Reachable, BTreeSet<(String, Vec<String>)>) {
        let mut found = Reachable::new();
        let mut foreign = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut waiting = vec![(Vec::new(), String::new())];
        while let Some((at, public_path)) = waiting.pop() {
            if !seen.insert((at.clone(), public_path.clone())) {
                continue;
            }
            let Some(module) = self.modules.get(&at) else {
                continue;
            };
            let under = |name: &str| match public_path.as_str() {
                "" => name.to_owned(),
                path => format!("{path}::{name}"),
            };
            for item in module.items.iter().filter(|item| is_public_item(item)) {
                let name = name_of(item).expect("what is public has a name");
                let paths = found.entry((at.clone(), name.clone())).or_default();
                paths.push(under(&name));
            }
            for (path, inner) in &self.modules {
                if let Some((name, parent)) = path.split_last()
                    && *parent == *at
                    && inner.public
                {
                    waiting.push((path.clone(), under(name)));
                }
            }
            for import in module.imports.iter().filter(|import| import.public) {
                let target = self.imported(&at, import, MOST_IMPORTS);
                let name = import.name.as_str();
                match target {
                    Target::Module(from) if name == "*" => {
                        waiting.push((from, public_path.clone()));
                    }
                    Target::Module(from) => waiting.push((from, under(name))),
                    Target::Item(from, item) => {
                        found.entry((from, item)).or_default().push(under(name));
                    }
                    Target::Foreign(path) => {
                        foreign.insert((under(name), path));
                    }
                }
            }
        }
        for paths in found.values_mut() {
            paths.sort_by_key(|path| (path.len(), path.clone()));
            paths.dedup();
        }
        (found, foreign)
    }
}

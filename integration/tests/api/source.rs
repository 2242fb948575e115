//! The modules of a crate, as `syn` parses them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Item, Meta, UseTree, Visibility};

use crate::tokens::text;

/// The path of a module from the root of its crate.
pub(crate) type ModulePath = Vec<String>;

/// The modules of a crate, the tests excepted.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) modules: BTreeMap<ModulePath, Module>,
    /// The definitions of `macro_rules!`, by name.
    pub(crate) macros: BTreeMap<String, TokenStream>,
}

#[derive(Default)]
pub(crate) struct Module {
    /// Whether it is declared `pub`.
    pub(crate) public: bool,
    /// The conditions of this module and of those around it.
    pub(crate) conditions: Vec<String>,
    pub(crate) items: Vec<Item>,
    pub(crate) imports: Vec<Import>,
}

/// One name that a `use` brings in.
pub(crate) struct Import {
    pub(crate) public: bool,
    pub(crate) path: Vec<String>,
    /// The name that it has here, or `*`.
    pub(crate) name: String,
}

impl Source {
    /// Reads a crate.
    pub(crate) fn read(root: &Path) -> Self {
        let mut source = Self::default();
        let folders = Folders::both(root.parent().expect("lib.rs lies in a folder"));
        let items = parse(root);
        source.add(Vec::new(), true, Vec::new(), (items, folders));
        source
    }

    /// Adds a module.
    fn add(
        &mut self,
        path: ModulePath,
        public: bool,
        conditions: Vec<String>,
        (items, folders): (Vec<Item>, Folders),
    ) {
        let mut module = Module {
            public,
            conditions,
            ..Module::default()
        };
        for item in items {
            let attributes = attributes_of(&item);
            let own = conditions_of(attributes);
            if own
                .iter()
                .any(|condition| condition == "test" || condition == "doctest")
            {
                continue;
            }
            match item {
                Item::Mod(inner) => {
                    let name = inner.ident.to_string();
                    let mut inside = path.clone();
                    inside.push(name.clone());
                    let mut conditions = module.conditions.clone();
                    conditions.extend(own);
                    let public = is_public(&inner.vis);
                    let content = match inner.content {
                        Some((_, items)) => {
                            let below = folders.submodules.join(&name);
                            (items, Folders::both(&below))
                        }
                        None => file_of(&folders, &name, &inner.attrs),
                    };
                    self.add(inside, public, conditions, content);
                }
                Item::Use(import) => {
                    let public = is_public(&import.vis);
                    spread(&import.tree, &mut Vec::new(), &mut |path, name| {
                        module.imports.push(Import { public, path, name });
                    });
                }
                Item::Macro(ref definition) if definition.ident.is_some() => {
                    let name = definition.ident.as_ref().expect("a name").to_string();
                    self.macros.insert(name, definition.mac.tokens.clone());
                    module.items.push(item);
                }
                other => module.items.push(other),
            }
        }
        self.modules.insert(path, module);
    }
}

fn parse(path: &Path) -> Vec<Item> {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("unable to read {}: {error}", path.display()));
    let file = syn::parse_file(&text);
    file.unwrap_or_else(|error| panic!("unable to parse {}: {error}", path.display()))
        .items
}

/// Where the modules that a file declares are looked for.
struct Folders {
    /// What `#[path]` is relative to: the folder of the file.
    file: PathBuf,
    submodules: PathBuf,
}

impl Folders {
    fn both(folder: &Path) -> Self {
        Self {
            file: folder.to_owned(),
            submodules: folder.to_owned(),
        }
    }
}

/// The items of the file of a module, and where its submodules are.
fn file_of(folders: &Folders, name: &str, attributes: &[Attribute]) -> (Vec<Item>, Folders) {
    if let Some(path) = path_attribute(attributes) {
        let path = folders.file.join(path);
        let folder = path.parent().expect("a file lies in a folder").to_owned();
        return (parse(&path), Folders::both(&folder));
    }
    let below = folders.submodules.join(name);
    let beside = folders.submodules.join(format!("{name}.rs"));
    if beside.exists() {
        let folders = Folders {
            file: folders.submodules.clone(),
            submodules: below,
        };
        return (parse(&beside), folders);
    }
    (parse(&below.join("mod.rs")), Folders::both(&below))
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => {
                let text = pair.value.to_token_stream().to_string();
                Some(text.trim_matches('"').to_owned())
            }
            _ => None,
        })
}

/// Calls `each` with path and name of every leaf of a `use`.
fn spread(tree: &UseTree, path: &mut Vec<String>, each: &mut dyn FnMut(Vec<String>, String)) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            spread(&inner.tree, path, each);
            path.pop();
        }
        UseTree::Group(group) => {
            for inner in &group.items {
                spread(inner, path, each);
            }
        }
        UseTree::Glob(_) => each(path.clone(), "*".to_owned()),
        UseTree::Name(leaf) if leaf.ident == "self" => {
            each(path.clone(), path.last().cloned().unwrap_or_default());
        }
        UseTree::Name(leaf) => {
            let name = leaf.ident.to_string();
            let mut whole = path.clone();
            whole.push(name.clone());
            each(whole, name);
        }
        UseTree::Rename(leaf) => {
            let mut whole = path.clone();
            if leaf.ident != "self" {
                whole.push(leaf.ident.to_string());
            }
            each(whole, leaf.rename.to_string());
        }
    }
}

/// Whether something is `pub` without restriction.
pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The conditions of the `#[cfg(…)]` of an item.
pub(crate) fn conditions_of(attributes: &[Attribute]) -> Vec<String> {
    attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::List(list) if list.path.is_ident("cfg") => Some(text(&list.tokens)),
            _ => None,
        })
        .collect()
}

/// The attributes of an item.
pub(crate) fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name that an item defines.
pub(crate) fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// Whether an item is `pub` without restriction.
pub(crate) fn is_public_item(item: &Item) -> bool {
    match item {
        Item::Const(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        Item::Static(item) => is_public(&item.vis),
        Item::Struct(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        Item::Union(item) => is_public(&item.vis),
        _ => false,
    }
}

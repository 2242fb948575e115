//! The lines that describe the public interface of a crate.

use std::collections::BTreeSet;
use std::fmt;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, Meta, TraitItem, Type};

use crate::names::{Reachable, Target};
use crate::source::{
    ModulePath, Source, attributes_of, conditions_of, is_public, is_public_item, name_of,
};
use crate::tokens::{paths, text};

/// What a crate offers, one line each, in the order of the names.
pub(crate) struct Interface {
    /// Each with the name that it is sorted by.
    lines: BTreeSet<(String, String)>,
    /// Lines that name a type of a crate that is not re-exported.
    pub(crate) foreign: BTreeSet<String>,
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.lines.iter();
        lines.try_for_each(|(_, line)| writeln!(f, "{line}"))
    }
}

impl Interface {
    /// The interface of a crate.
    pub(crate) fn of(source: &Source) -> Self {
        let (reachable, foreign) = source.reachable();
        let mut writer = Writer {
            source,
            reachable,
            exported: foreign.iter().map(|(_, path)| path[0].clone()).collect(),
            interface: Self {
                lines: BTreeSet::new(),
                foreign: BTreeSet::new(),
            },
        };
        for (name, path) in &foreign {
            let line = format!("use {name} = {}", path.join("::"));
            writer.interface.lines.insert((name.clone(), line));
        }
        for path in source.modules.keys() {
            writer.module(path);
        }
        writer.interface
    }
}

/// Crates whose items may be named without a re-export: std's, and the traits of serde.
const KNOWN: [&str; 4] = ["std", "core", "alloc", "serde"];

struct Writer<'a> {
    source: &'a Source,
    reachable: Reachable,
    /// The crates that are re-exported, whole or in part.
    exported: BTreeSet<String>,
    interface: Interface,
}

impl Writer<'_> {
    fn module(&mut self, path: &ModulePath) {
        let module = &self.source.modules[path];
        for item in &module.items {
            let mut conditions = module.conditions.clone();
            conditions.extend(conditions_of(attributes_of(item)));
            let at = Place { path, conditions };
            match item {
                Item::Impl(implementation) => self.implementation(&at, implementation),
                Item::Macro(call) => self.macro_call(&at, call),
                item if is_public_item(item) => {
                    let name = name_of(item).expect("what is public has a name");
                    let Some(names) = self.reachable.get(&(path.clone(), name)).cloned() else {
                        continue;
                    };
                    self.item(&at, item, &names[0]);
                    for other in &names[1..] {
                        self.plain(&at, other, format!("use {other} = {}", names[0]));
                    }
                }
                _ => {}
            }
        }
    }

    fn item(&mut self, at: &Place<'_>, item: &Item, name: &str) {
        self.attributes(at, attributes_of(item), name);
        match item {
            Item::Const(item) => self.line(at, name, format!("const {name}: "), &item.ty),
            Item::Static(item) => self.line(at, name, format!("static {name}: "), &item.ty),
            Item::Fn(item) => self.function(at, &item.attrs, &item.sig, name),
            Item::Type(item) => {
                let generics = text(&item.generics);
                self.line(at, name, format!("type {name}{generics} = "), &item.ty);
            }
            Item::Struct(item) => {
                self.head(at, "struct", name, &item.generics);
                self.fields(at, &item.fields, name);
            }
            Item::Union(item) => self.head(at, "union", name, &item.generics),
            Item::Enum(item) => {
                self.head(at, "enum", name, &item.generics);
                for variant in &item.variants {
                    let mut variant = variant.clone();
                    let attributes = std::mem::take(&mut variant.attrs);
                    variant
                        .fields
                        .iter_mut()
                        .for_each(|field| field.attrs.clear());
                    let at = at.with(conditions_of(&attributes));
                    let line = format!("variant {name}::{}", text(&variant));
                    self.check(&at, &line, &variant.fields);
                    self.plain(&at, &format!("{name}::{}", variant.ident), line);
                }
            }
            Item::Trait(item) => {
                self.head(at, "trait", name, &item.generics);
                if !item.supertraits.is_empty() {
                    self.line(at, name, format!("trait {name}: "), &item.supertraits);
                }
                for part in &item.items {
                    self.trait_item(at, part, name);
                }
            }
            _ => {}
        }
    }

    fn trait_item(&mut self, at: &Place<'_>, part: &TraitItem, name: &str) {
        match part {
            TraitItem::Fn(part) => {
                let provided = if part.default.is_some() {
                    "provided "
                } else {
                    ""
                };
                let inside = format!("{name}::{}", part.sig.ident);
                let signature = Signature(&part.sig);
                self.line(at, &inside, format!("{provided}fn {inside}"), &signature);
            }
            TraitItem::Const(part) => {
                let name = format!("{name}::{}", part.ident);
                self.line(at, &name, format!("const {name}: "), &part.ty);
            }
            TraitItem::Type(part) => {
                let name = format!("{name}::{}", part.ident);
                self.line(at, &name, format!("type {name}: "), &part.bounds);
            }
            _ => {}
        }
    }

    fn head(&mut self, at: &Place<'_>, kind: &str, name: &str, generics: &syn::Generics) {
        let mut all = generics.to_token_stream();
        generics.where_clause.to_tokens(&mut all);
        self.line(at, name, format!("{kind} {name}"), &all);
    }

    fn function(
        &mut self,
        at: &Place<'_>,
        attributes: &[Attribute],
        signature: &syn::Signature,
        name: &str,
    ) {
        if has(attributes, "must_use") {
            self.plain(at, name, format!("#[must_use] {name}"));
        }
        let mut kind = String::new();
        for (word, is) in [
            ("const ", signature.constness.is_some()),
            ("async ", signature.asyncness.is_some()),
            (
                "unsafe ",
                matches!(signature.safety, syn::Safety::Unsafe(_)),
            ),
        ] {
            kind += if is { word } else { "" };
        }
        self.line(at, name, format!("{kind}fn {name}"), &Signature(signature));
    }

    fn fields(&mut self, at: &Place<'_>, fields: &Fields, name: &str) {
        let mut private = false;
        for (index, field) in fields.iter().enumerate() {
            if !is_public(&field.vis) {
                private = true;
                continue;
            }
            let own = field
                .ident
                .as_ref()
                .map_or(index.to_string(), ToString::to_string);
            let at = at.with(conditions_of(&field.attrs));
            let inside = format!("{name}::{own}");
            self.line(&at, &inside, format!("field {inside}: "), &field.ty);
        }
        if private {
            self.plain(at, name, format!("private fields in {name}"));
        }
    }

    /// Derived traits and the attributes that callers feel.
    fn attributes(&mut self, at: &Place<'_>, attributes: &[Attribute], name: &str) {
        for attribute in ["must_use", "non_exhaustive"] {
            if has(attributes, attribute) && !matches!(attribute, "must_use" if is_function(name)) {
                self.plain(at, name, format!("#[{attribute}] {name}"));
            }
        }
        for attribute in attributes {
            let Meta::List(list) = &attribute.meta else {
                continue;
            };
            if list.path.is_ident("derive") {
                let traits = text(&list.tokens);
                self.plain(at, name, format!("derive({traits}) for {name}"));
            }
            let conditional = text(&list.tokens);
            if list.path.is_ident("cfg_attr")
                && let Some((condition, traits)) = conditional.split_once(", derive(")
            {
                let at = at.with(vec![condition.to_owned()]);
                let traits = traits.trim_end_matches(')');
                self.plain(&at, name, format!("derive({traits}) for {name}"));
            }
        }
    }

    fn implementation(&mut self, at: &Place<'_>, item: &ItemImpl) {
        let Some(name) = self.name_of_type(at, &item.self_ty) else {
            return;
        };
        let Some((of, _)) = &item.trait_ else {
            for part in &item.items {
                match part {
                    ImplItem::Fn(part) if is_public(&part.vis) => {
                        let at = at.with(conditions_of(&part.attrs));
                        let inside = format!("{name}::{}", part.sig.ident);
                        self.function(&at, &part.attrs, &part.sig, &inside);
                    }
                    ImplItem::Const(part) if is_public(&part.vis) => {
                        let name = format!("{name}::{}", part.ident);
                        self.line(at, &name, format!("const {name}: "), &part.ty);
                    }
                    _ => {}
                }
            }
            return;
        };
        // A conversion from a private type is not for others.
        let private = |path: &Vec<String>| match self.source.resolve(at.path, path) {
            Some(Target::Item(module, own)) => !self.reachable.contains_key(&(module, own)),
            _ => false,
        };
        if paths(of).iter().any(private) {
            return;
        }
        let generics = text(&item.generics);
        let head = format!("impl{generics} {} for ", text(of));
        self.line(at, &name, head, &item.self_ty);
        for part in &item.items {
            if let ImplItem::Type(part) = part {
                let own = format!("type <{name} as {}>::{} = ", text(of), part.ident);
                self.line(at, &name, own, &part.ty);
            }
        }
    }

    /// The public name of the type of an `impl`; `None` if it is private.
    fn name_of_type(&self, at: &Place<'_>, of: &Type) -> Option<String> {
        let Type::Path(path) = of else {
            return Some(text(of));
        };
        let names: Vec<String> = path
            .path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        match self.source.resolve(at.path, &names) {
            Some(Target::Item(module, name)) => self
                .reachable
                .get(&(module, name))
                .map(|names| names[0].clone()),
            _ => Some(text(of)),
        }
    }

    /// A use of a macro of this crate that defines something public.
    fn macro_call(&mut self, at: &Place<'_>, item: &syn::ItemMacro) {
        let name = text(&item.mac.path);
        let Some(definition) = self.source.macros.get(&name) else {
            return;
        };
        let mut heads = Vec::new();
        public_heads(definition.clone(), &mut heads);
        let mut given = item.mac.tokens.clone();
        // A table that is given to a macro: the rows are in the definition.
        if let Some(callback) = self.source.macros.get(&given.to_string()) {
            public_heads(callback.clone(), &mut heads);
            given = definition.clone();
        }
        if item.ident.is_some() || heads.is_empty() {
            return;
        }
        for head in heads {
            let line = format!("macro {name}! defines {head}");
            self.plain(at, &format!("{name}!"), line);
        }
        let given = text(&undocumented(given));
        for part in given.split_inclusive("; ") {
            let line = format!("macro {name}! {}", part.trim_end());
            self.plain(at, &format!("{name}!"), line);
        }
    }

    /// A line that ends with syntax, of which every path is looked up.
    fn line(&mut self, at: &Place<'_>, name: &str, start: String, syntax: &impl ToTokens) {
        let line = format!("{start}{}", text(syntax));
        self.check(at, &line, syntax);
        self.plain(at, name, line);
    }

    /// Notes the types of crates that are not re-exported.
    fn check(&mut self, at: &Place<'_>, line: &str, syntax: &impl ToTokens) {
        for path in paths(syntax) {
            if let Some(Target::Foreign(found)) = self.source.resolve(at.path, &path)
                && !KNOWN.contains(&found[0].as_str())
                && !self.exported.contains(&found[0])
                && !is_associated(&found[0])
            {
                let foreign = format!("{}, in: {line}", found.join("::"));
                self.interface.foreign.insert(foreign);
            }
        }
    }

    /// A line as it is, sorted by a name.
    fn plain(&mut self, at: &Place<'_>, name: &str, line: String) {
        let conditions: String = at
            .conditions
            .iter()
            .map(|condition| format!(" #[cfg({condition})]"))
            .collect();
        let line = line + &conditions;
        self.interface.lines.insert((name.to_owned(), line));
    }
}

/// Where something is defined, and under which conditions.
struct Place<'a> {
    path: &'a ModulePath,
    conditions: Vec<String>,
}

impl Place<'_> {
    fn with(&self, more: Vec<String>) -> Self {
        let conditions = [self.conditions.clone(), more].concat();
        Self {
            path: self.path,
            conditions,
        }
    }
}

/// Generics, arguments, result and bounds of a function.
struct Signature<'a>(&'a syn::Signature);

impl ToTokens for Signature<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let signature = self.0;
        signature.generics.to_tokens(tokens);
        signature
            .paren_token
            .surround(tokens, |tokens| signature.inputs.to_tokens(tokens));
        signature.output.to_tokens(tokens);
        signature.generics.where_clause.to_tokens(tokens);
    }
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident(name))
}

/// Whether the last part of a path is written as a function is.
fn is_function(name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap_or(name);
    last.starts_with(|c: char| c.is_lowercase())
}

/// Whether the first part of a path is a type or a generic parameter: `Self::Item`.
fn is_associated(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// The public definitions in the body of a macro, without their bodies.
fn public_heads(tokens: TokenStream, heads: &mut Vec<String>) {
    let mut head: Option<TokenStream> = None;
    for token in tokens {
        let ends = match &token {
            TokenTree::Group(group) => {
                public_heads(group.stream(), heads);
                group.delimiter() == Delimiter::Brace
            }
            TokenTree::Punct(mark) => mark.as_char() == ';',
            _ => false,
        };
        if let Some(tokens) = head.as_mut().filter(|_| !ends) {
            tokens.extend([token]);
        } else if ends {
            heads.extend(head.take().as_ref().map(text));
        } else if matches!(&token, TokenTree::Ident(word) if word == "pub")
            || matches!(&token, TokenTree::Ident(word) if word == "vis")
        {
            head = Some(token.into());
        }
    }
    heads.extend(head.as_ref().map(text));
    heads.retain(|head| !head.starts_with("pub(") && !head.starts_with("vis: vis"));
}

/// Without `///` and `#[doc]`.
fn undocumented(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.stream().to_string().starts_with("doc =") => {
                kept.pop();
            }
            TokenTree::Group(group) => {
                let inside = undocumented(group.stream());
                kept.push(proc_macro2::Group::new(group.delimiter(), inside).into());
            }
            other => kept.push(other),
        }
    }
    kept.into_iter().collect()
}

//! Namespaces and capabilities, which have been named in four ways.

use std::collections::BTreeSet;

use super::reading::{Reading, below, refused};
use super::shapes::{Element, Entry, ListOrNames, Names};
use super::{Revision, Warning};
use crate::Result;
use crate::config::{Capabilities, NamespaceType, Namespaces};

/// A list or an object of namespaces or capabilities.
pub(super) type NameList = ListOrNames<Element, Option<bool>>;

/// A name, where it is, and whether it is set.
struct Named {
    place: String,
    name: String,
    is_set: bool,
}

/// The names of a list, in whichever form the revision has it.
fn named(list: Option<NameList>, place: &str, reading: &mut Reading<'_>) -> Result<Vec<Named>> {
    let mut found = Vec::new();
    match list {
        None => {}
        Some(ListOrNames::Names(names)) => {
            for (name, value) in names.0 {
                found.push(Named {
                    place: below(place, &name),
                    name,
                    is_set: value.unwrap_or_default(),
                });
            }
        }
        Some(ListOrNames::List(list)) => {
            for (index, element) in list.into_iter().enumerate() {
                let place = format!("{place}[{index}]");
                let (name, is_set) = match element {
                    Element::Name(name) => (name, true),
                    Element::Entry(entry) => of_entry(entry, &place, reading)?,
                };
                found.push(Named {
                    place,
                    name,
                    is_set,
                });
            }
        }
    }
    Ok(found)
}

fn of_entry(entry: Entry, place: &str, reading: &mut Reading<'_>) -> Result<(String, bool)> {
    if reading.revision != Revision::B {
        return Err(refused(place, "an object in place of a name"));
    }
    for (key, is_there) in [
        ("type", entry.kind.is_some()),
        ("path", entry.path.is_some()),
    ] {
        if is_there {
            reading.unknown_key(place, key);
        }
    }
    for key in entry.unknown {
        reading.unknown_key(place, &key);
    }
    Ok((entry.key.unwrap_or_default(), entry.enabled))
}

/// The namespaces of a file before 2015: all of them are new.
pub(super) fn namespaces(list: Option<NameList>, reading: &mut Reading<'_>) -> Result<Namespaces> {
    let mut namespaces = Namespaces::new();
    for Named {
        place,
        name,
        is_set,
    } in named(list, "namespaces", reading)?
    {
        match NamespaceType::from_flag_name(&name) {
            Some(kind) if is_set => namespaces.set(kind, ""),
            Some(_) => {}
            None if reading.revision <= Revision::A => {
                let message = format!("namespace {name:?} does not exist");
                return Err(refused(place, message));
            }
            None => reading.unknown_name(&place, &name),
        }
    }
    Ok(namespaces)
}

/// The namespaces of a file from 2015 on: one with a path is joined.
pub(super) fn typed_namespaces(
    list: Vec<Element>,
    reading: &mut Reading<'_>,
) -> Result<Namespaces> {
    let mut namespaces = Namespaces::new();
    for (index, element) in list.into_iter().enumerate() {
        let place = format!("namespaces[{index}]");
        let Element::Entry(entry) = element else {
            return Err(refused(place, "a name in place of an object"));
        };
        if entry.key.is_some() {
            reading.unknown_key(&place, "key");
        }
        for key in entry.unknown {
            reading.unknown_key(&place, &key);
        }
        let name = entry.kind.unwrap_or_default();
        match NamespaceType::from_flag_name(&name) {
            Some(kind) => namespaces.set(kind, entry.path.unwrap_or_default()),
            None => reading.unknown_name(&below(&place, "type"), &name),
        }
    }
    Ok(namespaces)
}

/// The name with its prefix, if the kernel has the capability.
fn known(name: &str, reading: &Reading<'_>) -> Option<String> {
    let name = if name.starts_with("CAP_") {
        name.to_owned()
    } else {
        format!("CAP_{name}")
    };
    reading.options.capabilities.contains(&name).then_some(name)
}

/// The capabilities that are kept: bounding, effective and permitted. An inheritable capability
/// reaches every user who executes a program with that file capability, and no program needs it to
/// be.
fn kept(names: Vec<String>, reading: &Reading<'_>) -> Capabilities {
    Capabilities {
        bounding: names.clone(),
        effective: names.clone(),
        inheritable: if reading.options.strict_legacy {
            names.clone()
        } else {
            Vec::new()
        },
        permitted: names,
        ambient: Vec::new(),
    }
}

/// A mask, or the older list of what to drop: all but what it drops is kept. In
/// [`Revision::C`] an object says what is kept.
pub(super) fn masked(
    list: Option<NameList>,
    place: &str,
    reading: &mut Reading<'_>,
) -> Result<Capabilities> {
    if reading.revision == Revision::C {
        reading.warnings.push(Warning::CapabilityMask);
    }
    let mut chosen = BTreeSet::new();
    for Named {
        place,
        name,
        is_set,
    } in named(list, place, reading)?
    {
        let is_chosen = if reading.revision == Revision::B {
            !is_set
        } else {
            is_set
        };
        match known(&name, reading) {
            Some(name) if is_chosen => drop(chosen.insert(name)),
            Some(_) => {}
            None if reading.revision <= Revision::A => {
                let message = format!("unknown capability {name:?}");
                return Err(refused(place, message));
            }
            None => reading.unknown_name(&place, &name),
        }
    }
    let keeps_chosen = reading.revision == Revision::C;
    let all = reading.options.capabilities.iter();
    let names = all
        .filter(|name| chosen.contains(*name) == keeps_chosen)
        .cloned()
        .collect();
    Ok(kept(names, reading))
}

/// A list of the capabilities to keep; without it there are none.
pub(super) fn listed(list: Vec<String>, reading: &mut Reading<'_>) -> Result<Capabilities> {
    let mut names = Vec::new();
    for (index, name) in list.into_iter().enumerate() {
        let place = format!("capabilities[{index}]");
        match known(&name, reading) {
            Some(name) if names.contains(&name) => {}
            Some(name) => names.push(name),
            None if reading.revision == Revision::F => {
                return Err(refused(place, format_args!("unknown capability {name:?}")));
            }
            None => reading.unknown_name(&place, &name),
        }
    }
    Ok(kept(names, reading))
}

/// The five sets, one by one.
pub(super) fn sets(
    mut sets: Names<Option<Vec<String>>>,
    reading: &mut Reading<'_>,
) -> Capabilities {
    let mut set = |key: &str| {
        let names = sets.take(key).flatten().unwrap_or_default();
        let mut found = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            match known(&name, reading) {
                Some(name) => found.push(name),
                None => reading.unknown_name(&format!("capabilities.{key}[{index}]"), &name),
            }
        }
        found
    };
    let capabilities = Capabilities {
        bounding: set("Bounding"),
        effective: set("Effective"),
        inheritable: set("Inheritable"),
        permitted: set("Permitted"),
        ambient: set("Ambient"),
    };
    for key in sets.0.into_keys() {
        reading.unknown_key("capabilities", &key);
    }
    capabilities
}

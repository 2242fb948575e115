//! The kinds of fields on the side of the library: how each is kept, encoded and shown, and what
//! it says about descriptor slots. How it is read is in `stub/fields.rs`, for both sides.

use std::ffi::{CStr, CString};

use super::encoder::Encoder;
use super::values::{FieldValue, FsOption, HookCommand};
use crate::fields::*;
use crate::namespace_types::{NamespaceSet, NamespaceType};

/// What an operation does with an entry of the descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    Reads,
    Fills,
    Empties,
}

/// Takes note of the slots of an operation.
pub(super) type Touches<'a> = &'a mut dyn FnMut(Touch, Slot);

/// Takes the fields of an operation, each by its name.
pub(super) type Fields<'a> = &'a mut dyn FnMut(&'static str, FieldValue<'_>);

/// A kind of field in the library.
pub(super) trait Kind: Field {
    /// The type of the field in [`Op`](super::Op).
    type Owned;

    /// What was read, as a value of its own. `None` if a list in it is malformed.
    fn own(value: Self::Value<'_>) -> Option<Self::Owned>;

    /// Appends the encoded field.
    fn write(value: &Self::Owned, to: &mut Encoder);

    /// Shows the field, of this name, and what it consists of. What is not given is not shown.
    fn show(value: &Self::Owned, name: &'static str, to: Fields<'_>);

    /// Notes the slots that the operation uses because of this field.
    fn touch(_value: &Self::Owned, _touches: Touches<'_>) {}
}

/// Kinds that are read as what they are.
macro_rules! plain {
    ($($kind:ident: $owned:ty, $write:expr, $show:expr $(, $touch:expr)?;)+) => { $(
        impl Kind for $kind {
            type Owned = $owned;

            fn own(value: $owned) -> Option<$owned> {
                Some(value)
            }

            fn write(value: &$owned, to: &mut Encoder) {
                let write: fn(&$owned, &mut Encoder) = $write;
                write(value, to);
            }

            fn show(value: &$owned, name: &'static str, to: Fields<'_>) {
                let show: fn(&$owned, &'static str, Fields<'_>) = $show;
                show(value, name, to);
            }

            $(fn touch(value: &$owned, touches: Touches<'_>) {
                let touch: fn(&$owned, Touches<'_>) = $touch;
                touch(value, touches);
            })?
        }
    )+ };
}

plain! {
    Number: u32, put_u32, |n, name, to| to(name, FieldValue::Number((*n).into()));
    Number64: u64, put_u64, |n, name, to| to(name, FieldValue::Number(*n));
    Flags: u32, put_u32, |flags, name, to| to(name, FieldValue::Flags((*flags).into()));
    Flags64: u64, put_u64, |flags, name, to| to(name, FieldValue::Flags(*flags));
    Mode: u32, put_u32, |mode, name, to| to(name, FieldValue::Mode(*mode));
    Device: (u32, u32), put_pair,
        |(major, minor), name, to| to(name, FieldValue::Device(*major, *minor));
    Switch: bool, |on, to| to.array([u8::from(*on)]),
        |on, name, to| to(name, FieldValue::Switch(*on));
    Label: Label, |label, to| put_u32(&label.0, to),
        |label, name, to| to(name, FieldValue::Step(label.0));
    Uses: Slot, put_slot, |slot, name, to| to(name, FieldValue::Reads(*slot)),
        |slot, touches| touches(Touch::Reads, *slot);
    Fills: Slot, put_slot, |slot, name, to| to(name, FieldValue::Fills(*slot)),
        |slot, touches| touches(Touch::Fills, *slot);
    Empties: Slot, put_slot, |slot, name, to| to(name, FieldValue::Empties(*slot)),
        |slot, touches| touches(Touch::Empties, *slot);
    MaybeUses: Option<Slot>, |slot, to| put_slot(&slot.unwrap_or(Slot(NO_SLOT)), to),
        |slot, name, to| {
            if let Some(slot) = slot {
                to(name, FieldValue::Reads(*slot));
            }
        };
    Dir: Dir, |dir, to| put_slot(&starts_at(dir).unwrap_or(Slot(NO_SLOT)), to),
        |dir, name, to| {
            if let Some(slot) = starts_at(dir) {
                to(name, FieldValue::Reads(slot));
            }
        },
        |dir, touches| starts_at(dir).into_iter().for_each(|slot| touches(Touch::Reads, slot));
    Leaf: Leaf, put_leaf,
        |leaf, name, to| match leaf {
            Leaf::Directory => to(name, FieldValue::Word("directory")),
            Leaf::File => to(name, FieldValue::Word("file")),
            Leaf::Like(slot) => to("like", FieldValue::Reads(*slot)),
        },
        |leaf, touches| if let Leaf::Like(slot) = leaf {
            touches(Touch::Reads, *slot);
        };
    Expect: Expect, put_expect, show_expect;
}

fn starts_at(dir: &Dir) -> Option<Slot> {
    match dir {
        Dir::Cwd => None,
        Dir::Slot(slot) => Some(*slot),
    }
}

fn show_expect(expect: &Expect, _: &'static str, to: Fields<'_>) {
    if let Some(kind) = expect.file_type {
        to("type", FieldValue::Mode(kind));
    }
    if let Some((major, minor)) = expect.device {
        to("device", FieldValue::Device(major, minor));
    }
    if let Some(inode) = expect.inode {
        to("inode", FieldValue::Number(inode));
    }
    if let Some(magic) = expect.magic {
        to("magic", FieldValue::Flags(magic));
    }
}

/// Kinds that are kept as values of their own: what is read is borrowed, or not yet a value of the
/// type.
macro_rules! borrowed {
    ($($kind:ident: $owned:ty, $own:expr, $write:expr, $show:expr $(, $touch:expr)?;)+) => { $(
        impl Kind for $kind {
            type Owned = $owned;

            fn own(value: Self::Value<'_>) -> Option<$owned> {
                let own: for<'a> fn(Self::Value<'a>) -> Option<$owned> = $own;
                own(value)
            }

            fn write(value: &$owned, to: &mut Encoder) {
                let write: fn(&$owned, &mut Encoder) = $write;
                write(value, to);
            }

            fn show(value: &$owned, name: &'static str, to: Fields<'_>) {
                let show: fn(&$owned, &'static str, Fields<'_>) = $show;
                show(value, name, to);
            }

            $(fn touch(value: &$owned, touches: Touches<'_>) {
                let touch: fn(&$owned, Touches<'_>) = $touch;
                touch(value, touches);
            })?
        }
    )+ };
}

borrowed! {
    Namespaces: NamespaceSet, NamespaceSet::from_flags, |set, to| put_u32(&set.flags(), to),
        |set, name, to| to(name, FieldValue::Namespaces(*set));
    Text: CString, |text| Some(text.into()), put_text,
        |text, name, to| to(name, FieldValue::Text(text));
    OptionalText: Option<CString>, |text| Some(text.map(CString::from)),
        |text, to| put_optional(text.as_ref(), put_text, to),
        |text, name, to| if let Some(text) = text {
            to(name, FieldValue::Text(text));
        };
    TextList: Vec<CString>, own_texts, put_texts,
        |texts, name, to| to(name, FieldValue::Texts(texts));
    Bytes: Vec<u8>, |bytes| Some(bytes.to_vec()), put_bytes,
        |bytes, name, to| to(name, FieldValue::Bytes(bytes));
    Program: Vec<u8>, |bytes| Some(bytes.to_vec()), put_bytes,
        |bytes, name, to| to(name, FieldValue::Program(bytes));
    CpuMask: Option<Vec<u8>>, |mask| Some(mask.map(<[u8]>::to_vec)),
        |mask, to| put_optional(mask.as_ref(), put_bytes, to),
        |mask, name, to| to(name, FieldValue::Cpus(mask.as_deref()));
    Numbers: Vec<u32>,
        |bytes| bytes.chunks_exact(4).map(|n| n.try_into().ok().map(u32::from_le_bytes)).collect(),
        |numbers, to| put_list(numbers, put_u32, to),
        |numbers, name, to| to(name, FieldValue::Numbers(numbers));
    NodeMask: Vec<u64>,
        |bytes| bytes.chunks_exact(8).map(|n| n.try_into().ok().map(u64::from_le_bytes)).collect(),
        |masks, to| put_list(masks, put_u64, to),
        |masks, name, to| to(name, FieldValue::Nodes(masks));
    NamespaceList: Vec<(Slot, NamespaceType)>,
        |list| list.map(|entry| entry.and_then(own_namespace)).collect(),
        |list, to| put_list(list, |(slot, kind), to| {
            put_slot(slot, to);
            put_u32(&kind.flag(), to);
        }, to),
        |list, _, to| for (slot, kind) in list {
            to(kind.file_name(), FieldValue::Reads(*slot));
        },
        |list, touches| list.iter().for_each(|(slot, _)| touches(Touch::Reads, *slot));
    PlacedPaths: Vec<(Slot, CString)>,
        |list| list.map(|entry| entry.map(|(root, path)| (root, path.into()))).collect(),
        |list, to| put_list(list, |(root, path), to| {
            put_slot(root, to);
            to.slice(path.as_bytes_with_nul());
        }, to),
        |list, _, to| to("paths", FieldValue::Paths(list)),
        |list, touches| list.iter().for_each(|(root, _)| touches(Touch::Reads, *root));
    FsOptions: Vec<FsOption>,
        |list| list.map(|option| option.map(own_option)).collect(),
        |list, to| put_list(list, put_option, to),
        |list, _, to| list.iter().for_each(|option| to("option", FieldValue::Option(option))),
        |list, touches| for option in list {
            if let FsOption::Descriptor(_, slot) = option {
                touches(Touch::Reads, *slot);
            }
        };
    Hook: HookCommand, own_hook, put_hook,
        |hook, name, to| to(name, FieldValue::Hook(hook));
    Hooks: Vec<HookCommand>, |list| list.map(|hook| own_hook(hook?)).collect(),
        |list, to| put_list(list, put_hook, to),
        |list, _, to| list.iter().for_each(|hook| to("hook", FieldValue::Hook(hook)));
}

fn own_namespace((slot, flag): (Slot, u32)) -> Option<(Slot, NamespaceType)> {
    Some((slot, NamespaceType::from_flag(flag)?))
}

fn own_texts(texts: Texts<'_>) -> Option<Vec<CString>> {
    let list: Vec<CString> = texts.map(CString::from).collect();
    (u32::try_from(list.len()) == Ok(texts.announced())).then_some(list)
}

fn own_option(option: FsOptionRef<'_>) -> FsOption {
    match option {
        FsOptionRef::Flag(key) => FsOption::Flag(key.into()),
        FsOptionRef::String(key, value) => FsOption::String(key.into(), value.into()),
        FsOptionRef::Descriptor(key, slot) => FsOption::Descriptor(key.into(), slot),
    }
}

fn own_hook(hook: HookRef<'_>) -> Option<HookCommand> {
    Some(HookCommand {
        path: hook.path.into(),
        args: own_texts(hook.args)?,
        env: match hook.env {
            Some(env) => Some(own_texts(env)?),
            None => None,
        },
        stdin: (hook.stdin.0.to_vec(), hook.stdin.1.to_vec()),
        timeout_ms: hook.timeout_ms,
    })
}

fn put_u32(number: &u32, to: &mut Encoder) {
    to.array(number.to_le_bytes());
}

fn put_u64(number: &u64, to: &mut Encoder) {
    to.array(number.to_le_bytes());
}

fn put_pair((one, two): &(u32, u32), to: &mut Encoder) {
    put_u32(one, to);
    put_u32(two, to);
}

fn put_slot(slot: &Slot, to: &mut Encoder) {
    to.array(slot.0.to_le_bytes());
}

/// Size of an encoded length.
const LENGTH: usize = 4;

/// A length beyond 4 GiB saturates; such a plan is refused for its size.
fn length_bytes(length: usize) -> [u8; LENGTH] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn put_length(length: usize, to: &mut Encoder) {
    to.array(length_bytes(length));
}

#[allow(clippy::ptr_arg, reason = "a field as it is kept")]
fn put_bytes(bytes: &Vec<u8>, to: &mut Encoder) {
    put_length(bytes.len(), to);
    to.slice(bytes);
}

fn put_text(text: &CString, to: &mut Encoder) {
    put_length(text.count_bytes(), to);
    to.slice(text.as_bytes_with_nul());
}

fn put_optional<T>(value: Option<&T>, write: fn(&T, &mut Encoder), to: &mut Encoder) {
    to.array([u8::from(value.is_some())]);
    if let Some(value) = value {
        write(value, to);
    }
}

/// A list: its length in bytes comes first.
fn put_list<T>(items: &[T], write: fn(&T, &mut Encoder), to: &mut Encoder) {
    let at = to.len();
    put_length(0, to);
    for item in items {
        write(item, to);
    }
    let length = to.len() - at - LENGTH;
    to.put(at, length_bytes(length));
}

#[allow(clippy::ptr_arg, reason = "a field as it is kept")]
fn put_texts(texts: &Vec<CString>, to: &mut Encoder) {
    put_length(texts.len(), to);
    put_list(texts, |text, to| to.slice(text.as_bytes_with_nul()), to);
}

fn put_option(option: &FsOption, to: &mut Encoder) {
    let mut put = |kind: u8, key: &CStr, value: &[u8]| {
        to.array([kind]);
        to.slice(key.to_bytes_with_nul());
        to.slice(value);
    };
    match option {
        FsOption::Flag(key) => put(FLAG_OPTION, key, &[]),
        FsOption::String(key, value) => put(STRING_OPTION, key, value.as_bytes_with_nul()),
        FsOption::Descriptor(key, slot) => put(DESCRIPTOR_OPTION, key, &slot.0.to_le_bytes()),
    }
}

fn put_hook(hook: &HookCommand, to: &mut Encoder) {
    put_text(&hook.path, to);
    put_texts(&hook.args, to);
    put_optional(hook.env.as_ref(), put_texts, to);
    put_bytes(&hook.stdin.0, to);
    put_bytes(&hook.stdin.1, to);
    put_u32(&hook.timeout_ms, to);
}

fn put_leaf(leaf: &Leaf, to: &mut Encoder) {
    match leaf {
        Leaf::Directory => to.array([0]),
        Leaf::File => to.array([1]),
        Leaf::Like(slot) => {
            to.array([2]);
            put_slot(slot, to);
        }
    }
}

fn put_expect(expect: &Expect, to: &mut Encoder) {
    put_optional(expect.file_type.as_ref(), put_u32, to);
    put_optional(expect.device.as_ref(), put_pair, to);
    put_optional(expect.inode.as_ref(), put_u64, to);
    put_optional(expect.magic.as_ref(), put_u64, to);
}

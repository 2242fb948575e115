//! Random plans, of every operation of the table.

use std::ffi::CString;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample;
use proptest::strategy::Union;

use crate::fields::*;
use crate::namespace_types::{NamespaceSet, NamespaceType};
use crate::operations::operations;
use crate::plan::kinds::Kind;
use crate::plan::{FsOption, HookCommand, Op, PlanBuilder};

/// A kind of field that the tests can make.
trait Any: Kind<Owned: std::fmt::Debug> {
    /// Any value of it.
    fn any() -> BoxedStrategy<Self::Owned>;
}

macro_rules! any {
    ($($kind:ident = $strategy:expr;)+) => { $(
        impl Any for $kind {
            fn any() -> BoxedStrategy<Self::Owned> {
                $strategy.boxed()
            }
        }
    )+ };
}

any! {
    Number = any::<u32>();
    Number64 = any::<u64>();
    Flags = any::<u32>();
    Flags64 = any::<u64>();
    Mode = any::<u32>();
    Namespaces = any_namespaces();
    Device = any::<(u32, u32)>();
    Switch = any::<bool>();
    Text = any_text();
    OptionalText = option::of(any_text());
    TextList = any_texts();
    Bytes = any_bytes();
    Program = any_bytes();
    CpuMask = option::of(any_bytes());
    Numbers = vec(any::<u32>(), 0..9);
    NodeMask = vec(any::<u64>(), 0..4);
    Uses = any_slot();
    MaybeUses = option::of(any_slot());
    Fills = any_slot();
    Empties = any_slot();
    Label = any::<u32>().prop_map(Label);
    Dir = option::of(any_slot()).prop_map(|slot| slot.map_or(Dir::Cwd, Dir::Slot));
    Leaf = prop_oneof![
        Just(Leaf::Directory),
        Just(Leaf::File),
        any_slot().prop_map(Leaf::Like)
    ];
    Expect = any::<(Option<u32>, Option<(u32, u32)>, Option<u64>, Option<u64>)>().prop_map(
        |(file_type, device, inode, magic)| Expect { file_type, device, inode, magic }
    );
    NamespaceList = vec((any_slot(), any_namespace()), 0..5);
    PlacedPaths = vec((any_slot(), any_text()), 0..5);
    FsOptions = vec(any_option(), 0..5);
    Hook = any_hook();
    Hooks = vec(any_hook(), 0..3);
}

fn any_namespace() -> impl Strategy<Value = NamespaceType> {
    sample::select(NamespaceType::ALL.as_slice())
}

fn any_namespaces() -> impl Strategy<Value = NamespaceSet> {
    vec(any_namespace(), 0..9).prop_map(NamespaceSet::from_iter)
}

fn any_text() -> impl Strategy<Value = CString> {
    vec(1..=255_u8, 0..20).prop_map(|bytes| CString::new(bytes).unwrap())
}

fn any_texts() -> impl Strategy<Value = Vec<CString>> {
    vec(any_text(), 0..5)
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn any_slot() -> impl Strategy<Value = Slot> {
    (0..8_u16).prop_map(Slot)
}

fn any_option() -> impl Strategy<Value = FsOption> {
    prop_oneof![
        any_text().prop_map(FsOption::Flag),
        (any_text(), any_text()).prop_map(|(key, value)| FsOption::String(key, value)),
        (any_text(), any_slot()).prop_map(|(key, slot)| FsOption::Descriptor(key, slot)),
    ]
}

fn any_hook() -> impl Strategy<Value = HookCommand> {
    let stdin = (any_bytes(), any_bytes());
    let env = option::of(any_texts());
    (any_text(), any_texts(), env, stdin, any::<u32>()).prop_map(
        |(path, args, env, stdin, timeout_ms)| HookCommand {
            path,
            args,
            env,
            stdin,
            timeout_ms,
        },
    )
}

macro_rules! define_any_op {
    ($(
        $(#[$_doc:meta])*
        $name:ident = $number:literal $([$($_role:ident)+])?
        $(($single:ident: $single_kind:ident))?
        $({ $( $(#[$_field_doc:meta])* $field:ident: $kind:ident, )+ })?;
    )+) => {
        /// Any operation, every one with the same weight.
        fn any_op() -> impl Strategy<Value = Op> {
            Union::new([$(
                (
                    Just(()),
                    $(<$single_kind as Any>::any(),)?
                    $($(<$kind as Any>::any(),)+)?
                )
                    .prop_map(|((), $($single,)? $($($field,)+)?)| Op::$name {
                        $(0: $single)?
                        $($($field),+)?
                    })
                    .boxed(),
            )+])
        }
    };
}
operations!(define_any_op);

/// Steps in any order: what the builder would refuse, encoded nevertheless. Labels are the
/// builder's; another test is about them.
pub(super) fn any_plan() -> impl Strategy<Value = PlanBuilder> {
    let op = any_op().prop_filter("a label", |op| !matches!(op, Op::Jump(_)));
    (
        vec((op, ".{0,20}", vec(1..4096_i32, 0..=6)), 0..12),
        0..20_u32,
        any_namespaces(),
        0..4_usize,
    )
        .prop_map(|(steps, passed, clone, inputs)| {
            let mut plan = PlanBuilder::new();
            for index in 0..8 {
                if index < inputs {
                    plan.input(format!("input {index}"));
                } else {
                    plan.slot();
                }
            }
            plan.passed_descriptors(passed);
            plan.clone_namespaces(clone);
            for (op, context, errnos) in steps {
                plan.push_tolerating(context, op, &errnos);
            }
            plan
        })
}

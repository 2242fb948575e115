//! Operations as the code that builds plans sees them: the variants follow from the table in
//! `stub/operations.rs`.
//!
//! An operation carries all its data. Paths, flags, byte strings, programs and descriptor slots are
//! decided by the process that builds the plan.

use std::ffi::CString;

use super::encoder::Encoder;
use super::kinds::{Fields, Kind, Touches};
use super::line::Line;
pub use super::values::{FieldValue, FsOption, HookCommand};
use crate::fields::*;
pub use crate::fields::{Dir, Expect, Label, Leaf, Slot};
use crate::namespace_types::{NamespaceSet, NamespaceType};
use crate::operations::{Operation, operations};

/// What the checks of a finished plan know of an operation, see the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// May not fail, and may not be jumped over.
    Protects,
    /// May not fail.
    Strict,
    /// Needs the control channel.
    Asks,
}

/// The type that a kind of field has in [`Op`]: that of [`Kind::Owned`], spelled out for the
/// documentation.
macro_rules! owned {
    (Number) => { u32 };
    (Number64) => { u64 };
    (Flags) => { u32 };
    (Flags64) => { u64 };
    (Mode) => { u32 };
    (Namespaces) => { NamespaceSet };
    (Device) => { (u32, u32) };
    (Switch) => { bool };
    (Text) => { CString };
    (OptionalText) => { Option<CString> };
    (TextList) => { Vec<CString> };
    (Bytes) => { Vec<u8> };
    (Program) => { Vec<u8> };
    (CpuMask) => { Option<Vec<u8>> };
    (Numbers) => { Vec<u32> };
    (NodeMask) => { Vec<u64> };
    (MaybeUses) => { Option<Slot> };
    (Uses) => { Slot };
    (Fills) => { Slot };
    (Empties) => { Slot };
    (NamespaceList) => { Vec<(Slot, NamespaceType)> };
    (PlacedPaths) => { Vec<(Slot, CString)> };
    (FsOptions) => { Vec<FsOption> };
    (Hook) => { HookCommand };
    (Hooks) => { Vec<HookCommand> };
    ($same:ident) => { $same };
}

// `Op::Name { 0: value }` is a variant with one field whatever its form is: the expansion needs no
// case for each.
macro_rules! define_op {
    ($(
        $(#[$doc:meta])*
        $name:ident = $number:literal $([$($role:ident)+])?
        $(($single:ident: $single_kind:ident))?
        $({ $( $(#[$field_doc:meta])* $field:ident: $kind:ident, )+ })?;
    )+) => {
        /// One step of the init stub.
        ///
        /// The documentation of each variant says which system calls the kernel sees. A step fails
        /// with the errno of the first call that failed; the builder may let a step tolerate some
        /// errnos, or jump on them
        /// ([`PlanBuilder::push_tolerating`](crate::plan::PlanBuilder::push_tolerating),
        /// [`PlanBuilder::push_or`](crate::plan::PlanBuilder::push_or)).
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Op {
            $(
                $(#[$doc])*
                $name
                $((owned!($single_kind)))?
                $({ $( $(#[$field_doc])* $field: owned!($kind), )+ })?,
            )+
        }

        impl Op {
            /// Every operation by its name, with the names and the kinds of its fields as the
            /// table of operations has them: for programs that have something to say of each.
            pub const ALL: &'static [(&'static str, &'static [(&'static str, &'static str)])] = &[$(
                (stringify!($name), &[
                    $((stringify!($single), stringify!($single_kind)),)?
                    $($((stringify!($field), stringify!($kind)),)+)?
                ]),
            )+];

            /// What the operation is called, as in [`ALL`](Self::ALL).
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name),)+ }
            }

            /// The number of the operation in an encoded plan.
            pub(super) fn number(&self) -> u16 {
                match self { $(Self::$name { .. } => $number,)+ }
            }

            /// What the checks know of it.
            pub(super) fn roles(&self) -> &'static [Role] {
                match self { $(Self::$name { .. } => &[$($(Role::$role,)+)?],)+ }
            }

            /// Appends the encoded fields.
            pub(super) fn encode(&self, to: &mut Encoder) {
                match self { $(
                    Self::$name { $(0: $single)? $($($field),+)? } => {
                        $(<$single_kind as Kind>::write($single, to);)?
                        $($(<$kind as Kind>::write($field, to);)+)?
                    }
                )+ }
            }

            /// What the stub has decoded, as a value of its own. `None` if a list in it is
            /// malformed.
            pub(super) fn from_decoded(operation: Operation<'_>) -> Option<Self> {
                Some(match operation { $(
                    Operation::$name { $($single)? $($($field),+)? } => Self::$name {
                        $(0: <$single_kind as Kind>::own($single)?)?
                        $($($field: <$kind as Kind>::own($field)?),+)?
                    },
                )+ })
            }

            /// Which slots it reads, fills and empties.
            pub(super) fn touch(&self, touches: Touches<'_>) {
                match self { $(
                    Self::$name { $(0: $single)? $($($field),+)? } => {
                        $(<$single_kind as Kind>::touch($single, touches);)?
                        $($(<$kind as Kind>::touch($field, touches);)+)?
                    }
                )+ }
            }

            /// Calls `each` with the fields, in their order, each by its name. A field that
            /// consists of several is shown part by part, by the names of those; one that is not
            /// given is left out.
            pub fn fields(&self, each: &mut dyn FnMut(&'static str, FieldValue<'_>)) {
                let to: Fields<'_> = each;
                match self { $(
                    Self::$name { $(0: $single)? $($($field),+)? } => {
                        $(<$single_kind as Kind>::show($single, stringify!($single), to);)?
                        $($(<$kind as Kind>::show($field, stringify!($field), to);)+)?
                    }
                )+ }
            }

            /// Appends the fields to a line of the printed plan. The only field of an operation
            /// has no name there.
            pub(super) fn print(&self, line: &mut Line) {
                let only = match self {
                    $(Self::$name { .. } => concat!($(stringify!($single))?),)+
                };
                self.fields(&mut |name, value| {
                    line.value(if name == only { "" } else { name }, value);
                });
            }
        }
    };
}
operations!(define_op);

//! Questions that only the policy can answer, asked through libselinux (feature `libselinux`).
//!
//! A program that links libselinux pays at every start: the library looks for selinuxfs before
//! `main`. A container runtime keeps these questions in a separate program.
//!
//! libselinux takes the place of the machine for itself; it reads `/etc/selinux`, selinuxfs and
//! procfs, and cannot be given other directories.

use std::ffi::CString;
use std::fmt::Display;
use std::path::Path;

use selinux_policy::label::{Labeler, back_end};
use selinux_policy::{
    FileAccessMode, KernelSupport, SecurityClass, SecurityContext, kernel_support,
};

use crate::error::{Error, Repr, Result};
use crate::label::Label;

/// Whether libselinux takes SELinux for enabled. The same question as
/// [`SeLinux::is_enabled`](crate::SeLinux::is_enabled).
#[must_use]
pub fn is_enabled() -> bool {
    !matches!(kernel_support(), KernelSupport::Unsupported)
}

/// The label that the policy's file contexts give to a path (`selabel_lookup(3)`).
///
/// `mode` is a file's `st_mode`, of which the file type matters: an entry may hold for directories
/// only, say. 0 means any type.
///
/// # Errors
/// [`Policy`](crate::ErrorKind::Policy) if no policy is installed or none of its entries matches.
pub fn label_for_path(path: impl AsRef<Path>, mode: u32) -> Result<Label> {
    let labeler =
        Labeler::<back_end::File>::new(&[], true).map_err(failed("open file contexts"))?;
    let context = labeler
        .look_up_by_path(path, FileAccessMode::new(mode))
        .map_err(failed("look up a file context"))?;
    label_of(&context)
}

/// Whether the policy lets a subject use a permission on an object of a class, such as `file` and
/// `read` (`selinux_check_access(3)`). A refusal may be logged, as one by the kernel is.
///
/// # Errors
/// [`Disabled`](crate::ErrorKind::Disabled): without a policy the kernel does not answer.
pub fn is_allowed(subject: &Label, object: &Label, class: &str, permission: &str) -> Result<bool> {
    enabled()?;
    let (subject, object) = (c_string(subject)?, c_string(object)?);
    SecurityContext::from_c_str(&subject, true)
        .check_access(
            &SecurityContext::from_c_str(&object, true),
            class,
            permission,
            std::ptr::null_mut(),
        )
        .map_err(failed("check access"))
}

/// The label of an object that a subject creates in a place, such as a file in a directory
/// (`security_compute_create(3)`).
///
/// # Errors
/// [`Disabled`](crate::ErrorKind::Disabled); [`Policy`](crate::ErrorKind::Policy) if the policy
/// knows neither labels nor class.
pub fn label_for_new(subject: &Label, place: &Label, class: &str, name: &str) -> Result<Label> {
    enabled()?;
    let (subject, place) = (c_string(subject)?, c_string(place)?);
    let class = SecurityClass::from_name(class).map_err(failed("find an object class"))?;
    let context = SecurityContext::from_c_str(&subject, true)
        .of_labeling_decision(&SecurityContext::from_c_str(&place, true), class, name)
        .map_err(failed("compute the label of a new object"))?;
    label_of(&context)
}

/// The label as the site's translation daemon shows it to people
/// (`selinux_raw_to_trans_context(3)`); without daemon it is the label itself.
///
/// # Errors
/// [`Policy`](crate::ErrorKind::Policy).
pub fn translated(label: &Label) -> Result<String> {
    let raw = c_string(label)?;
    let context = SecurityContext::from_c_str(&raw, true);
    let shown = context
        .to_translated_format()
        .map_err(failed("translate a label"))?;
    text_of(&shown)
}

fn enabled() -> Result<()> {
    if is_enabled() {
        Ok(())
    } else {
        Err(Repr::Disabled.into())
    }
}

fn c_string(label: &Label) -> Result<CString> {
    CString::new(label.as_str()).map_err(failed("read a label"))
}

fn text_of(context: &SecurityContext<'_>) -> Result<String> {
    let text = context
        .to_c_string()
        .map_err(failed("read a label"))?
        .unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}

fn label_of(context: &SecurityContext<'_>) -> Result<Label> {
    text_of(context)?.parse()
}

/// The library's error becomes text: its type is not part of this crate's face.
fn failed<E: Display>(operation: &'static str) -> impl Fn(E) -> Error {
    move |error| {
        Repr::Policy {
            operation,
            message: error.to_string(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, SeLinux};
    use proptest::prelude::*;
    use selinux_policy::OpaqueSecurityContext;

    #[test]
    fn both_agree_on_whether_it_is_enabled() {
        assert_eq!(is_enabled(), SeLinux::system().is_enabled());
    }

    #[test]
    fn without_policy_there_is_no_answer() {
        if is_enabled() {
            eprintln!("skipped: needs a kernel without SELinux");
            return;
        }
        let label: Label = "u:r:t:s0".parse().unwrap();
        let kinds = [
            is_allowed(&label, &label, "file", "read")
                .unwrap_err()
                .kind(),
            label_for_new(&label, &label, "file", "x")
                .unwrap_err()
                .kind(),
        ];
        assert_eq!(kinds, [ErrorKind::Disabled; 2]);
    }

    #[test]
    fn the_policy_knows_its_own_labels() {
        let host = SeLinux::system();
        let Some(current) = host.current() else {
            eprintln!("skipped: needs SELinux");
            return;
        };
        host.check(current).unwrap();
        assert!(host.check(&"no_u:no_r:no_t:s0".parse().unwrap()).is_err());
        assert_eq!(label_for_path("/etc/passwd", 0).unwrap().role(), "object_r");
    }

    fn part(of: selinux_policy::errors::Result<CString>) -> String {
        of.unwrap().into_string().unwrap()
    }

    proptest! {
        /// Whatever is a label here is one to libselinux, with the same parts.
        #[test]
        fn labels_have_the_same_parts(text in "[a-z_]{1,5}:[a-z_]{1,5}:[a-z_]{1,5}(:[a-z0-9.,:-]{1,9})?|[a-z:]{0,9}") {
            let library = OpaqueSecurityContext::new(&text);
            if let Ok(label) = text.parse::<Label>() {
                let library = library.unwrap();
                prop_assert_eq!(label.user(), part(library.user()));
                prop_assert_eq!(label.role(), part(library.role()));
                prop_assert_eq!(label.type_name(), part(library.the_type()));
                if let Some(level) = label.level() {
                    prop_assert_eq!(level, part(library.range()));
                }
            }
        }
    }
}

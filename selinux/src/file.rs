use std::os::fd::AsFd;

use xattr::SetMode;

use crate::error::{Repr, Result};
use crate::label::Label;

/// The extended attribute that holds a file's label (`xattr(7)`).
pub(crate) const ATTRIBUTE: &str = "security.selinux";

/// The label of an open file; `None` if it has none that can be read as one. `O_PATH` descriptors
/// will do.
///
/// # Errors
/// [`Io`](crate::ErrorKind::Io): `ENOTSUP` if the file system has no labels.
pub fn file_label(file: impl AsFd) -> Result<Option<Label>> {
    let value = xattr::get(file, ATTRIBUTE).map_err(failed)?;
    Ok(value.as_deref().and_then(parse))
}

/// Gives an open file a label. `O_PATH` descriptors will do.
///
/// # Errors
/// [`Io`](crate::ErrorKind::Io): `ENOTSUP` if the file system has no labels.
pub fn set_file(file: impl AsFd, label: &Label) -> Result<()> {
    xattr::set(file, ATTRIBUTE, label.as_str().as_bytes(), SetMode::Any).map_err(failed)
}

/// The value of the attribute, which old tools end with a NUL.
fn parse(value: &[u8]) -> Option<Label> {
    let value = value.strip_suffix(b"\0").unwrap_or(value);
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn failed(source: xattr::Error) -> crate::Error {
    Repr::File {
        path: "open file".into(),
        source,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_reads_back_with_and_without_nul() {
        let file = tempfile::tempfile().unwrap();
        let label: Label = "system_u:object_r:container_file_t:s0:c1,c2"
            .parse()
            .unwrap();
        match set_file(&file, &label) {
            Ok(()) => {}
            Err(error) => {
                eprintln!("skipped: {error}: {:?}", error.raw_os_error());
                return;
            }
        }
        assert_eq!(file_label(&file).unwrap(), Some(label.clone()));
        let with_nul = format!("{label}\0");
        if xattr::set(&file, ATTRIBUTE, with_nul.as_bytes(), SetMode::Any).is_ok() {
            assert_eq!(file_label(&file).unwrap(), Some(label));
        }
    }

    #[test]
    fn a_value_that_is_no_label() {
        assert_eq!(parse(b"kernel\0"), None);
        assert_eq!(parse(b"\xff"), None);
        assert_eq!(parse(b"u:r:t\0").unwrap().as_str(), "u:r:t");
    }

    #[test]
    fn a_file_system_without_labels_says_so() {
        let file = std::fs::File::open("/proc/self/status").unwrap();
        let label: Label = "u:r:t".parse().unwrap();
        if !crate::SeLinux::system().is_enabled() {
            assert_eq!(
                set_file(file, &label).unwrap_err().kind(),
                crate::ErrorKind::Io
            );
        }
    }
}

use std::ffi::CStr;

/// The attribute names of one file, as the kernel lists them (`listxattr(2)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub(crate) Vec<u8>);

impl Names {
    /// The names, in the kernel's order.
    pub fn iter(&self) -> impl Iterator<Item = &CStr> + Clone {
        self.0
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this name is among them.
    pub fn contains(&self, name: &CStr) -> bool {
        self.iter().any(|listed| listed == name)
    }
}

use std::fmt;
use std::ops::BitOr;

/// Who may do what with a key: six bits each for possessor, user, group and others
/// (`keyctl_setperm(3)`).
///
/// From the top byte down: possessor, user, group, other; in each, from bit 0 up: view, read,
/// write, search, link, set attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u32);

impl Permissions {
    /// The key's user may find it, and follow it if it is a keyring.
    pub const USER_SEARCH: Self = Self(0x0008_0000);
    /// Everybody may find it, and follow it if it is a keyring.
    pub const OTHER_SEARCH: Self = Self(0x0000_0008);

    /// The mask with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What a container's session keyring needs in addition, so that the container's processes find
    /// it.
    ///
    /// The keyring belongs to the user who made it. Without user namespace that is the processes'
    /// own user; with one, the processes have other ids, and only the rights of others reach
    /// them.
    #[must_use]
    pub const fn searchable(in_user_namespace: bool) -> Self {
        if in_user_namespace {
            Self::OTHER_SEARCH
        } else {
            Self::USER_SEARCH
        }
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Eight hexadecimal digits, as the kernel prints them.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

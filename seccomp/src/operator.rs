//! How an argument of a system call is compared.

use crate::error::{Error, Result};

/// A comparison of an argument with the values of a rule, all unsigned.
///
/// On 32-bit architectures (and x32) only the low 32 bits of the argument and of the values take
/// part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `SCMP_CMP_NE`: argument ≠ value.
    NotEqual,
    /// `SCMP_CMP_LT`: argument < value.
    Less,
    /// `SCMP_CMP_LE`: argument ≤ value.
    LessOrEqual,
    /// `SCMP_CMP_EQ`: argument = value.
    Equal,
    /// `SCMP_CMP_GE`: argument ≥ value.
    GreaterOrEqual,
    /// `SCMP_CMP_GT`: argument > value.
    Greater,
    /// `SCMP_CMP_MASKED_EQ`: (argument & value) = (valueTwo & value).
    MaskedEqual,
}

/// The OCI names of the operators, sorted.
pub(crate) const NAMES: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

impl Operator {
    /// The operator with this OCI name (`SCMP_CMP_*`).
    ///
    /// # Errors
    ///
    /// The name is unknown.
    pub fn from_name(name: &str) -> Result<Self> {
        Ok(match name {
            "SCMP_CMP_NE" => Self::NotEqual,
            "SCMP_CMP_LT" => Self::Less,
            "SCMP_CMP_LE" => Self::LessOrEqual,
            "SCMP_CMP_EQ" => Self::Equal,
            "SCMP_CMP_GE" => Self::GreaterOrEqual,
            "SCMP_CMP_GT" => Self::Greater,
            "SCMP_CMP_MASKED_EQ" => Self::MaskedEqual,
            _ => return Err(Error::invalid(format!("unknown seccomp operator {name:?}"))),
        })
    }

    /// The OCI name (`SCMP_CMP_*`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotEqual => "SCMP_CMP_NE",
            Self::Less => "SCMP_CMP_LT",
            Self::LessOrEqual => "SCMP_CMP_LE",
            Self::Equal => "SCMP_CMP_EQ",
            Self::GreaterOrEqual => "SCMP_CMP_GE",
            Self::Greater => "SCMP_CMP_GT",
            Self::MaskedEqual => "SCMP_CMP_MASKED_EQ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known() {
        for name in NAMES {
            assert_eq!(Operator::from_name(name).unwrap().name(), name);
        }
        assert!(NAMES.is_sorted());
        assert!(Operator::from_name("SCMP_CMP_XOR").is_err());
    }
}

//! How an argument of a system call is compared.

use crate::named::named_enum;

named_enum! {
    /// A comparison of an argument with the values of a rule, all unsigned.
    ///
    /// On 32-bit architectures (and x32) only the low 32 bits of the argument and of the values
    /// take part.
    pub enum Operator {
        /// Argument = value.
        Equal = "SCMP_CMP_EQ",
        /// Argument ≥ value.
        GreaterOrEqual = "SCMP_CMP_GE",
        /// Argument > value.
        Greater = "SCMP_CMP_GT",
        /// Argument ≤ value.
        LessOrEqual = "SCMP_CMP_LE",
        /// Argument < value.
        Less = "SCMP_CMP_LT",
        /// (Argument & value) = (valueTwo & value).
        MaskedEqual = "SCMP_CMP_MASKED_EQ",
        /// Argument ≠ value.
        NotEqual = "SCMP_CMP_NE",
    }
}

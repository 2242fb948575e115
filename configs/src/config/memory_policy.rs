//! NUMA memory policy (`set_mempolicy(2)`).

use serde::{Deserialize, Serialize};

use super::CpuSet;
use crate::int_enum::int_enum;
use crate::nullable::{is_default, or_default};

int_enum! {
    /// Where memory is taken from; the integer is the kernel's.
    pub enum MemoryPolicyMode: u32 {
        /// The system's policy.
        Default = 0 => "MPOL_DEFAULT",
        /// One node first.
        Preferred = 1 => "MPOL_PREFERRED",
        /// Only these nodes.
        Bind = 2 => "MPOL_BIND",
        /// These nodes in turn.
        Interleave = 3 => "MPOL_INTERLEAVE",
        /// The node of the CPU, Linux 3.8.
        Local = 4 => "MPOL_LOCAL",
        /// These nodes first, Linux 5.15.
        PreferredMany = 5 => "MPOL_PREFERRED_MANY",
        /// These nodes in turn by weight, Linux 6.9.
        WeightedInterleave = 6 => "MPOL_WEIGHTED_INTERLEAVE",
    }
}

int_enum! {
    /// Mode flags; the integer is the kernel's bit.
    pub enum MemoryPolicyFlag: u32 {
        /// Optimise placement, Linux 5.12.
        NumaBalancing = 0x2000 => "MPOL_F_NUMA_BALANCING",
        /// Node numbers are relative to the allowed nodes.
        RelativeNodes = 0x4000 => "MPOL_F_RELATIVE_NODES",
        /// Node numbers stay what they are when the allowed nodes change.
        StaticNodes = 0x8000 => "MPOL_F_STATIC_NODES",
    }
}

/// Memory policy of the container's processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryPolicy {
    /// The mode.
    #[serde(skip_serializing_if = "is_default_mode")]
    pub mode: MemoryPolicyMode,
    /// `MPOL_F_…` bits.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub flags: u32,
    /// The nodes; absent for a policy without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<CpuSet>,
}

impl Default for MemoryPolicy {
    fn default() -> Self {
        Self {
            mode: MemoryPolicyMode::Default,
            flags: 0,
            nodes: None,
        }
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_default_mode(mode: &MemoryPolicyMode) -> bool {
    *mode == MemoryPolicyMode::Default
}

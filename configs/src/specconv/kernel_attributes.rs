//! Memory policy, execution domain and Intel RDT.

use crate::config::{
    CpuSet, IntelRdt, MemoryPolicy, MemoryPolicyFlag, MemoryPolicyMode, Personality,
    PersonalityDomain,
};
use crate::{Error, Result, Warning, oci};

/// Converts a memory policy.
pub(super) fn memory_policy(policy: &oci::MemoryPolicy) -> Result<MemoryPolicy> {
    let mode = MemoryPolicyMode::from_name(&policy.mode).ok_or_else(|| {
        Error::conversion(format!("invalid memory policy mode {:?}", policy.mode))
    })?;
    let nodes = CpuSet::parse_optional(&policy.nodes).map_err(|error| {
        Error::conversion(format!("invalid memory policy nodes {:?}", policy.nodes)).because(error)
    })?;
    let mut flags = 0;
    for name in &policy.flags {
        let flag = MemoryPolicyFlag::from_name(name)
            .ok_or_else(|| Error::conversion(format!("invalid memory policy flag {name:?}")))?;
        flags |= flag.to_int();
    }
    Ok(MemoryPolicy { mode, flags, nodes })
}

/// Converts an execution domain.
pub(super) fn personality(
    personality: &oci::Personality,
    warnings: &mut Vec<Warning>,
) -> Result<Personality> {
    if !personality.flags.is_empty() {
        warnings.push(Warning::PersonalityFlags {
            flags: personality.flags.clone(),
        });
    }
    PersonalityDomain::from_name(&personality.domain)
        .map(|domain| Personality { domain })
        .ok_or_else(|| {
            Error::conversion(format!("invalid personality domain {}", personality.domain))
        })
}

/// Copies the RDT settings, whose stored keys differ.
pub(super) fn intel_rdt(rdt: &oci::IntelRdt) -> IntelRdt {
    IntelRdt {
        clos_id: rdt.clos_id.clone(),
        schemata: rdt.schemata.clone(),
        l3_cache_schema: rdt.l3_cache_schema.clone(),
        mem_bw_schema: rdt.mem_bw_schema.clone(),
        enable_monitoring: rdt.enable_monitoring,
    }
}

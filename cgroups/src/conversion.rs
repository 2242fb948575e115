//! Values of the OCI configuration, which are those of cgroup v1, on the scales of cgroup v2.

use crate::{Error, ErrorKind, Result};

/// CPU shares (2 to 262144, default 1024) as CPU weight (1 to 10000, default 100).
///
/// The curve goes through (2, 1), (1024, 100) and (262144, 10000): with l = log₂(shares) the
/// weight is 10^((l² + 125·l)/612 - 7/34), rounded up. A linear map, as it was used before, turns
/// the one default into 39.
#[must_use]
pub fn cpu_weight(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        _ => {
            // Exact: shares is below 2¹⁸.
            let log = f64::from(u32::try_from(shares).unwrap_or(u32::MAX)).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and 10000"
            )]
            let weight = 10_f64.powf(exponent).ceil() as u64;
            weight.clamp(1, 10_000)
        }
    }
}

/// A blkio weight (10 to 1000) as `io.weight` (1 to 10000).
pub(crate) fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.saturating_sub(10)) * 9_999 / 990
}

/// A limit of memory and swap together as one of swap alone (`memory.swap.max`).
///
/// `None` is "leave it alone", -1 is "unlimited".
pub(crate) fn swap_max(memory_swap: Option<i64>, memory: Option<i64>) -> Result<Option<i64>> {
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidConfig, message));
    match (memory_swap, memory) {
        (None | Some(0), Some(-1)) => Ok(Some(-1)),
        (None | Some(0), _) => Ok(None),
        (Some(-1), _) => Ok(Some(-1)),
        // Unlimited memory: what was meant for both is the limit of the swap.
        (Some(swap), Some(-1)) if swap > 0 => Ok(Some(swap)),
        (Some(swap), None | Some(0)) if swap > 0 => {
            invalid("unable to set swap limit without memory limit".to_owned())
        }
        (Some(swap), _) if swap < 0 => invalid(format!("invalid memory+swap value: {swap}")),
        (Some(_), Some(memory)) if memory < 0 => invalid(format!("invalid memory value: {memory}")),
        (Some(swap), memory) => match swap.checked_sub(memory.unwrap_or_default()) {
            Some(alone) if alone >= 0 => Ok(Some(alone)),
            _ => invalid("memory+swap limit should be >= memory limit".to_owned()),
        },
    }
}

/// The text of a limit: -1 is `max`, 0 is "not set".
pub(crate) fn limit_text(value: Option<i64>) -> Option<String> {
    match value {
        None | Some(0) => None,
        Some(-1) => Some("max".to_owned()),
        Some(value) => Some(value.to_string()),
    }
}

/// The text for `pids.max`: 0 would forbid the first process, so it counts as 1.
pub(crate) fn pids_text(limit: i64) -> String {
    match limit {
        0 => "1".to_owned(),
        1.. => limit.to_string(),
        _ => "max".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cpu_weight_table() {
        for (shares, weight) in [
            (0, 1),
            (2, 1),
            (3, 2),
            (1024, 100),
            (262_143, 10_000),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ] {
            assert_eq!(cpu_weight(shares), weight, "{shares}");
        }
    }

    #[test]
    fn io_weight_table() {
        assert_eq!(io_weight(10), 1);
        assert_eq!(io_weight(1000), 10_000);
        assert_eq!(io_weight(0), 1);
    }

    #[test]
    fn swap_table() {
        for (swap, memory, expected) in [
            (None, None, None),
            (None, Some(-1), Some(-1)),
            (None, Some(5), None),
            (Some(-1), Some(5), Some(-1)),
            (Some(-1), None, Some(-1)),
            (Some(7), Some(-1), Some(7)),
            (Some(8), Some(5), Some(3)),
            (Some(5), Some(5), Some(0)),
        ] {
            assert_eq!(
                swap_max(swap, memory).unwrap(),
                expected,
                "{swap:?} {memory:?}"
            );
        }
        for (swap, memory, text) in [
            (
                Some(5),
                None,
                "unable to set swap limit without memory limit",
            ),
            (
                Some(4),
                Some(5),
                "memory+swap limit should be >= memory limit",
            ),
            (Some(-2), Some(5), "invalid memory+swap value: -2"),
            (Some(5), Some(-3), "invalid memory value: -3"),
        ] {
            let error = swap_max(swap, memory).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert_eq!(error.to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn cpu_weight_is_monotonic_and_in_range(shares in 0_u64..300_000) {
            let weight = cpu_weight(shares);
            prop_assert!((1..=10_000).contains(&weight));
            prop_assert!(cpu_weight(shares + 1) >= weight);
        }

        #[test]
        fn io_weight_is_monotonic_and_in_range(weight in 10_u16..1000) {
            prop_assert!((1..=10_000).contains(&io_weight(weight)));
            prop_assert!(io_weight(weight + 1) > io_weight(weight));
        }

        /// The least whole weight that is not below the curve, compared by logarithms.
        #[test]
        fn cpu_weight_follows_its_curve(shares in 3_u32..262_144) {
            const NOISE: f64 = 1e-9;
            let log = f64::from(shares).log2();
            let curve = (log.powi(2) + 125.0 * log) / 612.0 - 7.0 / 34.0;
            let weight = f64::from(u16::try_from(cpu_weight(shares.into())).unwrap());
            prop_assert!(curve <= weight.log10() + NOISE);
            prop_assert!((weight - 1.0).log10() <= curve + NOISE);
        }

        /// The scales' ends lie on each other, and a step of one is 9999/990 of the other.
        #[test]
        fn io_weight_is_proportional(weight in 10_u16..=1000) {
            let (from, to) = (u64::from(weight) - 10, io_weight(weight) - 1);
            prop_assert!(to * 990 <= from * 9_999 && from * 9_999 < (to + 1) * 990);
        }

        #[test]
        fn swap_never_panics_and_adds_up(
            swap in any::<Option<i64>>(),
            memory in any::<Option<i64>>(),
        ) {
            let alone = swap_max(swap, memory);
            if let (Ok(Some(alone)), Some(both), Some(memory)) = (alone, swap, memory)
                && both > 0 && memory > 0
            {
                prop_assert_eq!(alone + memory, both);
            }
        }
    }
}

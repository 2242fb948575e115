use std::ops::{BitOr, BitOrAssign};

/// Controllers to be read by [`Cgroup::stats_of`](crate::Cgroup::stats_of), and those that
/// [`Stats::counted`](super::Stats::counted) names, under the names they have on cgroup v2:
/// `Controllers::CPU | Controllers::MEMORY`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Controllers(u16);

impl Controllers {
    /// [`Stats::cpu`](super::Stats::cpu): `cpu`, and `cpuacct` on cgroup v1.
    pub const CPU: Self = Self(1);
    /// [`Stats::cpuset`](super::Stats::cpuset): `cpuset` (cgroup v1 only).
    pub const CPUSET: Self = Self(1 << 1);
    /// [`Stats::memory`](super::Stats::memory) without `numa`: `memory`.
    pub const MEMORY: Self = Self(1 << 2);
    /// [`Stats::pids`](super::Stats::pids): `pids`.
    pub const PIDS: Self = Self(1 << 3);
    /// [`Stats::blkio`](super::Stats::blkio): `io`, or `blkio` on cgroup v1.
    pub const IO: Self = Self(1 << 4);
    /// [`Stats::hugetlb`](super::Stats::hugetlb): `hugetlb`.
    pub const HUGETLB: Self = Self(1 << 5);
    /// [`Stats::rdma`](super::Stats::rdma): `rdma`.
    pub const RDMA: Self = Self(1 << 6);
    /// [`Stats::misc`](super::Stats::misc): `misc`.
    pub const MISC: Self = Self(1 << 7);
    /// [`Memory::numa`](super::Memory::numa): a table of `memory`, for those who watch memory nodes
    /// (cgroup v1 only).
    pub const NUMA: Self = Self(1 << 8);
    /// All of them.
    pub const ALL: Self = Self(u16::MAX);

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether one of `other` is among these.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for Controllers {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Controllers {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

//! Intel RDT through resctrl: cache and bandwidth allocation, monitoring groups.

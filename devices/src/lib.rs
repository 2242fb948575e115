//! Device nodes and device cgroup rules: types, host enumeration, the v1 rule emulator, the eBPF device program.

//! SELinux labels: enabled test, exec, key and mount labels, MCS categories, relabelling.

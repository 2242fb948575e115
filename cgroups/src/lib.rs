//! Control groups v1, hybrid and v2: create, join, limits, statistics, freezer, events, kill, delete.

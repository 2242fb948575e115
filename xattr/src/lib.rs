//! Extended attributes by descriptor or path; nothing is followed by default.

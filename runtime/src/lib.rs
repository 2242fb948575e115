//! A container runtime library and the runc-compatible OCI command line cofferdam.

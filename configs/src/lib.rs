//! OCI runtime-spec 1.3 types, the container configuration, conversion and validation.

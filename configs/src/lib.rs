//! OCI runtime-spec 1.3.0 types, the container configuration kept in `state.json`, conversion and validation.

mod nullable;

pub mod oci;

//! OCI seccomp profiles to BPF: native compiler and libseccomp backend, cache, ENOSYS stub.

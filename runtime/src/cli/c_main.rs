//! The entry point of the programs.

/// Defines the `main` that the C library calls, for a program with `#![no_main]`, as one that
/// enters a command line with the arguments of the process: `c_main!(cofferdam::cli::enter)`.
///
/// A Rust `main` would come after the standard library has looked for its stack in
/// `/proc/self/maps` and installed handlers that tell of an overflow, which takes as long as a
/// short command. Without it, [`std::env::args_os`] knows the arguments only where the C library
/// gives them to initialisers, too: glibc does, musl does not.
#[macro_export]
macro_rules! c_main {
    ($enter:path) => {
        // SAFETY: no other symbol of a program with `#![no_main]` has this name.
        #[unsafe(no_mangle)]
        extern "C" fn main(
            count: ::std::ffi::c_int,
            arguments: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            let count = usize::try_from(count).unwrap_or(0);
            $enter((0..count).map(|index| {
                // SAFETY: the C library passes `count` pointers to strings with a NUL at their end,
                // which live as long as the process.
                let argument = unsafe { ::std::ffi::CStr::from_ptr(*arguments.add(index)) };
                let bytes = argument.to_bytes().to_vec();
                <::std::ffi::OsString as ::std::os::unix::ffi::OsStringExt>::from_vec(bytes)
            }))
        }
    };
}

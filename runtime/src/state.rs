//! What the state root holds of a container: its directory, the files in it, and the lock on it.

pub(crate) mod directory;
pub(crate) mod dump_process;
pub(crate) mod encoded;
pub(crate) mod exec_fifo;
pub(crate) mod file;
pub(crate) mod lock;
pub(crate) mod pid_file;
pub(crate) mod record;
mod scan;

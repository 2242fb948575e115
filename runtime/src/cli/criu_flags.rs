//! The flags that `checkpoint` and `restore` share.

use std::path::PathBuf;

use super::command::Invocation;
use super::failure::Failure;
use super::flag::{Flag, Parsed};
use crate::checkpoint::{CgroupsMode, CriuOptions, PageServer};

pub(crate) const IMAGE_PATH: Flag = Flag::text(
    "image-path",
    "directory of the images of CRIU, default is checkpoint in the current directory",
)
.directory();
pub(crate) const WORK_PATH: Flag = Flag::text(
    "work-path",
    "directory of work files and logs, default is the one of the images",
)
.directory();
pub(crate) const LEAVE_RUNNING: Flag = Flag::switch("leave-running", "keep the container running");
pub(crate) const PAGE_SERVER: Flag = Flag::text("page-server", "ADDRESS:PORT of the page server");
pub(crate) const TCP_ESTABLISHED: Flag =
    Flag::switch("tcp-established", "allow open TCP connections");
pub(crate) const EXT_UNIX_SK: Flag = Flag::switch("ext-unix-sk", "allow external unix sockets");
pub(crate) const SHELL_JOB: Flag = Flag::switch("shell-job", "allow jobs of a shell");
pub(crate) const LAZY_PAGES: Flag =
    Flag::switch("lazy-pages", "take memory pages over when they are needed");
pub(crate) const FILE_LOCKS: Flag = Flag::switch("file-locks", "handle file locks");
pub(crate) const MANAGE_CGROUPS_MODE: Flag = Flag::text(
    "manage-cgroups-mode",
    "how cgroups are handled: soft, full, strict or ignore",
)
.one_of(&["soft", "full", "strict", "ignore"]);
pub(crate) const EMPTY_NS: Flag = Flag::texts(
    "empty-ns",
    "make a namespace without restoring its properties; may be repeated",
)
.one_of(&["network"]);
pub(crate) const AUTO_DEDUP: Flag = Flag::switch("auto-dedup", "do not keep pages twice");

/// What these flags say. Relative paths are relative to the directory of the caller, not to the
/// bundle.
pub(crate) fn options(invocation: &Invocation<'_>) -> Result<CriuOptions, Failure> {
    let parsed = invocation.parsed;
    let path = |flag: &Flag| -> Result<Option<PathBuf>, Failure> {
        let absolute = parsed.text(flag.name).map(std::path::absolute).transpose();
        absolute.map_err(|error| Failure::io(format!("resolve --{}", flag.name), error))
    };
    let images = match path(&IMAGE_PATH)? {
        Some(images) => images,
        None => std::path::absolute("checkpoint")
            .map_err(|error| Failure::io("resolve --image-path", error))?,
    };
    let mode = parsed.string(MANAGE_CGROUPS_MODE.name).unwrap_or_default();
    for namespace in parsed.texts(EMPTY_NS.name) {
        if namespace != "network" {
            let namespace = namespace.to_string_lossy();
            return Err(Failure::new(format!(
                "namespace {namespace:?} is not supported"
            )));
        }
    }
    let switch = |flag: &Flag| parsed.switch(flag.name);
    Ok(CriuOptions {
        work_directory: path(&WORK_PATH)?,
        tcp_established: switch(&TCP_ESTABLISHED),
        external_unix_sockets: switch(&EXT_UNIX_SK),
        shell_job: switch(&SHELL_JOB),
        file_locks: switch(&FILE_LOCKS),
        cgroups: CgroupsMode::from_name(&mode)?,
        auto_dedup: switch(&AUTO_DEDUP),
        lazy_pages: switch(&LAZY_PAGES),
        ..CriuOptions::new(images)
    })
}

/// The page server that [`PAGE_SERVER`] names.
pub(crate) fn page_server(parsed: &Parsed) -> Result<Option<PageServer>, Failure> {
    let typed = parsed.string(PAGE_SERVER.name);
    typed.as_deref().map(address_and_port).transpose()
}

/// The address and port in `ADDRESS:PORT`, or `[ADDRESS]:PORT` for IPv6.
fn address_and_port(text: &str) -> Result<PageServer, Failure> {
    let wrong = || Failure::new("Use --page-server ADDRESS:PORT to specify page server");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = bracketed.unwrap_or(host);
    let ambiguous = bracketed.is_none() && host.contains(':');
    if ambiguous || address.is_empty() || port.is_empty() || address.contains(['[', ']']) {
        return Err(wrong());
    }
    Ok(PageServer {
        address: address.to_owned(),
        port: port
            .parse()
            .map_err(|_| Failure::new("Invalid port number"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_servers_are_an_address_and_a_port() {
        let server = |address: &str, port| PageServer {
            address: address.to_owned(),
            port,
        };
        assert_eq!(
            address_and_port("10.0.0.1:27").unwrap(),
            server("10.0.0.1", 27)
        );
        assert_eq!(address_and_port("[::1]:27").unwrap(), server("::1", 27));
        for text in ["10.0.0.1", ":1", "host:", "::1:27", "[::1]", "[]:1"] {
            assert_eq!(
                address_and_port(text).unwrap_err().message,
                "Use --page-server ADDRESS:PORT to specify page server",
                "{text}"
            );
        }
        for text in ["host:x", "host:-1", "host:65536"] {
            let message = address_and_port(text).unwrap_err().message;
            assert_eq!(message, "Invalid port number", "{text}");
        }
    }
}

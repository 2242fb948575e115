//! Where the state of containers is kept.

use std::env;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::flag::Parsed;

/// The default, as the help shows it.
pub(crate) const SHOWN: &str = "/run/cofferdam";

/// The state root: what `--root` says, else the default of this user. The second value: it was
/// given.
pub(crate) fn choose(program: &str, global: &Parsed) -> Result<(PathBuf, bool), Failure> {
    if global.given("root") {
        let typed = global.text("root").map(PathBuf::from).unwrap_or_default();
        return Ok((explicit(&typed)?, true));
    }
    // A link named like another runtime keeps that runtime's containers apart from ours, and finds
    // them where their readers look for them.
    let name = if program == "runc" {
        "runc"
    } else {
        "cofferdam"
    };
    match env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()) {
        Some(directory) if for_a_user() => {
            Ok((of_user(&PathBuf::from(directory).join(name))?, false))
        }
        _ => Ok((Path::new("/run").join(name), false)),
    }
}

/// A root that was typed: absolute, and not the root of the file system, which `delete` would take
/// apart.
pub(crate) fn explicit(typed: &Path) -> Result<PathBuf, Failure> {
    let refused = || Failure::new("Option --root argument should not be set to /");
    if typed.as_os_str().is_empty() {
        return Err(refused());
    }
    let absolute =
        std::path::absolute(typed).map_err(|error| Failure::io("resolve --root", error))?;
    if is_root(&absolute) || lexically_root(&absolute) {
        return Err(refused());
    }
    Ok(absolute)
}

/// Whether a path leads to the root directory, through whatever links.
fn is_root(path: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
    identity(path).is_some_and(|found| identity(Path::new("/")) == Some(found))
}

/// Whether a path that need not exist leads to `/`, its `..` taken lexically.
fn lexically_root(path: &Path) -> bool {
    let depth = path
        .components()
        .fold(0_usize, |depth, component| match component {
            std::path::Component::Normal(_) => depth + 1,
            std::path::Component::ParentDir => depth.saturating_sub(1),
            _ => depth,
        });
    depth == 0
}

/// Whether the default root is the one below `$XDG_RUNTIME_DIR`: not root, or root only in a user
/// namespace.
fn for_a_user() -> bool {
    if !rustix::process::geteuid().is_root() {
        return true;
    }
    env::var_os("USER").is_none_or(|user| user != "root") && user::running_in_userns()
}

/// Makes the root of a user. The sticky bit keeps the XDG clean-up of old files away from it.
fn of_user(path: &Path) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::io(format!("make the state root {}", path.display()), error);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o1700)).map_err(failed)?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_the_file_system_is_refused_however_it_is_spelled() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        for typed in [
            Path::new(""),
            Path::new("/"),
            Path::new("//"),
            Path::new("/no/such/../.."),
            &link,
        ] {
            let message = explicit(typed).unwrap_err().message;
            assert_eq!(
                message, "Option --root argument should not be set to /",
                "{typed:?}"
            );
        }
    }

    #[test]
    fn a_relative_root_becomes_absolute_and_need_not_exist() {
        let root = explicit(Path::new("no/such/root")).unwrap();
        assert_eq!(root, env::current_dir().unwrap().join("no/such/root"));
    }

    #[test]
    fn the_root_of_a_user_is_private_and_sticky() {
        let directory = tempfile::tempdir().unwrap();
        let path = of_user(&directory.path().join("a/b")).unwrap();
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o7777,
            0o1700
        );
        of_user(&path).unwrap();
    }
}

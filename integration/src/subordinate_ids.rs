//! The ids that `/etc/subuid` and `/etc/subgid` give the user who runs the tests (`subuid(5)`).

use std::fs;

/// A range of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first id.
    pub first: u32,
    /// How many there are.
    pub count: u32,
}

/// The user ids and the group ids that this user may map; the first range of each.
pub fn of_this_user() -> Option<(Range, Range)> {
    let name = name()?;
    Some((range("/etc/subuid", &name)?, range("/etc/subgid", &name)?))
}

/// The name of the user who runs this.
pub fn name() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&uid))?;
    line.split(':').next().map(str::to_owned)
}

fn range(file: &str, name: &str) -> Option<Range> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        Some(Range {
            first: fields.next()?.parse().ok()?,
            count: fields.next()?.parse().ok()?,
        })
    })
}

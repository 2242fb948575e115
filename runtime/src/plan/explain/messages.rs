//! What is in the bytes of a step: messages, structures, masks and programs of the kernel.

use std::fmt::Write as _;

use seccomp::{Action, Architecture, FilterFlags, Program};

use super::{Shown, errno, shown};

/// How many system calls are named that a filter answers in the same way.
const NAMED: usize = 12;

/// The bytes of an operation: a message, a structure, or text.
pub(super) fn bytes(operation: &str, bytes: &[u8]) -> Shown {
    match operation {
        "Netlink" => Shown::Word(netlink(bytes)),
        "Scheduler" => Shown::Word(scheduler(bytes)),
        _ => Shown::Text(shown(bytes)),
    }
}

/// The bytes of a structure at a place, as a number; 0 beyond the end.
fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    let field = bytes.get(at..at + size).unwrap_or_default();
    let mut whole = [0; 8];
    let place = if cfg!(target_endian = "little") {
        whole.get_mut(..field.len())
    } else {
        whole.get_mut(8 - field.len()..)
    };
    if let Some(place) = place {
        place.copy_from_slice(field);
    }
    u64::from_ne_bytes(whole)
}

/// A request of `rtnetlink(7)`: its type, the interface, and what becomes of that.
fn netlink(message: &[u8]) -> String {
    const IFF_UP: u64 = 1;
    let kind = match number(message, 4, 2) {
        16 => "RTM_NEWLINK",
        17 => "RTM_DELLINK",
        18 => "RTM_GETLINK",
        19 => "RTM_SETLINK",
        20 => "RTM_NEWADDR",
        24 => "RTM_NEWROUTE",
        other => return format!("message of type {other}, {} bytes", message.len()),
    };
    if !kind.ends_with("LINK") {
        return format!("{kind}, {} bytes", message.len());
    }
    let (index, flags, change) = (
        number(message, 20, 4),
        number(message, 24, 4),
        number(message, 28, 4),
    );
    // In every network namespace.
    let what = if index == 1 {
        "loopback".to_owned()
    } else {
        format!("interface {index}")
    };
    let becomes = match (change & IFF_UP, flags & IFF_UP) {
        (0, _) => "",
        (_, 0) => " down",
        _ => " up",
    };
    format!("{what}{becomes} ({kind})")
}

/// A `struct sched_attr` of `sched_setattr(2)`.
fn scheduler(attributes: &[u8]) -> String {
    const FLAGS: [&str; 7] = [
        "SCHED_FLAG_RESET_ON_FORK",
        "SCHED_FLAG_RECLAIM",
        "SCHED_FLAG_DL_OVERRUN",
        "SCHED_FLAG_KEEP_POLICY",
        "SCHED_FLAG_KEEP_PARAMS",
        "SCHED_FLAG_UTIL_CLAMP_MIN",
        "SCHED_FLAG_UTIL_CLAMP_MAX",
    ];
    let policy = number(attributes, 4, 4);
    let mut text = match policy {
        0 => "SCHED_OTHER".to_owned(),
        1 => "SCHED_FIFO".to_owned(),
        2 => "SCHED_RR".to_owned(),
        3 => "SCHED_BATCH".to_owned(),
        4 => "SCHED_ISO".to_owned(),
        5 => "SCHED_IDLE".to_owned(),
        6 => "SCHED_DEADLINE".to_owned(),
        other => format!("policy {other}"),
    };
    let flags = number(attributes, 8, 8);
    for (bit, name) in FLAGS.iter().enumerate() {
        if flags >> bit & 1 != 0 {
            let _ = write!(text, " {name}");
        }
    }
    let nice = attributes.get(16..20).and_then(|nice| nice.try_into().ok());
    let nice = i32::from_ne_bytes(nice.unwrap_or_default());
    let _ = write!(text, " nice {nice} priority {}", number(attributes, 20, 4));
    for (name, at) in [("runtime", 24), ("deadline", 32), ("period", 40)] {
        let nanoseconds = number(attributes, at, 8);
        if nanoseconds != 0 {
            let _ = write!(text, " {name} {nanoseconds} ns");
        }
    }
    text
}

/// The bits of a mask as a list, `0-3,7`; each word has so many bits.
pub(super) fn list(words: impl Iterator<Item = u64>, width: usize) -> String {
    let mut text = String::new();
    let mut run: Option<(usize, usize)> = None;
    let set = words
        .enumerate()
        .flat_map(|(at, word)| (0..width).map(move |bit| (at * width + bit, word >> bit & 1 != 0)));
    let mut end = |run: &mut Option<(usize, usize)>| {
        if let Some((first, last)) = run.take() {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = match last - first {
                0 => write!(text, "{comma}{first}"),
                _ => write!(text, "{comma}{first}-{last}"),
            };
        }
    };
    for (number, on) in set {
        match (on, &mut run) {
            (true, Some((_, last))) => *last = number,
            (true, None) => run = Some((number, number)),
            (false, _) => end(&mut run),
        }
    }
    end(&mut run);
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

/// What a filter answers to the system calls of this architecture, with arguments of zero: the most
/// frequent answer first, and the names of the others if they are few.
pub(super) fn filter(bytes: &[u8]) -> String {
    let instructions = format!("{} instructions", bytes.len() / 8);
    let program = Program::from_bytes(bytes.to_vec(), FilterFlags::empty());
    let (Some(native), Ok(program)) = (Architecture::native(), program) else {
        return instructions;
    };
    // Numbers of system calls end below 500 today.
    const NUMBERS: u32 = 1024;
    let mut answers: Vec<(Action, Vec<&str>)> = Vec::new();
    for number in 0..NUMBERS {
        let Some(name) = native.syscall_name(number) else {
            continue;
        };
        let Ok(value) = seccomp::evaluate(&program, native, number, [0; 6]) else {
            return instructions;
        };
        let action = Action::from_return_value(value);
        match answers.iter_mut().find(|(other, _)| *other == action) {
            Some((_, names)) => names.push(name),
            None => answers.push((action, vec![name])),
        }
    }
    answers.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let mut text = format!("{instructions} ({}):", native.short_name());
    for (index, (action, names)) in answers.iter().enumerate() {
        let comma = if index == 0 { "" } else { ";" };
        let _ = write!(text, "{comma} {} for ", named(*action));
        if index > 0 && names.len() <= NAMED {
            text.push_str(&names.join(" "));
        } else {
            let _ = write!(text, "{} system calls", names.len());
        }
    }
    text
}

fn named(action: Action) -> String {
    match action {
        Action::KillProcess => "SCMP_ACT_KILL_PROCESS".to_owned(),
        Action::KillThread => "SCMP_ACT_KILL_THREAD".to_owned(),
        Action::Trap => "SCMP_ACT_TRAP".to_owned(),
        Action::Errno(number) => format!("SCMP_ACT_ERRNO({})", errno(number.into())),
        Action::Notify => "SCMP_ACT_NOTIFY".to_owned(),
        Action::Trace(message) => format!("SCMP_ACT_TRACE({message})"),
        Action::Log => "SCMP_ACT_LOG".to_owned(),
        Action::Allow => "SCMP_ACT_ALLOW".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{allowing, refusing};

    #[test]
    fn a_netlink_request_says_what_becomes_of_which_interface() {
        assert_eq!(
            netlink(&::netlink::encode::loopback_up()),
            "loopback up (RTM_NEWLINK)"
        );
        let third = ::netlink::LinkIndex::new(3).unwrap();
        assert_eq!(
            netlink(&::netlink::encode::link_up(third, 1)),
            "interface 3 up (RTM_NEWLINK)"
        );
        assert_eq!(netlink(&[]), "message of type 0, 0 bytes");
    }

    #[test]
    fn masks_are_lists() {
        for (words, width, text) in [
            (vec![0b1000_1111, 0b1], 8, "0-3,7-8"),
            (vec![0, 0x80], 8, "15"),
            (vec![1, 1], 64, "0,64"),
            (vec![], 8, "none"),
        ] {
            assert_eq!(list(words.into_iter(), width), text);
        }
    }

    #[test]
    fn a_filter_is_told_by_its_answers() {
        let all = filter(&allowing().program);
        assert!(
            all.contains("1 instructions") && all.contains("SCMP_ACT_ALLOW for "),
            "{all}"
        );
        assert!(!all.contains(';'), "{all}");
        let two = [
            (libc::SYS_mount, libc::EPERM),
            (libc::SYS_ptrace, libc::ENOSYS),
        ];
        let some = filter(&refusing(&two).program);
        assert!(some.contains("SCMP_ACT_ERRNO(EPERM) for mount"), "{some}");
        assert!(some.contains("SCMP_ACT_ERRNO(ENOSYS) for ptrace"), "{some}");
        // Not a program that the kernel would load.
        assert_eq!(filter(&[0; 9]), "1 instructions");
    }

    #[test]
    fn a_scheduling_policy_is_read_from_its_structure() {
        let mut attributes = vec![0; 48];
        attributes[4] = 6;
        attributes[8] = 3;
        attributes[16..20].copy_from_slice(&(-5_i32).to_ne_bytes());
        attributes[24..32].copy_from_slice(&1000_u64.to_ne_bytes());
        assert_eq!(
            scheduler(&attributes),
            "SCHED_DEADLINE SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM nice -5 priority 0 runtime 1000 ns"
        );
    }
}

//! Device rules: the program for cgroup v2 answers as the model of `security/device_cgroup.c` does,
//! and transitions on cgroup v1 lead where they are meant to.

use crate::cursor::Cursor;
use devices::{Access, Emulator, Kind, Rule, bpf};

/// Two bytes a rule. Few numbers, so that rules meet; 4 is any.
fn rules(input: &mut Cursor<'_>) -> Vec<Rule> {
    let number = |bits: u8| Some(u32::from(bits % 5)).filter(|number| *number < 4);
    let count = input.byte() % 65;
    let rule = |_| {
        let (what, numbers) = (input.byte(), input.byte());
        Rule {
            kind: match what >> 4 & 3 {
                0 => Kind::All,
                1 => Kind::Block,
                _ => Kind::Char,
            },
            major: number(numbers & 0xf),
            minor: number(numbers >> 4),
            access: Access::from_bits_truncate(what & 7),
            allow: what & 8 != 0,
        }
    };
    (0..count).map(rule).collect()
}

/// The decision of the kernel's code for cgroup v1.
fn model(state: &Emulator, kind: Kind, major: u32, minor: u32, access: Access) -> bool {
    let matches = |rule: &Rule| {
        rule.kind == kind
            && rule.major.is_none_or(|number| number == major)
            && rule.minor.is_none_or(|number| number == minor)
    };
    let mut matching = state.exceptions().filter(matches);
    if state.allows_by_default() {
        !matching.any(|rule| !(rule.access & access).is_empty())
    } else {
        matching.any(|rule| rule.access.contains(access))
    }
}

/// What the kernel stores for a cgroup of version 1, and does when a rule is written: it adds to,
/// or takes from, the exception with exactly these numbers.
#[derive(Debug, PartialEq, Eq)]
struct Cgroup {
    allow: bool,
    exceptions: Vec<(Kind, Option<u32>, Option<u32>, Access)>,
}

impl Cgroup {
    fn of(state: &Emulator) -> Self {
        let mut cgroup = Self {
            allow: state.allows_by_default(),
            exceptions: Vec::new(),
        };
        state.exceptions().for_each(|rule| cgroup.write(&rule));
        cgroup
    }

    fn write(&mut self, rule: &Rule) {
        if rule.kind == Kind::All {
            self.allow = rule.allow;
            self.exceptions.clear();
            return;
        }
        let key = (rule.kind, rule.major, rule.minor);
        let same = |one: &(Kind, Option<u32>, Option<u32>, Access)| (one.0, one.1, one.2) == key;
        let before = self
            .exceptions
            .iter()
            .find(|one| same(one))
            .map_or(Access::NONE, |one| one.3);
        self.exceptions.retain(|one| !same(one));
        let after = if rule.allow == self.allow {
            before - rule.access
        } else {
            before | rule.access
        };
        if !after.is_empty() {
            self.exceptions.push((key.0, key.1, key.2, after));
        }
        self.exceptions
            .sort_by_key(|one| (one.0 == Kind::Char, one.1, one.2));
    }
}

fn answer(program: &[u8], kind: Kind, major: u32, minor: u32, access: Access) -> bool {
    let device = if kind == Kind::Block { 1 } else { 2 };
    let mut context = Vec::new();
    for word in [u32::from(access.bits()) << 16 | device, major, minor] {
        context.extend(word.to_ne_bytes());
    }
    let machine = rbpf::EbpfVmRaw::new(Some(program)).expect("a program the verifier accepts");
    machine.execute_program(&mut context).expect("it ends") == 1
}

fn check_program(state: &Emulator) {
    let program = bpf::assemble(state).expect("a program for a few rules");
    let program: Vec<u8> = program.iter().flat_map(|insn| insn.to_bytes()).collect();
    for kind in [Kind::Block, Kind::Char] {
        for (major, minor) in (0..5).flat_map(|major| (0..5).map(move |minor| (major, minor))) {
            for access in (1..8).map(Access::from_bits_truncate) {
                assert_eq!(
                    answer(&program, kind, major, minor, access),
                    model(state, kind, major, minor, access),
                    "{kind:?} {major}:{minor} {access:?} {state:?}"
                );
            }
        }
    }
}

pub(crate) fn run(input: &[u8]) {
    let mut input = Cursor::new(input);
    let (first, second) = (rules(&mut input), rules(&mut input));
    let list = String::from_utf8_lossy(input.rest());
    if let Ok(state) = Emulator::parse_list(&list) {
        let _transition = state.transition_to(&Emulator::new());
    }
    let (Ok(first), Ok(second)) = (
        Emulator::from_rules(&first),
        Emulator::from_rules(&second),
    ) else {
        return;
    };
    check_program(&first);
    let mut cgroup = Cgroup::of(&first);
    for rule in first.transition_to(&second) {
        cgroup.write(&rule);
    }
    assert_eq!(cgroup, Cgroup::of(&second), "from {first:?}");
}

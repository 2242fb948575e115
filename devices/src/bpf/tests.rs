use proptest::prelude::*;

use super::*;
use crate::arbitrary::any_state;
use crate::{Rule, defaults};

/// One access as the kernel asks the program about it.
#[derive(Debug, Clone, Copy)]
struct Request {
    kind: Kind,
    major: u32,
    minor: u32,
    access: Access,
}

fn run(program: &[Insn], request: Request) -> u64 {
    let bytes: Vec<u8> = program.iter().flat_map(|insn| insn.to_bytes()).collect();
    let device_type = match request.kind {
        Kind::Block => 1,
        Kind::Char => 2,
        Kind::All | Kind::Fifo => unreachable!(),
    };
    let access_type = u32::from(request.access.bits()) << 16 | device_type;
    let mut context = Vec::new();
    for word in [access_type, request.major, request.minor] {
        context.extend(word.to_ne_bytes());
    }
    let machine = rbpf::EbpfVmRaw::new(Some(&bytes)).unwrap();
    machine.execute_program(&mut context).unwrap()
}

/// The decision as `security/device_cgroup.c` takes it.
fn model(state: &Emulator, request: Request) -> bool {
    let matches = |rule: &Rule| {
        rule.kind == request.kind
            && rule.major.is_none_or(|major| major == request.major)
            && rule.minor.is_none_or(|minor| minor == request.minor)
    };
    let mut matching = state.exceptions().filter(matches);
    if state.allows_by_default() {
        !matching.any(|rule| !(rule.access & request.access).is_empty())
    } else {
        matching.any(|rule| rule.access.contains(request.access))
    }
}

fn requests(numbers: &[u32]) -> impl Iterator<Item = Request> + '_ {
    let accesses = (1..8).map(Access::from_bits_truncate);
    accesses.flat_map(move |access| {
        [Kind::Block, Kind::Char].into_iter().flat_map(move |kind| {
            numbers.iter().flat_map(move |&major| {
                numbers.iter().map(move |&minor| Request {
                    kind,
                    major,
                    minor,
                    access,
                })
            })
        })
    })
}

fn check(rules: &[Rule], numbers: &[u32]) {
    let state = Emulator::from_rules(rules).unwrap();
    let program = assemble(&state).unwrap();
    for request in requests(numbers) {
        assert_eq!(
            run(&program, request) == 1,
            model(&state, request),
            "{rules:?} {request:?} {program:?}"
        );
    }
}

fn container_rules() -> Vec<Rule> {
    std::iter::once(Rule::everything(false))
        .chain(defaults::rules())
        .collect()
}

#[test]
fn instruction_layout_is_the_kernels() {
    // r3 = *(u32 *)(r1 + 4)
    let load = Insn::new(LOAD_WORD, 3, 1, 4, 0);
    if cfg!(target_endian = "little") {
        assert_eq!(load.to_bytes(), [0x61, 0x13, 4, 0, 0, 0, 0, 0]);
    } else {
        assert_eq!(load.to_bytes(), [0x61, 0x31, 0, 4, 0, 0, 0, 0]);
    }
    assert_eq!(size_of::<Insn>(), 8);
}

#[test]
fn the_default_list() {
    let rules = container_rules();
    let state = Emulator::from_rules(&rules).unwrap();
    assert_eq!(assemble(&state).unwrap().len(), 21);
    check(
        &rules,
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 136, 200, 259],
    );
}

#[test]
fn a_short_list_is_a_short_program() {
    for (rules, length) in [
        (vec![Rule::everything(true)], 2),
        (vec![Rule::everything(false)], 2),
        // Everything of both types is everything there is.
        (
            vec![
                Rule::allow(Kind::Block, None, None, Access::ALL),
                Rule::allow(Kind::Char, None, None, Access::ALL),
            ],
            2,
        ),
        (vec![Rule::allow(Kind::Char, None, None, Access::ALL)], 6),
    ] {
        let state = Emulator::from_rules(&rules).unwrap();
        assert_eq!(assemble(&state).unwrap().len(), length, "{rules:?}");
        check(&rules, &[0, 1, 2]);
    }
}

#[test]
fn every_shape_of_a_single_rule() {
    let numbers = [None, Some(0), Some(1), Some(7)];
    for kind in [Kind::Block, Kind::Char] {
        for major in numbers {
            for minor in numbers {
                for bits in 0..8 {
                    let access = Access::from_bits_truncate(bits);
                    check(&[Rule::allow(kind, major, minor, access)], &[0, 1, 2, 7]);
                    let deny = Rule::deny(kind, major, minor, access);
                    check(&[Rule::everything(true), deny], &[0, 1, 2, 7]);
                }
            }
        }
    }
}

#[test]
fn two_rules_do_not_add_up() {
    let read = Rule::allow(Kind::Char, Some(1), None, Access::READ);
    let write = Rule::allow(Kind::Char, Some(1), Some(3), Access::WRITE);
    let state = Emulator::from_rules(&[read, write]).unwrap();
    let program = assemble(&state).unwrap();
    let mut request = Request {
        kind: Kind::Char,
        major: 1,
        minor: 3,
        access: Access::READ,
    };
    assert_eq!(run(&program, request), 1);
    request.access = Access::WRITE;
    assert_eq!(run(&program, request), 1);
    request.access = Access::READ | Access::WRITE;
    assert_eq!(run(&program, request), 0);
}

#[test]
fn a_denied_part_denies_the_whole() {
    let rules = [
        Rule::everything(true),
        Rule::deny(Kind::Char, Some(1), Some(3), Access::WRITE),
    ];
    let program = assemble(&Emulator::from_rules(&rules).unwrap()).unwrap();
    let request = Request {
        kind: Kind::Char,
        major: 1,
        minor: 3,
        access: Access::READ | Access::WRITE,
    };
    assert_eq!(run(&program, request), 0);
}

#[test]
fn numbers_beyond_any_device_match_nothing() {
    let rules = [
        Rule::allow(Kind::Char, Some(1 << 31), None, Access::ALL),
        Rule::allow(Kind::Char, Some(i32::MAX as u32), None, Access::ALL),
    ];
    let state = Emulator::from_rules(&rules).unwrap();
    let program = assemble(&state).unwrap();
    let at = |major| Request {
        kind: Kind::Char,
        major,
        minor: 0,
        access: Access::READ,
    };
    assert_eq!(run(&program, at(i32::MAX as u32)), 1);
    assert_eq!(run(&program, at(1)), 0);
}

#[test]
fn too_many_rules_are_refused() {
    let rules: Vec<_> = (0..40_000)
        .map(|minor| Rule::allow(Kind::Char, Some(1), Some(minor), Access::ALL))
        .collect();
    let state = Emulator::from_rules(&rules).unwrap();
    let error = assemble(&state).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRules);
    assert!(assemble(&Emulator::from_rules(&rules[..30_000]).unwrap()).is_ok());
}

/// No jump may leave the program, every instruction is reachable, and the last one ends it.
fn is_well_formed(program: &[Insn]) -> bool {
    let mut reachable = vec![false; program.len()];
    let mut open = vec![0];
    while let Some(place) = open.pop() {
        if std::mem::replace(&mut reachable[place], true) {
            continue;
        }
        let insn = program[place];
        let target = usize::try_from(insn.offset).unwrap();
        match insn.code {
            EXIT => {}
            JUMP => open.push(place + 1 + target),
            LOAD_WORD | MOVE => open.push(place + 1),
            _ => open.extend([place + 1, place + 1 + target]),
        }
    }
    reachable.iter().all(|reached| *reached)
}

proptest! {
    #[test]
    fn programs_decide_as_the_kernel_would(state in any_state()) {
        let program = assemble(&state).unwrap();
        prop_assert!(is_well_formed(&program), "{:?}", program);
        for request in requests(&[0, 1, 2, 3, 4]) {
            prop_assert_eq!(
                run(&program, request) == 1,
                model(&state, request),
                "{:?} {:?}", state, request
            );
        }
    }
}

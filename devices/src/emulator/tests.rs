use proptest::prelude::*;

use super::*;
use crate::arbitrary::any_state;

fn rule(text: &str) -> Rule {
    let (verdict, text) = text.split_at(1);
    let fields: Vec<_> = text.split([' ', ':']).collect();
    let number = |text: &str| (text != "*").then(|| text.parse().unwrap());
    Rule {
        kind: Kind::from_letter(fields[0].parse().unwrap()).unwrap(),
        major: number(fields[1]),
        minor: number(fields[2]),
        access: fields[3].parse().unwrap(),
        allow: verdict == "+",
    }
}

fn state(rules: &[&str]) -> Emulator {
    let rules: Vec<_> = rules.iter().map(|text| rule(text)).collect();
    Emulator::from_rules(&rules).unwrap()
}

fn exceptions(state: &Emulator) -> Vec<String> {
    let sign = |rule: &Rule| if rule.allow { '+' } else { '-' };
    let rules = state.exceptions();
    rules.map(|rule| format!("{}{rule}", sign(&rule))).collect()
}

fn steps(from: &Emulator, to: &Emulator) -> Vec<String> {
    let sign = |rule: &Rule| if rule.allow { '+' } else { '-' };
    let rules = from.transition_to(to);
    rules
        .iter()
        .map(|rule| format!("{}{rule}", sign(rule)))
        .collect()
}

#[test]
fn deny_by_default() {
    let state = state(&["+c 1:3 r", "+c 1:3 w", "+b *:* m", "-c 1:3 r", "-c 9:9 rwm"]);
    assert!(!state.allows_by_default());
    assert_eq!(exceptions(&state), ["+b *:* m", "+c 1:3 w"]);
}

#[test]
fn allow_by_default() {
    let mut state = state(&["+a *:* rwm"]);
    assert!(state.allows_everything());
    for text in ["-c 1:3 rw", "+c 1:3 r", "+c 2:2 rwm"] {
        state.apply(&rule(text)).unwrap();
    }
    assert!(state.allows_by_default() && !state.allows_everything());
    assert_eq!(exceptions(&state), ["-c 1:3 w"]);
}

#[test]
fn a_rule_for_all_resets_whatever_its_numbers() {
    let state = state(&["+c 1:3 rwm", "+a 1:3 r", "-c 5:5 r", "-a 7:* m", "+b 8:0 r"]);
    assert!(!state.allows_by_default());
    assert_eq!(exceptions(&state), ["+b 8:0 r"]);
}

#[test]
fn nothing_left_is_no_exception() {
    let state = state(&["+c 1:3 rw", "-c 1:3 rwm", "+c 1:5 "]);
    assert_eq!(state, Emulator::new());
}

#[test]
fn no_holes_in_wildcards() {
    let mut state = state(&["+c *:* m", "+c 5:* rw"]);
    for (hole, wide) in [
        ("-c 1:3 m", "c *:* m"),
        ("-c 5:1 w", "c 5:* rw"),
        ("-c 5:* m", "c *:* m"),
        ("-c *:2 r", "c 5:* rw"),
    ] {
        let error = state.apply(&rule(hole)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HolePunch);
        assert_eq!(
            error.to_string(),
            format!(
                "requested rule [{}] not supported by devices cgroupv1 (cannot punch hole in \
                 existing wildcard rule [{wide}])",
                &hole[1..]
            )
        );
    }
    // Another type, other access, other numbers: no hole.
    for fine in ["-b 1:3 m", "-c 1:3 rw", "-c 6:1 w"] {
        state.apply(&rule(fine)).unwrap();
    }
    assert_eq!(exceptions(&state), ["+c *:* m", "+c 5:* rw"]);
    state.apply(&rule("-c *:* m")).unwrap();
    assert_eq!(exceptions(&state), ["+c 5:* rw"]);
}

#[test]
fn fifos_have_no_rules() {
    let error = Emulator::new().apply(&rule("+p 0:0 rwm")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidType);
}

#[test]
fn transitions() {
    let none = Emulator::new();
    let all = state(&["+a *:* rwm"]);
    let some = state(&["+c 1:3 rw", "+c 1:5 r"]);
    let other = state(&["+c 1:3 rm", "+b 8:0 r"]);
    assert_eq!(steps(&none, &none), [""; 0]);
    assert_eq!(steps(&some, &some), [""; 0]);
    assert_eq!(
        steps(&some, &other),
        ["-c 1:3 w", "-c 1:5 r", "+b 8:0 r", "+c 1:3 m"]
    );
    assert_eq!(steps(&some, &all), ["+a *:* rwm"]);
    assert_eq!(steps(&all, &some), ["-a *:* rwm", "+c 1:3 rw", "+c 1:5 r"]);
    // What it denies by now cannot be known.
    assert_eq!(steps(&all, &all), ["+a *:* rwm"]);
}

#[test]
fn devices_list() {
    let all = Emulator::parse_list("a *:* rwm\n").unwrap();
    assert!(all.allows_everything());
    let some = Emulator::parse_list("c 1:3 rwm\nb *:* m\nc 136:* rwm\n").unwrap();
    assert_eq!(
        exceptions(&some),
        ["+b *:* m", "+c 1:3 rwm", "+c 136:* rwm"]
    );
    assert_eq!(Emulator::parse_list("").unwrap(), Emulator::new());
    for wrong in [
        "c 1:3",
        "c 1:3 rwm x",
        "c 1 3 4 rwm",
        "p 1:3 rwm",
        "cc 1:3 rwm",
        "c x:3 rwm",
        "c 1:-3 rwm",
        "c 1:3 rwx",
        "\n",
    ] {
        let error = Emulator::parse_list(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidList, "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn a_transition_leads_to_its_target(from in any_state(), to in any_state()) {
        let mut now = from.clone();
        for step in from.transition_to(&to) {
            // The kernel would refuse a hole, but it only looks at exact matches when it takes
            // away.
            let key = (step.kind, step.major, step.minor);
            if step.kind != Kind::All && step.allow == now.allow_by_default {
                let access = now.exceptions.get_mut(&key).unwrap();
                *access = *access - step.access;
                if access.is_empty() {
                    now.exceptions.remove(&key);
                }
            } else {
                now.apply(&step).unwrap();
            }
        }
        prop_assert_eq!(now, to);
    }

    #[test]
    fn nothing_that_stays_is_interrupted(from in any_state(), to in any_state()) {
        prop_assume!(!from.allow_by_default && !to.allow_by_default);
        for step in from.transition_to(&to) {
            let key = (step.kind, step.major, step.minor);
            prop_assert!(step.kind != Kind::All);
            if !step.allow {
                let after = to.exceptions.get(&key).copied().unwrap_or_default();
                prop_assert!((after & step.access).is_empty());
            }
        }
    }

    #[test]
    fn the_kernels_list_reads_back(state in any_state()) {
        let lines: Vec<_> = state.exceptions().map(|rule| rule.to_string()).collect();
        let list = if state.allow_by_default {
            "a *:* rwm\n".to_owned()
        } else {
            lines.join("\n")
        };
        let read = Emulator::parse_list(&list).unwrap();
        prop_assert_eq!(read.allow_by_default, state.allow_by_default);
        if !state.allow_by_default {
            prop_assert_eq!(read, state);
        }
    }

    #[test]
    fn any_list_is_read_or_refused(text in "[abc0-9*: rwm\n]{0,40}") {
        let _ = Emulator::parse_list(&text);
    }
}

//! The states of a container, and what leads from one to another.

use cofferdam::{Container, ErrorKind, Result, Signal, Status};

use crate::bundle::{Bundle, forever, shell};

/// What is done to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Start,
    Pause,
    Resume,
    Kill,
    Exec,
    Destroy,
}

/// What comes of it: a state, the end of the container, or an error that leaves the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Is(Status),
    Gone,
    Refused(ErrorKind),
}

use Outcome::{Gone, Is, Refused};

/// Each state with what every verb makes of it.
const TRANSITIONS: [(Status, [(Verb, Outcome); 6]); 4] = [
    (
        Status::Created,
        [
            (Verb::Start, Is(Status::Running)),
            (Verb::Pause, Is(Status::Paused)),
            (Verb::Resume, Refused(ErrorKind::NotPaused)),
            (Verb::Kill, Is(Status::Stopped)),
            (Verb::Exec, Is(Status::Created)),
            (Verb::Destroy, Gone),
        ],
    ),
    (
        Status::Running,
        [
            (Verb::Start, Refused(ErrorKind::InvalidState)),
            (Verb::Pause, Is(Status::Paused)),
            (Verb::Resume, Refused(ErrorKind::NotPaused)),
            (Verb::Kill, Is(Status::Stopped)),
            (Verb::Exec, Is(Status::Running)),
            (Verb::Destroy, Refused(ErrorKind::StillRunning)),
        ],
    ),
    (
        Status::Paused,
        [
            (Verb::Start, Refused(ErrorKind::InvalidState)),
            (Verb::Pause, Refused(ErrorKind::NotRunning)),
            (Verb::Resume, Is(Status::Running)),
            (Verb::Kill, Is(Status::Stopped)),
            (Verb::Exec, Refused(ErrorKind::Paused)),
            (Verb::Destroy, Refused(ErrorKind::Paused)),
        ],
    ),
    (
        Status::Stopped,
        [
            (Verb::Start, Refused(ErrorKind::InvalidState)),
            (Verb::Pause, Refused(ErrorKind::NotRunning)),
            (Verb::Resume, Refused(ErrorKind::NotPaused)),
            (Verb::Kill, Refused(ErrorKind::NotRunning)),
            (Verb::Exec, Refused(ErrorKind::NotRunning)),
            (Verb::Destroy, Gone),
        ],
    ),
];

impl Verb {
    fn apply(self, container: &Container) -> Result<()> {
        match self {
            Self::Start => container.start(),
            Self::Pause => container.pause(),
            Self::Resume => container.resume(),
            Self::Kill => {
                container.signal(Signal::KILL)?;
                container.wait().map(drop)
            }
            Self::Exec => container.exec(shell("true"))?.wait().map(drop),
            Self::Destroy => container.destroy(),
        }
    }
}

/// A container in this state.
fn in_state(bundle: &Bundle, status: Status) -> Container {
    let container = bundle.create(forever()).unwrap();
    let way: &[Verb] = match status {
        Status::Running => &[Verb::Start],
        Status::Paused => &[Verb::Start, Verb::Pause],
        Status::Stopped => &[Verb::Start, Verb::Kill],
        _ => &[],
    };
    for verb in way {
        verb.apply(&container).unwrap();
    }
    assert_eq!(container.status().unwrap(), status);
    container
}

#[test]
fn every_verb_in_every_state() {
    let mut wrong = Vec::new();
    for (status, verbs) in TRANSITIONS {
        for (verb, wanted) in verbs {
            let Some(bundle) = Bundle::new() else { return };
            let container = in_state(&bundle, status);
            let applied = verb.apply(&container);
            let found = match (applied, container.status()) {
                (Err(error), now) => {
                    assert_eq!(now.unwrap(), status, "{verb:?} was refused");
                    Refused(error.kind())
                }
                (Ok(()), Ok(now)) if container.directory().exists() => Is(now),
                (Ok(()), _) => Gone,
            };
            if found != wanted {
                wrong.push(format!("{status} {verb:?}: {found:?}, not {wanted:?}"));
            }
            bundle.runtime.force_delete(&bundle.id).unwrap();
            bundle.assert_nothing_left();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

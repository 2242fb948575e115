//! What an init stub in the hands of a container says to its supervisor. A real one is started,
//! and killed at its first question; from there on the input speaks on its channel.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nsenter::plan::{HookCommand, Op, Plan, PlanBuilder};
use nsenter::{Deadline, ErrorKind, HookOutcome, ProcessRef, RequestHandler, Spawn, Warnings, pidfd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::cursor::Cursor;

/// Where the stub has its end of the channel: after the standard streams and the plan
/// (`FIRST_DESCRIPTOR` of `nsenter/stub/wire.rs`).
const CHANNEL: u32 = 4;
/// The gate at which the input takes over.
const TAKE_OVER: u32 = 1;
/// Most bytes of a password file (`MAX_HOME_FILE`).
const MOST_HOME: usize = 1 << 20;
/// Most steps that a warning names (`MAX_TOLERATED`).
const MOST_TOLERATED: usize = 32;
const MOST_MESSAGES: usize = 24;
/// Ends what hangs. Nothing takes as long, on a slow machine either.
const LIMIT: Duration = Duration::from_secs(60);

type Answer<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A plan that asks all there is to ask, in an order that is allowed.
fn plan() -> Plan {
    let mut builder = PlanBuilder::new();
    let given = builder.input("a file");
    let asked = builder.slot();
    // A supervisor that is no root could not take its descriptors otherwise.
    builder.push("dumpable", Op::Dumpable(true));
    for (context, op) in [
        ("take over", Op::AskGate(TAKE_OVER)),
        ("gate", Op::AskGate(2)),
        ("maps", Op::AskIdMaps),
        ("not dumpable", Op::Dumpable(false)),
        ("second stage", Op::SecondStage),
        ("send", Op::SendDescriptor { tag: 3, fd: given }),
        ("ask", Op::AskDescriptor { tag: 4, into: asked }),
        ("lend", Op::SendDescriptorAndWait { tag: 5, fd: asked }),
        ("close", Op::Close(asked)),
        ("console", Op::AskConsole(given)),
        (
            "home",
            Op::AskHome {
                path: c"/etc/passwd".to_owned(),
                otherwise: c"/".to_owned(),
            },
        ),
        (
            "hook",
            Op::Hook(HookCommand {
                path: c"/bin/true".to_owned(),
                args: Vec::new(),
                env: None,
                stdin: (Vec::new(), Vec::new()),
                timeout_ms: 10,
            }),
        ),
        ("no new privileges", Op::NoNewPrivileges),
        ("ready", Op::AskReady),
        ("look up", Op::Lookup(vec![c"/bin/true".to_owned()])),
        (
            "filter",
            Op::Seccomp {
                // `SECCOMP_FILTER_FLAG_NEW_LISTENER`
                flags: 8,
                // `ret ALLOW`
                program: vec![6, 0, 0, 0, 0, 0, 0xff, 0x7f],
                listener: true,
            },
        ),
        ("done", Op::CloseControl),
        (
            "execute",
            Op::Exec {
                args: vec![c"true".to_owned()],
                env: Vec::new(),
            },
        ),
    ] {
        builder.push(context, op);
    }
    builder.build().expect("the plan is a valid one")
}

/// Speaks for the stub, and notes what its supervisor is asked to do.
struct Supervisor<'a> {
    plan: &'a Plan,
    input: Cursor<'a>,
    /// What the messages carry. Only while it has a copy a reader at the other end waits.
    carried: BorrowedFd<'a>,
    channel: Option<OwnedFd>,
    /// The last step of the plan that was asked for.
    last: usize,
}

impl Supervisor<'_> {
    /// The step is the next of its kind, and none of before comes back.
    fn asked(&mut self, wanted: impl Fn(&Op) -> bool) {
        let steps = self.plan.steps().iter();
        let step = steps.into_iter().position(|step| wanted(step.op()));
        let step = step.expect("only what is in the plan is asked for");
        assert!(self.last < step, "step {step} after step {}", self.last);
        self.last = step;
    }

    fn take_over(&mut self, process: &ProcessRef<'_>) {
        let channel = pidfd::take_descriptor(process.pidfd(), CHANNEL).expect("the channel");
        pidfd::send_signal(process.pidfd(), libc::SIGKILL).expect("kill");
        let ended = pidfd::wait_timeout(process.pidfd(), Some(LIMIT));
        assert!(ended.expect("the end of the stub"));
        for _ in 0..MOST_MESSAGES {
            if self.input.is_empty() || !self.say(&channel) {
                break;
            }
        }
        self.channel = Some(channel);
    }

    /// Sends one message; `false` if the supervisor has no room for more.
    fn say(&mut self, channel: &OwnedFd) -> bool {
        let input = &mut self.input;
        let kind = u32::from(input.byte());
        let step = match input.byte() {
            u8::MAX => u32::MAX,
            step => step.into(),
        };
        let value = input.pick(&[0, 1, 4, 11, 4095, 4096, 1 << 16, i32::MAX as u32, u32::MAX]);
        let flags = input.byte();
        let length = usize::from(input.u16());
        let content = input.byte();
        let mut payload = input.bytes(content.into()).to_vec();
        payload.resize(payload.len().max(length), b'x');
        // Mostly it says how much follows; now and then something else.
        let claimed = if flags & 0x80 == 0 {
            u32::try_from(payload.len()).expect("a short message")
        } else {
            value
        };
        let words = [kind, step, value, claimed];
        let head: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let head = if flags & 0x40 == 0 { &head[..] } else { &head[..8] };
        let rights = vec![self.carried; usize::from(flags & 7)];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(7))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !rights.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&rights)));
        }
        let pieces = [IoSlice::new(head), IoSlice::new(&payload)];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        sendmsg(channel, &pieces, &mut ancillary, flags).is_ok()
    }
}

impl RequestHandler for Supervisor<'_> {
    fn gate(&mut self, number: u32, process: &ProcessRef<'_>) -> Answer {
        self.asked(|op| *op == Op::AskGate(number));
        if number == TAKE_OVER {
            self.take_over(process);
        }
        Ok(())
    }

    fn id_maps(&mut self, _: &ProcessRef<'_>) -> Answer {
        self.asked(|op| *op == Op::AskIdMaps);
        Ok(())
    }

    fn no_room(&mut self, _: &ProcessRef<'_>, errno: i32) -> Answer {
        self.asked(|op| *op == Op::SecondStage);
        match errno {
            4095 => Err("there is no more".into()),
            _ => Ok(()),
        }
    }

    fn second_stage(&mut self, _: &ProcessRef<'_>) -> Answer {
        panic!("the stub was killed, and has made no process");
    }

    fn keep_descriptor(&mut self, tag: u32, _: OwnedFd) -> Answer {
        self.asked(|op| matches!(op, Op::SendDescriptor { tag: it, .. } if *it == tag));
        Ok(())
    }

    fn provide_descriptor(&mut self, tag: u32) -> Answer<OwnedFd> {
        self.asked(|op| matches!(op, Op::AskDescriptor { tag: it, .. } if *it == tag));
        Ok(self.carried.try_clone_to_owned()?)
    }

    fn use_descriptor(&mut self, tag: u32, _: OwnedFd, _: &ProcessRef<'_>) -> Answer {
        self.asked(|op| matches!(op, Op::SendDescriptorAndWait { tag: it, .. } if *it == tag));
        Ok(())
    }

    fn console(&mut self, _: OwnedFd, _: u32) -> Answer {
        panic!("what is sent is no terminal");
    }

    fn home(&mut self, passwd: &[u8]) -> Answer<Vec<u8>> {
        self.asked(|op| matches!(op, Op::AskHome { .. }));
        assert!(passwd.len() <= MOST_HOME);
        match passwd.first() {
            None => Err("no account is there".into()),
            Some(b'l') => Ok(vec![b'l'; passwd.len() + MOST_HOME]),
            Some(b'n') => Ok(b"/ro\0ot".to_vec()),
            Some(_) => Ok(b"/root".to_vec()),
        }
    }

    fn ready(&mut self, _: &ProcessRef<'_>, warnings: &Warnings) -> Answer {
        self.asked(|op| *op == Op::AskReady);
        assert!(warnings.tolerated().len() <= MOST_TOLERATED);
        Ok(())
    }

    fn hook(&mut self, _: &str, outcome: HookOutcome) -> Answer {
        self.asked(|op| matches!(op, Op::Hook(_)));
        // Most that is kept of the output.
        assert!(outcome.stdout().len() <= 64 << 10 && outcome.stderr().len() <= 64 << 10);
        Ok(())
    }

    fn seccomp_listener(&mut self, _: OwnedFd, _: &ProcessRef<'_>) -> Answer {
        panic!("a process that was killed has no listener");
    }
}

pub(crate) fn run(bytes: &[u8]) {
    let plan = plan();
    let file = std::fs::File::open("/dev/null").expect("/dev/null");
    let (mut left, carried) = std::io::pipe().expect("a pipe");
    let stub = Spawn {
        plan: &plan,
        stdio: [file.as_fd(); 3],
        passed: Vec::new(),
        inputs: vec![(plan.inputs()[0].slot(), file.as_fd())],
        cgroup: None,
    };
    let mut stub = stub.start().expect("the stub starts");
    let mut supervisor = Supervisor {
        plan: &plan,
        input: Cursor::new(bytes),
        carried: carried.as_fd(),
        channel: None,
        last: 0,
    };
    assert_eq!(stub.plan(), &plan);
    let limit = Deadline::without_progress(LIMIT);
    let served = stub.serve(&mut supervisor, limit);
    let again = stub.serve(&mut supervisor, limit).expect_err("it was served");
    assert_eq!(again.kind(), ErrorKind::Protocol);
    match &served {
        Ok(served) => assert!(served.warnings().tolerated().len() <= MOST_TOLERATED),
        Err(error) => {
            let text = format!("{error:#}");
            assert!(!text.is_empty() && text.len() < 4096, "{text:?}");
            assert!(!text.contains('\n'), "{text:?}");
            // Nothing has to be waited for: the stub is dead.
            assert_ne!(error.kind(), ErrorKind::Timeout, "{text}");
        }
    }
    assert!(supervisor.channel.is_some(), "{served:?}");
    let exit = stub.wait().expect("it has ended");
    assert_eq!(stub.wait().expect("it is known"), exit);
    drop(supervisor);
    drop(stub);
    drop(carried);
    // Whatever was sent, received or not, every copy is closed.
    let mut end = Vec::new();
    std::io::Read::read_to_end(&mut left, &mut end).expect("the end of the pipe");
    assert!(end.is_empty());
}

//! A plan for people: each step with its phase, the names of what it is about, and the reason why
//! it is there.
//!
//! What is explained is decoded from the bytes that the stub gets. Nothing of this is on the way of
//! a command that runs something: the code that makes plans does not know of it.

mod messages;
pub(super) mod names;
pub(crate) mod reasons;

use std::collections::BTreeMap;

use configs::Config;
use nsenter::plan::{FieldValue, FsOption, HookCommand, Op, Plan, Slot, Step};

use super::mounts::entry;
use super::steps::clean;
use reasons::{Phase, Reason};

pub(crate) use names::{CAPABILITIES, errno};

/// A plan that is explained.
#[derive(Debug)]
pub(crate) struct Explained {
    /// The namespaces that the supervisor's clone makes, `CLONE_NEW*`.
    pub(crate) clone: Vec<String>,
    /// How many descriptors after the standard streams the program gets.
    pub(crate) passed: u32,
    /// The descriptors that the supervisor gives: slot and what it is.
    pub(crate) inputs: Vec<(String, String)>,
    /// The steps, in their order.
    pub(crate) steps: Vec<ExplainedStep>,
}

/// A step that is explained.
#[derive(Debug)]
pub(crate) struct ExplainedStep {
    /// What it does.
    pub(crate) does: String,
    /// The operation.
    pub(crate) operation: &'static str,
    /// What the operation is given, by name.
    pub(crate) arguments: Vec<(&'static str, Shown)>,
    /// Never [`Phase::Same`].
    pub(crate) phase: Phase,
    /// Why it is there.
    pub(crate) reason: &'static Reason,
    /// The fields of `config.json` that ask for it.
    pub(crate) fields: Vec<String>,
    /// The errnos that are no failure.
    pub(crate) tolerates: Vec<String>,
    /// Where the plan goes on at one of these, if not with the next step.
    pub(crate) otherwise: Option<u32>,
    /// It is taken only after a failure that is tolerated.
    pub(crate) alternative: bool,
}

/// The value of an argument, with names in place of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Bool(bool),
    /// An id or a count.
    Number(u64),
    /// A name, or a few words.
    Word(String),
    /// Names of bits; none of them needs no mention.
    Names(Vec<String>),
    /// Names of capabilities; none of them is worth a mention.
    Set(Vec<String>),
    /// A text of the configuration.
    Text(String),
    Texts(Vec<String>),
    /// A descriptor that is used, `$3`.
    Slot(String),
    /// Where a new one goes.
    NewSlot(String),
}

impl Explained {
    /// Explains a plan of a container with this configuration. `None` if it cannot be decoded,
    /// which does not happen to a plan that was built.
    pub(crate) fn of(plan: &Plan, config: &Config) -> Option<Self> {
        let plan = Plan::from_bytes(plan.as_bytes()).ok()?;
        let mut explainer = Explainer::new(config);
        let mut steps: Vec<_> = plan
            .steps()
            .iter()
            .map(|step| explainer.step(step))
            .collect();
        let mut usual = 0;
        for (index, (step, given)) in steps.iter_mut().zip(plan.steps()).enumerate() {
            step.alternative = index < usual;
            if matches!(given.op(), Op::Jump(_)) && !step.alternative {
                given.op().fields(&mut |_, target| {
                    if let FieldValue::Step(target) = target {
                        usual = usize::try_from(target).unwrap_or(usize::MAX);
                    }
                });
            }
        }
        Some(Self {
            clone: names::namespaces(plan.clone_namespaces()),
            passed: plan.passed(),
            inputs: plan
                .inputs()
                .iter()
                .map(|input| (input.slot().to_string(), input.name().to_owned()))
                .collect(),
            steps,
        })
    }
}

/// Goes through the steps: some are explained by what came before.
struct Explainer<'a> {
    config: &'a Config,
    /// What the descriptions of the steps of each mount begin with.
    mounts: Vec<String>,
    /// The mount that the last step of a mount was of.
    mount: usize,
    /// That mount is attached.
    attached: bool,
    phase: Phase,
    /// Where the mounts that are open are seen in the container.
    points: BTreeMap<String, String>,
}

impl<'a> Explainer<'a> {
    fn new(config: &'a Config) -> Self {
        Self {
            config,
            mounts: config.mounts.iter().map(entry::name).collect(),
            mount: 0,
            attached: false,
            phase: Phase::Process,
            points: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) -> ExplainedStep {
        let (operation, does) = (step.op().name(), step.context());
        let (reason, found) = reasons::of(operation, does);
        if reason.phase != Phase::Same {
            self.phase = reason.phase;
        }
        self.find_mount(does, operation);
        let fields = self.fields(reason, does, found);
        let arguments = self.arguments(step);
        ExplainedStep {
            does: does.to_owned(),
            operation,
            arguments,
            phase: self.phase,
            reason,
            fields,
            tolerates: step
                .tolerated()
                .iter()
                .map(|number| errno(*number))
                .collect(),
            otherwise: step.otherwise(),
            alternative: false,
        }
    }

    /// Notes which mount a step is of: the next one of that name, from the one before on. If that
    /// is attached and another one begins, it is a later one.
    fn find_mount(&mut self, does: &str, operation: &str) {
        let found = |name: &String| does.starts_with(name.as_str());
        let attaches = matches!(operation, "Attach" | "MountOn" | "MountIn");
        let begins = matches!(
            operation,
            "MakePath" | "MakePlainDirectory" | "CloneTree" | "MountOn" | "MountIn" | "Reconfigure"
        );
        let another = self.attached && begins;
        let start = self.mount + usize::from(another);
        let (before, after) = self.mounts.split_at(start.min(self.mounts.len()));
        if let Some(ahead) = after.iter().position(found) {
            self.mount = start + ahead;
        } else if let Some(earlier) = before.iter().rposition(found) {
            self.mount = earlier;
        } else {
            return;
        }
        self.attached = attaches || (self.attached && !another);
    }

    /// The fields of a reason, with the index of the mount.
    fn fields(&self, reason: &Reason, does: &str, found: &str) -> Vec<String> {
        let one = |field: &str| match field {
            "mounts" => match self.mount_index(reason, does, found) {
                Some(index) => format!("mounts[{index}]"),
                None => field.to_owned(),
            },
            _ => field.replacen('*', found, 1),
        };
        let fields = reason.field.split(", ").filter(|field| !field.is_empty());
        fields.map(one).collect()
    }

    fn mount_index(&self, reason: &Reason, does: &str, found: &str) -> Option<usize> {
        if reason.phase == Phase::Mounts {
            return (self.mount < self.mounts.len() && !does.contains("the container's /proc"))
                .then_some(self.mount);
        }
        // At the end, when a mount becomes read-only: the last one there is meant.
        let mounts = self.config.mounts.iter();
        let there = |mount: &configs::config::Mount| {
            entry::inside(&self.config.rootfs, &mount.destination) == found
        };
        mounts.into_iter().rposition(there)
    }

    fn arguments(&mut self, step: &Step) -> Vec<(&'static str, Shown)> {
        let operation = step.op().name();
        let mut arguments: Vec<(&'static str, Shown)> = Vec::new();
        let mut filled = Vec::new();
        step.op().fields(&mut |name, value| {
            if let FieldValue::Fills(slot) = value {
                filled.push(slot.to_string());
            }
            match self.show(operation, name, value) {
                Argument::One(shown) => arguments.push((name, shown)),
                Argument::Item(list, item) => match arguments.last_mut() {
                    Some((last, Shown::Texts(items))) if *last == list => items.push(item),
                    _ => arguments.push((list, Shown::Texts(vec![item]))),
                },
                Argument::Nothing => {}
            }
        });
        for slot in filled {
            match self.point_of(step) {
                Some(point) => self.points.insert(slot, point),
                None => self.points.remove(&slot),
            };
        }
        arguments
    }

    /// Where in the container the mount is seen that a step opens or makes.
    fn point_of(&self, step: &Step) -> Option<String> {
        let root = ["open the root file system", "bind the root file system"];
        if root.contains(&step.context()) {
            return Some("/".to_owned());
        }
        if !step
            .context()
            .starts_with(self.mounts.get(self.mount)?.as_str())
        {
            return None;
        }
        let mount = self.config.mounts.get(self.mount)?;
        Some(entry::inside(&self.config.rootfs, &mount.destination))
    }

    fn show(&self, operation: &str, name: &'static str, value: FieldValue<'_>) -> Argument {
        let one = match value {
            FieldValue::Number(number) | FieldValue::Flags(number) => {
                names::of(operation, name, number)
            }
            FieldValue::Mode(0) if operation == "Open" => return Argument::Nothing,
            FieldValue::Mode(mode) => Shown::Word(names::mode(mode)),
            FieldValue::Device(major, minor) => Shown::Word(format!("{major}:{minor}")),
            FieldValue::Switch(on) => Shown::Bool(on),
            FieldValue::Step(step) => Shown::Number(step.into()),
            FieldValue::Reads(slot) | FieldValue::Empties(slot) => Shown::Slot(slot.to_string()),
            FieldValue::Fills(slot) => Shown::NewSlot(slot.to_string()),
            FieldValue::Word(word) => Shown::Word(word.to_owned()),
            FieldValue::Namespaces(set) => Shown::Names(names::namespaces(set)),
            FieldValue::Text(text) => Shown::Text(shown(text.to_bytes())),
            FieldValue::Texts(texts) => {
                Shown::Texts(texts.iter().map(|text| shown(text.as_bytes())).collect())
            }
            FieldValue::Bytes(bytes) => messages::bytes(operation, bytes),
            FieldValue::Program(bytes) => Shown::Word(messages::filter(bytes)),
            FieldValue::Cpus(mask) => Shown::Word(match mask {
                Some(mask) => messages::list(mask.iter().map(|byte| u64::from(*byte)), 8),
                None => "all".to_owned(),
            }),
            FieldValue::Numbers(numbers) => {
                Shown::Texts(numbers.iter().map(ToString::to_string).collect())
            }
            FieldValue::Nodes(masks) => Shown::Word(messages::list(masks.iter().copied(), 64)),
            FieldValue::Paths(paths) => {
                let path = |(slot, path): &(Slot, std::ffi::CString)| self.path(*slot, path);
                Shown::Texts(paths.iter().map(path).collect())
            }
            FieldValue::Option(option) => return Argument::Item("options", show_option(option)),
            FieldValue::Hook(hook) => return Argument::Item("hooks", show_hook(hook)),
            // A kind of field that this version has no words for.
            other => Shown::Word(format!("{other:?}")),
        };
        Argument::One(one)
    }

    /// A path below a mount, as it is seen in the container.
    fn path(&self, slot: Slot, path: &std::ffi::CStr) -> String {
        let path = shown(path.to_bytes());
        match self.points.get(&slot.to_string()) {
            Some(point) => clean(&format!("{point}/{path}")),
            None => format!("{slot}:{path}"),
        }
    }
}

/// What a field becomes.
enum Argument {
    One(Shown),
    /// An item of the list of this name.
    Item(&'static str, String),
    Nothing,
}

/// Text of the configuration; what is not UTF-8 in it is escaped.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

fn show_option(option: &FsOption) -> String {
    match option {
        FsOption::Flag(key) => shown(key.as_bytes()),
        FsOption::String(key, value) => {
            format!("{}={}", shown(key.as_bytes()), shown(value.as_bytes()))
        }
        FsOption::Descriptor(key, slot) => format!("{}={slot}", shown(key.as_bytes())),
    }
}

/// A hook as a command line, with its bounds; its standard input is the state of the container.
fn show_hook(hook: &HookCommand) -> String {
    let texts = |texts: &[std::ffi::CString]| -> Vec<String> {
        texts.iter().map(|text| shown(text.as_bytes())).collect()
    };
    let mut text = format!(
        "{} args={:?}",
        shown(hook.path.as_bytes()),
        texts(&hook.args)
    );
    match &hook.env {
        Some(env) => text.push_str(&format!(" env={:?}", texts(env))),
        None => text.push_str(" env of the program"),
    }
    match hook.timeout_ms {
        0 => text.push_str(" no timeout"),
        milliseconds => text.push_str(&format!(" timeout={milliseconds}ms")),
    }
    text
}

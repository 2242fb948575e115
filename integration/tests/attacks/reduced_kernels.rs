//! Every recipe of this program once more, on kernels that lack system calls: what is asked for is
//! refused with an error that names what is missing, or it is as safe as ever.
//!
//! A test takes some of them, by `COFFERDAM_ATTACK_SEED` (1 by default, so that a change is what
//! makes a difference; it is printed). `./x attack recipes` takes all of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cofferdam_integration::attack::Choice;
use cofferdam_integration::parallel::in_parallel;
use cofferdam_integration::reduced_kernel::{self, KERNELS, REFUSED, ReducedKernel};
use cofferdam_integration::{Case, Limited, need};
use serde_json::json;

use crate::{mount_table, victim};

/// How many recipes a test takes on each kernel.
const CHOSEN: usize = 2;

/// How long one may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(600);

/// How often races are run here: it is not about them.
const FEW_RACES: &str = "8";

/// What a recipe came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Safe,
    Refused,
    Skipped,
    Fault,
}

fn seed() -> u64 {
    let given = std::env::var("COFFERDAM_ATTACK_SEED").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// This program again, with arguments.
fn this_program(arguments: &[&str]) -> Limited {
    Limited::new(std::env::current_exe().unwrap())
        .args(arguments.iter().copied())
        .timeout(LIMIT)
}

/// The names of all tests but those of this file.
fn recipes() -> Vec<String> {
    let listed = this_program(&["--list", "--format", "terse"]).output().ok();
    let names = listed.lines().into_iter().filter_map(|line| {
        let name = line.strip_suffix(": test")?;
        (!name.starts_with("reduced_kernels::")).then(|| name.to_owned())
    });
    names.collect()
}

/// Runs one on a kernel. What it wrote comes with a fault.
fn judge(recipe: &str, kernel: &ReducedKernel) -> (Verdict, String) {
    let races = std::env::var("COFFERDAM_RACES").unwrap_or_else(|_| FEW_RACES.to_owned());
    let output = this_program(&["--exact", recipe, "--nocapture"])
        .env("COFFERDAM_RACES", races)
        .without_env("COFFERDAM_ALL_RACES")
        .without_env("COFFERDAM_SKIPS")
        .on(kernel)
        .output();
    let text = output.to_string();
    let refusal = text.lines().rev().find_map(|line| {
        let at = line.find(REFUSED)?;
        line.get(at + REFUSED.len()..).map(str::to_owned)
    });
    if output.code == 0 && text.contains("SKIP ") {
        (Verdict::Skipped, String::new())
    } else if output.code == 0 {
        (Verdict::Safe, String::new())
    } else if let Some(refusal) = refusal {
        (Verdict::Refused, refusal)
    } else {
        (Verdict::Fault, text)
    }
}

/// Runs recipes on a kernel, and prints what came of them.
fn on(kernel: &ReducedKernel, recipes: &[&str]) -> Vec<String> {
    let mut counts = BTreeMap::<Verdict, usize>::new();
    let mut faults = Vec::new();
    for recipe in recipes {
        let (verdict, text) = judge(recipe, kernel);
        *counts.entry(verdict).or_default() += 1;
        if verdict == Verdict::Fault {
            println!("without {}: FAULT {recipe}", kernel.name);
            faults.push(format!("without {}: {recipe}: {text}", kernel.name));
        }
    }
    let count = |verdict| counts.get(&verdict).copied().unwrap_or_default();
    println!(
        "without {:<25} {:>4} safe, {:>4} refused, {:>4} skipped, {:>4} faults",
        kernel.name,
        count(Verdict::Safe),
        count(Verdict::Refused),
        count(Verdict::Skipped),
        count(Verdict::Fault),
    );
    faults
}

#[test]
fn a_recipe_is_refused_or_as_safe_on_every_reduced_kernel() {
    need!(Root, Busybox, Cofferdam);
    let all = recipes();
    let everything = std::env::var_os("COFFERDAM_ALL_RECIPES").is_some();
    let mut choice = Choice::new(seed());
    println!("COFFERDAM_ATTACK_SEED={}", seed());
    let chosen = KERNELS.map(|kernel| {
        let mut recipes: Vec<&str> = all.iter().map(String::as_str).collect();
        if !everything {
            recipes = (0..CHOSEN)
                .map(|_| recipes[choice.below(recipes.len())])
                .collect();
        }
        (kernel, recipes)
    });
    // Most of a recipe is waiting.
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    in_parallel(2, || {
        while let Some((kernel, recipes)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = on(kernel, recipes);
            faults.lock().unwrap().extend(found);
        }
        Ok(())
    })
    .unwrap();
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "seed {}: {faults:#?}", seed());
}

/// The kernel that lacks this alone.
fn without(name: &str) -> ReducedKernel {
    *KERNELS.iter().find(|kernel| kernel.name == name).unwrap()
}

#[test]
fn an_error_names_the_call_that_is_missing() {
    need!(Root, Busybox, Cofferdam);
    let case = Case::new();
    for name in ["openat2", "open_tree", "move_mount"] {
        let output = case.command(&["run", &case.id]).on(&without(name)).output();
        let _ = output.failed(1, &format!("Linux 5.10 or newer is needed, and no filter may hide it: there is no {name}: function not implemented"));
        case.nothing_left();
    }
    // Nothing that makes a container needs this, but all that ends one does.
    let run = case
        .command(&["create", &case.id])
        .on(&without("pidfd_open"));
    let _ = run.output().failed(1, "a container could be made, but not ended: Linux 5.10 or newer is needed, and no filter may hide it: there is no pidfd_open");
    case.finish();
}

#[test]
fn what_needs_mount_setattr_is_refused_without_it_and_the_rest_is_done() {
    need!(Root, Busybox, Cofferdam);
    let kernel = without("mount_setattr");
    let mut case = Case::new();
    let source = case.bundle.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let mut mount = victim::bind(&source, "/mnt");
    let original = case.bundle.config["mounts"].clone();
    let ids = json!([{ "containerID": 0, "hostID": 1000, "size": 1 }]);
    for (what, options, ids) in [
        ("set recursive attributes", json!(["rbind", "rro"]), None),
        ("map the ids of a mount", json!(["rbind"]), Some(ids)),
    ] {
        mount["options"] = options;
        if let Some(ids) = ids {
            mount["uidMappings"] = ids.clone();
            mount["gidMappings"] = ids;
        }
        case.bundle.config["mounts"] = original.clone();
        case.bundle.mount(mount.clone());
        let output = case.command(&["run", &case.id]).on(&kernel).output();
        let said =
            format!("{what}, which needs mount_setattr (Linux 5.12): function not implemented");
        let _ = output.failed(1, &said);
        case.nothing_left();
    }
    // A tree of two mounts.
    case.bundle.config["mounts"] = original;
    let mut tree = victim::bind(std::path::Path::new("/dev"), "/mnt");
    tree["options"] = json!(["rbind", "ro", "nosuid", "rshared"]);
    case.bundle.mount(tree);
    case.bundle.script("grep ' /mnt' /proc/self/mountinfo");
    let output = case.command(&["run", &case.id]).on(&kernel).output().ok();
    let mounts = mount_table::parse(&output.stdout);
    assert!(mounts.len() > 1, "/dev has no mounts: {output}");
    assert!(mounts[0].options.starts_with("ro,nosuid"), "{output}");
    for mount in mounts {
        assert!(mount.propagation.starts_with("shared:"), "{mount:?}");
    }
    case.finish();
}

#[test]
fn a_reduced_kernel_lacks_what_it_is_said_to_lack() {
    need!(Root);
    for kernel in &KERNELS {
        let name = "reduced_kernels::what_is_missing_is_missing";
        let output = this_program(&["--exact", name, "--nocapture"]).on(kernel);
        let output = output.output().ok();
        let found = format!("here: {:?}", kernel.name);
        assert!(output.stdout.contains(&found), "{output}");
    }
}

/// Run by the test above; alone it has nothing to show.
#[test]
fn what_is_missing_is_missing() {
    if reduced_kernel::missing().is_empty() {
        println!("only runs inside another test");
        return;
    }
    for kernel in KERNELS.iter().filter(|kernel| kernel.is_here()) {
        println!("here: {:?}", kernel.name);
    }
}

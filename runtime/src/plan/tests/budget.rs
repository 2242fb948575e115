//! What it may take to get from a `config.json` to a plan. The numbers are counts: they are the
//! same on every machine. Who needs more raises them, and says in the commit what for; who needs
//! less lowers them.

use configs::HostInfo;
use configs::oci::Spec;
use configs::specconv::{self, Options};

use super::{Case, hierarchies};
use crate::Process;
use crate::sys::allocations::count;

#[test]
fn from_a_bundle_to_a_plan() {
    let text = serde_json::to_vec(&Spec::example()).unwrap();
    let (spec, reading) = count(|| Spec::from_slice(&text).unwrap());
    let options = Options {
        id: "c1".to_owned(),
        bundle: "/bundle".to_owned(),
        ..Options::default()
    };
    let (converted, converting) =
        count(|| specconv::convert(&spec, &HostInfo::default(), &options).unwrap());
    let mut case = Case::bare();
    case.config = converted.0;
    case.process = Process::from_oci(spec.process.as_ref().unwrap()).unwrap();
    case.view = hierarchies();
    let (built, planning) = count(|| case.init().unwrap());

    let steps = built.plan.steps().len();
    let bytes = built.plan.as_bytes().len();
    let over: Vec<String> = [
        ("allocations to read it", reading, 113),
        ("allocations to convert it", converting, 87),
        ("allocations for the plan", planning, 445),
        ("steps", steps, 151),
        ("bytes of the plan", bytes, 11_671),
    ]
    .into_iter()
    .filter(|(_, count, budget)| count > budget)
    .map(|(what, count, budget)| format!("{what}: {count}, the budget is {budget}"))
    .collect();
    assert!(over.is_empty(), "{}", over.join("; "));
}

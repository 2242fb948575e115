//! The encoded plan: bytes that are accepted can be shown, and mean the same when they are read
//! again.

use nsenter::plan::Plan;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(plan) = Plan::from_bytes(bytes) else {
        return;
    };
    let _shown = plan.to_string();
    let again = Plan::from_bytes(plan.as_bytes()).expect("the same bytes are accepted again");
    assert_eq!(plan.steps(), again.steps());
    assert_eq!(plan.inputs(), again.inputs());
}

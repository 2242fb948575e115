//! Smoke.
use cofferdam_nsenter::{
    Deadline, Spawn,
    plan::{Op, PlanBuilder},
};
use std::ffi::CString;
use std::os::fd::AsFd;
fn c(s: &str) -> CString {
    CString::new(s).unwrap()
}
#[test]
fn smoke() {
    let mut b = PlanBuilder::new();
    b.push("look up", Op::Lookup(vec![c("/bin/true")]));
    b.push("close", Op::CloseControl);
    b.push(
        "exec",
        Op::Exec {
            args: vec![c("true")],
            env: vec![],
        },
    );
    let plan = b.build().unwrap();
    println!("{plan}");
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap();
    for _ in 0..3 {
        let t = std::time::Instant::now();
        let mut init = Spawn {
            plan: &plan,
            stdio: [null.as_fd(); 3],
            passed: vec![],
            inputs: vec![],
            cgroup: None,
        }
        .start()
        .unwrap();
        let a = t.elapsed();
        init.serve(&mut (), Deadline::default()).unwrap();
        let b = t.elapsed();
        println!("{a:?} {b:?} {:?}", init.wait().unwrap());
    }
}

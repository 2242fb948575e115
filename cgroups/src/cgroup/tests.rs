use super::*;
use crate::{CgroupSpec, fake::Fake};

#[test]
#[allow(clippy::print_stderr, reason = "a test that does nothing says so")]
fn systemd_is_refused_where_it_cannot_be() {
    if Path::new("/run/systemd/system").is_dir() {
        eprintln!("skipped: systemd is there");
        return;
    }
    let fake = Fake::v2("", "/");
    let spec = CgroupSpec {
        systemd: true,
        ..CgroupSpec::named("ctr")
    };
    let error = Cgroup::create(&fake.hierarchy(), &spec, &Resources::default()).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Systemd | ErrorKind::Unsupported
    ));
}

#[test]
fn a_cgroup_that_is_not_there() {
    for fake in [Fake::v2("", "/"), Fake::v1("1:devices:/\n")] {
        let cgroup = fake.cgroup("none");
        assert!(!cgroup.exists() && cgroup.dir().is_none());
        assert_eq!(cgroup.all_processes().unwrap(), [0_u32; 0]);
        assert_eq!(cgroup.freezer_state().unwrap(), None);
        assert_eq!(cgroup.kill().unwrap_err().kind(), ErrorKind::NotFound);
        cgroup.delete(Duration::ZERO).unwrap();
        cgroup.check_unused().unwrap();
    }
}

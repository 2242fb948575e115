use super::*;

#[test]
fn intel_rdt() {
    let with_rdt = |rdt: IntelRdt| with(|c| c.intel_rdt = Some(rdt));
    let on = |enabled, cat, mba| HostInfo {
        intel_rdt: IntelRdtSupport { enabled, cat, mba },
        ..host()
    };
    refuses(
        &with_rdt(IntelRdt::default()),
        "intelRdt is specified in config, but Intel RDT is not enabled",
    );
    for class in ["", "/", "a", "a.b"] {
        let config = with_rdt(IntelRdt {
            clos_id: class.into(),
            ..IntelRdt::default()
        });
        assert!(
            validate(&config, &on(true, false, false)).is_ok(),
            "{class}"
        );
    }
    for class in [".", "..", "a/b", "/a", "//"] {
        let config = with_rdt(IntelRdt {
            clos_id: class.into(),
            ..IntelRdt::default()
        });
        refuses_on(
            &config,
            &on(true, true, true),
            &format!("invalid intelRdt.ClosID {class:?}"),
        );
    }
    let l3 = with_rdt(IntelRdt {
        l3_cache_schema: "L3:0=f".into(),
        ..IntelRdt::default()
    });
    refuses_on(
        &l3,
        &on(true, false, true),
        "intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled",
    );
    assert!(validate(&l3, &on(true, true, false)).is_ok());
    let mb = with_rdt(IntelRdt {
        mem_bw_schema: "MB:0=20".into(),
        ..IntelRdt::default()
    });
    refuses_on(
        &mb,
        &on(true, true, false),
        "intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled",
    );
    assert!(validate(&mb, &on(true, false, true)).is_ok());
}

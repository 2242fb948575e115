use super::*;

#[test]
fn needed_controllers() {
    assert!(Resources::default().needed_controllers().is_empty());
    let resources = Resources {
        pids_limit: Some(-1),
        cpu_idle: Some(0),
        ..Resources::default()
    };
    assert_eq!(resources.needed_controllers(), ["pids", "cpu"]);
    assert!(resources.needs_domain_controller());
}

#[cfg(feature = "serde")]
mod json {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_set_is_what_libcontainer_writes() {
        let value = serde_json::to_value(Resources::default()).unwrap();
        for (key, expected) in [
            ("memory", json!(0)),
            ("memory_swap", json!(0)),
            ("cpu_shares", json!(0)),
            ("cpu_rt_quota", json!(0)),
            ("cpuset_cpus", json!("")),
            ("freezer", json!("")),
            ("pids_limit", json!(null)),
            ("memory_swappiness", json!(null)),
            ("cpu_burst", json!(null)),
            ("net_cls_classid_u", json!(0)),
            ("oom_kill_disable", json!(false)),
        ] {
            assert_eq!(value[key], expected, "{key}");
        }
        assert_eq!(
            serde_json::from_value::<Resources>(value).unwrap(),
            Resources::default()
        );
    }

    #[test]
    fn everything_survives() {
        let resources = Resources {
            memory: Some(-1),
            memory_swappiness: Some(0),
            cpu_quota: Some(5),
            cpu_burst: Some(0),
            cpu_rt_runtime: Some(3),
            cpuset_cpus: Some("0-1".into()),
            pids_limit: Some(0),
            blkio_weight_device: vec![WeightDevice {
                major: 8,
                minor: 1,
                weight: 10,
                leaf_weight: 20,
            }],
            freezer: Some(FreezerState::Frozen),
            rdma: BTreeMap::from([(
                "mlx5_0".into(),
                Rdma {
                    hca_handles: Some(0),
                    hca_objects: None,
                },
            )]),
            unified: BTreeMap::from([("memory.max".into(), "1".into())]),
            ..Resources::default()
        };
        let value = serde_json::to_value(&resources).unwrap();
        assert_eq!(value["freezer"], "FROZEN");
        assert_eq!(value["blkio_weight_device"][0]["leafWeight"], 20);
        assert_eq!(value["rdma"]["mlx5_0"], json!({"hca_handles": 0}));
        assert_eq!(
            serde_json::from_value::<Resources>(value).unwrap(),
            resources
        );
    }

    #[test]
    fn null_and_unset_marks() {
        let value = json!({
            "devices": null, "unified": null, "hugetlb_limit": null, "memory": null,
            "memory_swappiness": 18_446_744_073_709_551_615_u64, "freezer": "", "other": 1
        });
        assert_eq!(
            serde_json::from_value::<Resources>(value).unwrap(),
            Resources::default()
        );
        let wrong = json!({"freezer": "MELTED"});
        assert!(serde_json::from_value::<Resources>(wrong).is_err());
    }

    #[test]
    fn statistics_have_the_keys_of_events() {
        let mut stats = crate::Stats::default();
        stats.cpu.usage.total = 5;
        stats
            .blkio
            .io_queued_recursive
            .push(crate::stats::BlkioEntry {
                major: 8,
                minor: 0,
                op: "Read".into(),
                value: 1,
            });
        stats
            .hugetlb
            .insert("2MB".into(), crate::stats::Hugetlb::default());
        let value = serde_json::to_value(&stats).unwrap();
        assert_eq!(
            value,
            json!({
                "cpu": {"usage": {"total": 5, "kernel": 0, "user": 0}, "throttling": {}},
                "cpuset": {
                    "cpu_exclusive": 0, "mem_hardwall": 0, "mem_exclusive": 0,
                    "memory_migrate": 0, "memory_spread_page": 0, "memory_spread_slab": 0,
                    "memory_pressure": 0, "sched_load_balance": 0, "sched_relax_domain_level": 0
                },
                "memory": {
                    "usage": {"limit": 0, "failcnt": 0}, "swap": {"limit": 0, "failcnt": 0},
                    "kernel": {"limit": 0, "failcnt": 0}, "kernelTCP": {"limit": 0, "failcnt": 0}
                },
                "pids": {},
                "blkio": {"ioQueueRecursive": [{"major": 8, "op": "Read", "value": 1}]},
                "hugetlb": {"2MB": {"failcnt": 0}}
            })
        );
    }
}

//! Id-mapped mounts on the kernel. The sources are on tmpfs, which can be mapped from Linux 6.3 on.

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

/// A tmpfs with a file of 3:4, and another one below it with one of 5:6.
fn two_levels(source: &str) -> String {
    format!(
        "mount -t tmpfs -o mode=755 tmpfs {source}; touch {source}/file; chown 3:4 {source}/file; mkdir {source}/sub; \
         mount -t tmpfs -o mode=755 tmpfs {source}/sub; touch {source}/sub/file; chown 5:6 {source}/sub/file"
    )
}

const OWNERS: &str = "stat -c %u:%g /mnt/file /mnt/sub/file";

/// A case whose source is a directory of the bundle.
fn case() -> (Case, String) {
    let case = Case::new();
    let source = case.bundle.path().join("source");
    std::fs::create_dir(&source).unwrap();
    (case, source.to_str().unwrap().to_owned())
}

fn bind(source: &str, options: &Value, maps: Option<u32>) -> Value {
    let mut mount =
        json!({ "destination": "/mnt", "type": "bind", "source": source, "options": options });
    if let Some(first) = maps {
        let map = json!([{ "containerID": 0, "hostID": first, "size": 1000 }]);
        mount["uidMappings"] = map.clone();
        mount["gidMappings"] = map;
    }
    mount
}

#[test]
fn ids_of_the_top_or_of_the_whole_tree_are_mapped() {
    need!(Root, Busybox);
    for (options, owners) in [
        (json!(["rbind", "idmap"]), ["1003:1004", "5:6"]),
        (json!(["rbind"]), ["1003:1004", "5:6"]),
        (json!(["rbind", "ridmap"]), ["1003:1004", "1005:1006"]),
        (
            json!(["rbind", "ridmap", "rprivate", "rro"]),
            ["1003:1004", "1005:1006"],
        ),
    ] {
        let (mut case, source) = case();
        case.bundle.mount(bind(&source, &options, Some(1000)));
        case.bundle.script(OWNERS);
        let output = case.run_after(&two_levels(&source)).ok();
        assert_eq!(output.lines(), owners, "{options}");
        case.finish();
    }
}

#[test]
fn the_mapping_may_be_in_the_option() {
    need!(Root, Busybox);
    let maps = "uids=0-100-4#4-200-4;gids=0-300-10";
    for (option, owners) in [
        ("idmap", ["103:304", "5:6"]),
        ("ridmap", ["103:304", "201:306"]),
    ] {
        let (mut case, source) = case();
        let options = json!(["rbind", format!("{option}={maps}")]);
        case.bundle.mount(bind(&source, &options, None));
        case.bundle.script(OWNERS);
        let output = case.run_after(&two_levels(&source)).ok();
        assert_eq!(output.lines(), owners, "{option}");
        case.finish();
    }
}

/// Without a mapping of its own the mount has that of the container: ids are the same on the file
/// system and inside.
#[test]
fn the_mapping_of_the_container_is_implied() {
    need!(Root, Busybox);
    for (options, owners) in [
        (json!(["rbind", "ridmap"]), ["3:4", "5:6"]),
        (json!(["rbind", "idmap"]), ["3:4", "65534:65534"]),
        // Relative to the container's user namespace: what is 3 on the file system is 13 inside.
        (
            json!(["rbind", "ridmap=uids=@0-10-100;gids=@0-20-100"]),
            ["13:24", "15:26"],
        ),
    ] {
        let (mut case, source) = case();
        case.bundle.user_namespace(100_000, 65_536);
        case.bundle.mount(bind(&source, &options, None));
        case.bundle.script(OWNERS);
        let output = case.run_after(&two_levels(&source)).ok();
        assert_eq!(output.lines(), owners, "{options}");
        case.finish();
    }
}

/// The source is looked up when its turn comes, with the rights of the caller.
#[test]
fn a_source_may_be_out_of_reach_or_made_by_an_earlier_mount() {
    need!(Root, Busybox);
    for user_namespace in [false, true] {
        for mapped in [false, true] {
            let (mut case, source) = case();
            let rootfs = case.bundle.rootfs();
            if user_namespace {
                case.bundle.user_namespace(100_000, 65_536);
            }
            let mut options = vec!["bind"];
            if mapped {
                options.push("idmap");
            }
            let maps = (mapped && !user_namespace).then_some(1000);
            let locked = format!("{source}/locked/inner");
            case.bundle.mount(bind(&locked, &json!(options), maps));
            let mut second = bind(&format!("{}/mnt", rootfs.display()), &json!(["bind"]), None);
            second["destination"] = json!("/again");
            case.bundle.mount(second);
            case.bundle.script("ls /mnt /again");
            let output = case.run_after(&format!(
                "mount -t tmpfs tmpfs {source}; mkdir -p {locked}; touch {locked}/seen; chmod 700 {source}/locked"
            ));
            assert_eq!(output.code, 0, "{user_namespace} {mapped}: {output}");
            assert_eq!(output.stdout.matches("seen").count(), 2, "{output}");
            case.finish();
        }
    }
}

/// Descriptors of sources are closed as soon as they were used.
#[test]
fn many_mounts_need_few_descriptors() {
    need!(Root, Busybox);
    for user_namespace in [false, true] {
        let (mut case, source) = case();
        if user_namespace {
            case.bundle.user_namespace(100_000, 65_536);
        }
        case.bundle.config["process"]["rlimits"] =
            json!([{ "type": "RLIMIT_NOFILE", "hard": 20, "soft": 20 }]);
        for number in 0..40 {
            let maps = (!user_namespace).then_some(1000 + number % 2);
            let mut mount = bind(&source, &json!(["bind", "idmap"]), maps);
            mount["destination"] = json!(format!("/many/{number}"));
            case.bundle.mount(mount);
        }
        case.bundle.script("ls /many/*/file | wc -l");
        let limited = format!("{}; ulimit -n 64", two_levels(&source));
        let output = case.run_after(&limited);
        assert_eq!(output.stdout.trim(), "40", "{output}");
        case.finish();
    }
}

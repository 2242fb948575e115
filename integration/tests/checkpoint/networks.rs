//! Veth pairs that the runtime has made, at checkpoint and restore.

use std::fs;
use std::path::Path;

use cofferdam_integration::library::quiet;
use cofferdam_integration::networks::{self, BRIDGE, HOST_SIDE, configuration, device, ip};
use cofferdam_integration::{Case, eventually, need};
use configs::Config;
use configs::config::{NamespaceType, Route};
use runtime::{CheckpointOptions, Container, ErrorKind, Process, RestoreOptions, Runtime};

use crate::outside::Ended;
use crate::restore::write_empty;
use crate::stand_in::{REFUSE, SUCCEED, StandIn, acknowledged, notify};
use crate::subject::COUNT;

/// The bridge that the host side is a port of.
#[track_caller]
fn bridge_of_host_side() -> Option<String> {
    let shown = device(HOST_SIDE).expect("the host side");
    shown["master"].as_str().map(str::to_owned)
}

#[track_caller]
fn is_connected() {
    let shown = device(HOST_SIDE).expect("the host side");
    assert_eq!(shown["master"], BRIDGE, "{shown}");
    let port = &shown["linkinfo"]["info_slave_data"];
    assert_eq!(port["hairpin"], true, "{shown}");
    let flags = shown["flags"].as_array().unwrap();
    assert!(flags.contains(&"UP".into()), "{shown}");
    assert_eq!(
        (&shown["mtu"], &shown["txqlen"]),
        (&1400.into(), &77.into())
    );
}

fn counter() -> Process {
    let mut process = quiet("/bin/sh");
    process.args(["/bin/sh", "-c", COUNT]);
    process
}

fn case() -> Case {
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    case
}

fn host(case: &Case) -> Runtime {
    Runtime::new(case.root()).unwrap()
}

/// Shows the state of the host side, in a file of this name.
fn show(name: &str) -> String {
    format!("PATH=$PATH:/usr/sbin ip -o link show {HOST_SIDE} >\"$here/reply.{name}\"\n")
}

/// A dump by a program in the place of CRIU, in which nothing is dumped.
fn stand_in(dump: &str) -> (StandIn, Container) {
    networks::enter();
    let dump = StandIn::of(case(), dump);
    let config = configuration(&dump.case);
    let id = dump.case.id.parse().unwrap();
    let container = host(&dump.case).run(&id, config, counter()).unwrap();
    is_connected();
    (dump, container)
}

fn checkpoint(dump: &StandIn, container: &Container) -> runtime::Result<()> {
    let mut options = CheckpointOptions::new(dump.images());
    options.criu.program = Some(dump.program());
    options.leave_running = true;
    container.checkpoint(options).map(drop)
}

#[test]
fn the_host_side_is_off_its_bridge_while_the_network_is_locked() {
    need!(Root, Busybox, VirtualNetworks);
    let (lock, unlock) = (notify("network-lock"), notify("network-unlock"));
    let (locked, unlocked) = (show("locked"), show("unlocked"));
    let (dump, container) = stand_in(&format!("{lock}{locked}{unlock}{unlocked}{SUCCEED}"));
    checkpoint(&dump, &container).unwrap();
    let shown = |name: &str| String::from_utf8(dump.reply(name)).unwrap();
    let (locked, unlocked) = (shown("locked"), shown("unlocked"));
    assert!(!locked.contains("master"), "{locked}");
    assert!(unlocked.contains("master br0"), "{unlocked}");
    assert!(acknowledged(&dump.reply("network-lock")));
    assert!(acknowledged(&dump.reply("network-unlock")));
    is_connected();
    dump.case.delete();
    assert_eq!(device(HOST_SIDE), None);
}

/// It does not say that the network goes on.
#[test]
fn a_dump_that_dies_with_the_network_locked_connects_it_again() {
    need!(Root, Busybox, VirtualNetworks);
    let (lock, locked) = (notify("network-lock"), show("locked"));
    let (dump, container) = stand_in(&format!("{lock}{locked}kill -9 $$"));
    let error = checkpoint(&dump, &container).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Criu, "{}", error.chain());
    let locked = String::from_utf8(dump.reply("locked")).unwrap();
    assert!(!locked.contains("master"), "{locked}");
    is_connected();
    dump.case.delete();
}

/// Neither it nor CRIU says that the network goes on. The next command that changes what the
/// processes do connects it again.
#[test]
fn a_checkpoint_that_is_killed_with_the_network_locked_is_undone_by_the_next_command() {
    need!(Root, Busybox, VirtualNetworks);
    // CRIU gives up when its caller has gone.
    let gives_up = "mv \"$here/reply.network-lock\" \"$here/locked\"\n\
                    dd bs=65536 count=1 <&3 >/dev/null 2>&1; exit 1";
    let (dump, container) = stand_in(&format!("{}{gives_up}", notify("network-lock")));
    let locked = dump.program().with_file_name("locked");
    let before = dump.case.call(&["resume", &dump.case.id]);
    let _ = before.failed(1, "container not paused");
    for command in ["resume", "pause", "checkpoint"] {
        let mut checkpoint = Ended(dump.command(&[]).spawn(std::process::Stdio::null()));
        eventually("the network is locked", || locked.exists());
        checkpoint.end();
        fs::remove_file(&locked).unwrap();
        assert_eq!(bridge_of_host_side(), None, "{command}");
        match command {
            "checkpoint" => {
                // It fails for another reason, after what was left is undone.
                let refused = dump.command(&["--parent-path", "/x"]).output();
                let _ = refused.failed(1, "--parent-path must be relative");
            }
            command => drop(dump.case.call(&[command, &dump.case.id]).ok()),
        }
        is_connected();
        if command == "pause" {
            let _ = dump.case.call(&["resume", &dump.case.id]).ok();
        }
        // It is done once.
        let again = dump.case.call(&["resume", &dump.case.id]);
        let _ = again.failed(1, "container not paused");
    }
    drop(container);
    dump.case.delete();
}

#[test]
fn a_network_that_cannot_be_locked_refuses_the_dump() {
    need!(Root, Busybox, VirtualNetworks);
    let (mut dump, container) = stand_in(&format!("{}{REFUSE}", notify("network-lock")));
    let _ = ip("link delete cfd0");
    let _ = ip("link add name cfd0 master br0 type veth peer name other");
    dump.case.network_devices_are_others();
    let error = checkpoint(&dump, &container).unwrap_err();
    let text = error.chain();
    let said = "network interface cfd0 is not the container's any more";
    assert!(text.contains(said), "{text}");
    assert!(!acknowledged(&dump.reply("network-lock")));
    // That of others is left as it is.
    assert_eq!(bridge_of_host_side().as_deref(), Some(BRIDGE));
    dump.case.delete();
    assert!(device(HOST_SIDE).is_some());
}

/// Namespaces of which a process of the program in the place of CRIU has one, reported as those of
/// a restored process; then the restore fails.
const SET_UP_AND_REFUSE: &str = r#"
unshare --net sleep 100000 <&- >&- 2>&- 3>&- & pid=$!
while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do :; done
octal() { printf '\\%03o' "$1"; }
number=$(octal $((pid & 127 | 128)))$(octal $((pid >> 7 & 127 | 128)))$(octal $((pid >> 14 & 127)))
printf "\\010\\006\\020\\001\\052\\026\\012\\020setup-namespaces\\020$number" >&3
dd bs=65536 count=1 <&3 2>/dev/null >"$here/reply.setup"
PATH=$PATH:/usr/sbin ip -o link show cfd0 >"$here/reply.outside"
PATH=$PATH:/usr/sbin nsenter --net=/proc/$pid/ns/net ip address >"$here/reply.inside"
kill -9 $pid
printf '\010\002\020\000\070\005' >&3; exit 1
"#;

/// The images of a container of which nothing is restored.
fn fake_images(restore: &StandIn) -> RestoreOptions {
    fs::create_dir(restore.images()).unwrap();
    let streams = r#"["/dev/null","/dev/null","/dev/null"]"#;
    fs::write(restore.images().join("descriptors.json"), streams).unwrap();
    write_empty(&restore.images());
    let mut options = RestoreOptions::new(restore.images());
    options.criu.program = Some(restore.program());
    options
}

/// A restore that fails after its network was made.
#[test]
fn a_failed_restore_leaves_nothing_of_its_network() {
    need!(Root, Busybox, VirtualNetworks);
    networks::enter();
    let restore = StandIn::of(case(), SET_UP_AND_REFUSE);
    let options = fake_images(&restore);
    let id = restore.case.id.parse().unwrap();
    let config = configuration(&restore.case);
    let restored = host(&restore.case).restore(&id, config.clone(), counter(), &options);
    let text = restored.unwrap_err().chain();
    assert!(text.contains("type RESTORE errno 5"), "{text}");
    assert!(acknowledged(&restore.reply("setup")));
    let shown = |name: &str| String::from_utf8(restore.reply(name)).unwrap();
    assert!(
        shown("outside").contains("master br0"),
        "{}",
        shown("outside")
    );
    for text in ["lo: <LOOPBACK,UP", "10.211.3.2/24", "fd21::2/64"] {
        assert!(shown("inside").contains(text), "{}", shown("inside"));
    }
    assert_eq!(device(HOST_SIDE), None);

    // A step of the network that fails is the error.
    let mut wrong = config;
    wrong.networks[1].gateway = "10.99.0.1".to_owned();
    let restored = host(&restore.case).restore(&id, wrong, counter(), &options);
    let text = restored.unwrap_err().chain();
    let said = "error creating network interfaces: networks[1].gateway \"10.99.0.1\"";
    assert!(text.contains(said), "{text}");
    assert!(!acknowledged(&restore.reply("setup")));
    assert_eq!(device(HOST_SIDE), None);
    restore.case.finish();
}

const NO_BRIDGE: &str = "networks[1].bridge \"br9\": find link br9: No such device";

/// What is at the end of the counter's file.
fn count(case: &Case) -> u64 {
    let text = fs::read_to_string(case.bundle.rootfs().join("count")).unwrap_or_default();
    let last = text.lines().last().unwrap_or_default();
    last.parse().unwrap_or(0)
}

#[track_caller]
fn counts(case: &Case) {
    let before = count(case);
    eventually("the program counts", || count(case) > before + 1);
}

/// Runs `ip` in the network of a container.
#[track_caller]
fn ip_inside(case: &Case, words: &[&str]) -> String {
    case.exec(&[&["ip"], words].concat()).ok().stdout
}

/// The settings of the configuration.
#[track_caller]
fn has_its_network(case: &Case) {
    is_connected();
    let addresses = ip_inside(case, &["address"]);
    for text in [
        "lo: <LOOPBACK,UP",
        "10.211.3.2/24",
        "fd21::2/64",
        "02:00:00:00:00:07",
        "mtu 1400",
    ] {
        assert!(addresses.contains(text), "{text}: {addresses}");
    }
    let routes = ip_inside(case, &["route"]);
    assert!(routes.contains("default via 10.211.3.1"), "{routes}");
    networks::reaches_the_host(case);
    let stats = case.call(&["events", "--stats", &case.id]).ok().json();
    assert_eq!(stats["data"]["network_interfaces"][0]["Name"], HOST_SIDE);
}

/// Dumps the container, which ends and is removed.
#[track_caller]
fn dump(case: &Case, container: Container, images: &Path, empty_network: bool) {
    let mut options = CheckpointOptions::new(images);
    options.criu.empty_network = empty_network;
    let dumped = container.checkpoint(options);
    let log = || fs::read_to_string(images.join("dump.log")).unwrap_or_default();
    dumped.unwrap_or_else(|error| panic!("{}\n{}", error.chain(), log()));
    container.destroy().unwrap();
    assert_eq!(device(HOST_SIDE), None);
    case.nothing_left();
}

fn restore(case: &Case, config: Config, images: &Path, empty: bool) -> runtime::Result<Container> {
    let mut options = RestoreOptions::new(images);
    options.criu.empty_network = empty;
    let id = case.id.parse().unwrap();
    host(case).restore(&id, config, counter(), &options)
}

#[track_caller]
fn restored(case: &Case, config: &Config, images: &Path, empty: bool) -> Container {
    let log = || fs::read_to_string(images.join("restore.log")).unwrap_or_default();
    let restored = restore(case, config.clone(), images, empty);
    restored.unwrap_or_else(|error| panic!("{}\n{}", error.chain(), log()))
}

#[test]
fn the_network_of_the_configuration_is_made_again_at_a_restore() {
    need!(Root, Busybox, VirtualNetworks, Checkpoints);
    networks::enter();
    let case = case();
    let mut config = configuration(&case);
    config.routes.push(Route {
        destination: "192.0.2.0/24".to_owned(),
        interface_name: "eth0".to_owned(),
        ..Route::default()
    });
    let images = tempfile::tempdir().unwrap();
    let id = case.id.parse().unwrap();
    let container = host(&case).run(&id, config.clone(), counter()).unwrap();
    counts(&case);
    // A dump that leaves it running.
    let mut options = CheckpointOptions::new(images.path().join("live"));
    options.leave_running = true;
    container.checkpoint(options).unwrap();
    counts(&case);
    has_its_network(&case);

    let images = images.path().join("last");
    dump(&case, container, &images, true);
    let mut wrong = config.clone();
    wrong.networks[1].bridge = "br9".to_owned();
    let refused = restore(&case, wrong, &images, true);
    let text = refused.unwrap_err().chain();
    assert!(text.contains(NO_BRIDGE), "{text}");
    case.nothing_left();
    let container = restored(&case, &config, &images, true);
    counts(&case);
    has_its_network(&case);
    let routes = ip_inside(&case, &["route"]);
    assert!(routes.contains("192.0.2.0/24 dev eth0"), "{routes}");
    drop(container);
    case.delete();
    assert_eq!(device(HOST_SIDE), None);
}

/// CRIU makes the pair, and what the container has done to its network comes back.
#[test]
fn a_network_in_the_images_is_connected_again() {
    need!(Root, Busybox, VirtualNetworks, Checkpoints);
    networks::enter();
    let case = case();
    let config = configuration(&case);
    let images = tempfile::tempdir().unwrap();
    let id = case.id.parse().unwrap();
    let container = host(&case).run(&id, config.clone(), counter()).unwrap();
    counts(&case);
    let holder = format!("/proc/{}/ns/net", case.pid());
    let enter = |words: &str| {
        let line = format!("nsenter --net={holder} ip {words}");
        let words = line.split_whitespace();
        let status = std::process::Command::new("env").args(words).status();
        assert!(status.unwrap().success(), "{line}");
    };
    enter("address add 10.211.3.77/24 dev eth0");
    enter("route add 192.0.2.0/24 via 10.211.3.1");
    dump(&case, container, images.path(), false);
    let mut wrong = config.clone();
    wrong.networks[1].bridge = "br9".to_owned();
    let text = restore(&case, wrong, images.path(), false)
        .unwrap_err()
        .chain();
    assert!(text.contains(NO_BRIDGE), "{text}");
    eventually("the pair goes with the namespace", || {
        device(HOST_SIDE).is_none()
    });
    case.nothing_left();

    let container = restored(&case, &config, images.path(), false);
    counts(&case);
    has_its_network(&case);
    let addresses = ip_inside(&case, &["address"]);
    assert!(addresses.contains("10.211.3.77/24"), "{addresses}");
    let routes = ip_inside(&case, &["route"]);
    assert!(routes.contains("192.0.2.0/24 via 10.211.3.1"), "{routes}");
    drop(container);
    case.delete();
    assert_eq!(device(HOST_SIDE), None);
}

/// Nothing of that namespace is in the images, and nothing in it has gone.
#[test]
fn in_a_joined_namespace_the_pair_is_made_again() {
    need!(Root, Busybox, VirtualNetworks, Checkpoints);
    networks::enter();
    let case = case();
    let mut config = configuration(&case);
    let name = format!("cofferdam-{}", case.id);
    let _ = ip(&format!("netns add {name}"));
    let inside = |words: &str| ip(&format!("-n {name} {words}"));
    let _ = inside("link add name theirs type veth peer name other");
    let _ = inside("link set theirs up");
    let path = format!("/run/netns/{name}");
    config.namespaces.set(NamespaceType::Network, path);
    config.routes.push(Route {
        destination: "192.0.2.0/24".to_owned(),
        interface_name: "theirs".to_owned(),
        ..Route::default()
    });
    let before = inside("route");
    let images = tempfile::tempdir().unwrap();
    let id = case.id.parse().unwrap();
    let container = host(&case).run(&id, config.clone(), counter()).unwrap();
    counts(&case);
    dump(&case, container, images.path(), true);
    assert_eq!(inside("route"), before);
    let container = restored(&case, &config, images.path(), true);
    counts(&case);
    is_connected();
    assert!(inside("address").contains("10.211.3.2/24"));
    assert!(inside("route").contains("192.0.2.0/24 dev theirs"));
    drop(container);
    case.delete();
    assert_eq!(device(HOST_SIDE), None);
    assert_eq!(inside("route"), before);
    let _ = ip(&format!("netns delete {name}"));
}

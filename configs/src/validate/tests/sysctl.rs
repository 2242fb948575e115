use super::*;

fn sysctl(name: &str, namespaces: &[NamespaceType]) -> Config {
    let mut config = config(namespaces);
    if namespaces.contains(&NamespaceType::User) {
        user_namespace(&mut config);
    }
    config.sysctl.insert(name.into(), "1".into());
    config
}

#[test]
fn kernel_parameters_of_a_namespace_need_it() {
    use NamespaceType::{Ipc, Network, User, Uts};
    for (name, namespace, text) in [
        (
            "kernel.msgmax",
            Ipc,
            "sysctl \"kernel.msgmax\" is not allowed in the hosts ipc namespace",
        ),
        (
            "kernel.shm_rmid_forced",
            Ipc,
            "sysctl \"kernel.shm_rmid_forced\" is not allowed in the hosts ipc namespace",
        ),
        (
            "kernel/sem",
            Ipc,
            "sysctl \"kernel/sem\" is not allowed in the hosts ipc namespace",
        ),
        (
            "fs.mqueue.msg_max",
            Ipc,
            "sysctl \"fs.mqueue.msg_max\" is not allowed in the hosts ipc namespace",
        ),
        (
            "fs/mqueue/msg_max",
            Ipc,
            "sysctl \"fs/mqueue/msg_max\" is not allowed in the hosts ipc namespace",
        ),
        (
            "net.ipv4.ip_forward",
            Network,
            "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace",
        ),
        (
            "net/ipv4/conf/a.b/x",
            Network,
            "sysctl \"net/ipv4/conf/a.b/x\" not allowed in host network namespace",
        ),
        (
            "net.ipv4.conf.a/b.x",
            Network,
            "sysctl \"net.ipv4.conf.a/b.x\" not allowed in host network namespace",
        ),
        (
            "user.max_pid_namespaces",
            User,
            "setting ucounts without a user namespace not allowed: user.max_pid_namespaces",
        ),
        (
            "kernel.domainname",
            Uts,
            "sysctl \"kernel.domainname\" is not in a separate kernel namespace",
        ),
    ] {
        accepts(&sysctl(name, &[namespace]));
        refuses(&sysctl(name, &[]), text);
    }
}

#[test]
fn other_kernel_parameters_are_refused() {
    for name in [
        "kernel.hostname",
        "kernel.panic",
        "vm.swappiness",
        "fs.file-max",
        "",
        "net",
        "fs.mqueuex.y",
        "net/../kernel/panic",
        "net.ipv4.//.//.kernel.panic",
        "net..x",
        "/net/ipv4/ip_forward",
    ] {
        let everything = [
            NamespaceType::Ipc,
            NamespaceType::Network,
            NamespaceType::User,
        ];
        refuses(
            &sysctl(name, &everything),
            &format!("sysctl {name:?} is not in a separate kernel namespace"),
        );
    }
    refuses(
        &sysctl("kernel.hostname", &[NamespaceType::Uts]),
        "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field",
    );
}

#[test]
fn network_parameters_are_not_set_in_the_hosts_namespace_by_path() {
    let mut config = sysctl("net.ipv4.ip_forward", &[]);
    config
        .namespaces
        .set(NamespaceType::Network, "/run/netns/x");
    let on = |network_namespace| HostInfo {
        network_namespace,
        ..host()
    };
    assert!(validate(&config, &on(NetworkNamespaceFact::Other)).is_ok());
    refuses_on(
        &config,
        &on(NetworkNamespaceFact::Own),
        "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace",
    );
    refuses_on(
        &config,
        &on(NetworkNamespaceFact::Failed("gone".into())),
        "invalid netns path",
    );
    refuses_on(
        &config,
        &on(NetworkNamespaceFact::NotExamined),
        "invalid netns path",
    );
}

#[test]
fn both_ways_to_write_a_kernel_parameter_mean_the_same() {
    for (name, dots, path) in [
        (
            "net.ipv4.conf.eno2/100.x",
            "net.ipv4.conf.eno2/100.x",
            "net/ipv4/conf/eno2.100/x",
        ),
        (
            "net/ipv4/conf/eno2.100/x",
            "net.ipv4.conf.eno2/100.x",
            "net/ipv4/conf/eno2.100/x",
        ),
        ("kernel.sem", "kernel.sem", "kernel/sem"),
    ] {
        assert_eq!(
            (sysctl_with_dots(name).as_str(), sysctl_path(name).as_str()),
            (dots, path)
        );
    }
}

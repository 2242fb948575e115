//! From an older file to an OCI bundle.

mod linux;
mod mounts;
mod resources;

use super::reading::refused;
use super::{Loaded, Warning};
use crate::config::{Command, HookPoint};
use crate::{Result, oci};

/// Makes the `config.json` of a bundle of what was read from an older file.
///
/// `args` is the command, which older files do not have; without any it is that of the file.
/// `user` are the ids to run with. They may be left out where the file asks for root or gives all
/// of them as numbers.
///
/// The way back is [`specconv::convert`](crate::specconv::convert). It adds the devices and device
/// rules that every container of a bundle has.
///
/// # Errors
/// There is no command, or the file has names of users or groups and `user` is missing. What a
/// bundle has no place for is no error, and is named by a [`Warning::NotInOci`]: networks other
/// than the loopback interface, routes, commands around mounts, labels to give to files, the
/// systemd slice, the signal at the end of the parent, and what is given to an OCI runtime as a
/// flag (`--no-pivot`, `--no-new-keyring`).
///
/// ```
/// use cofferdam_configs::legacy::{self, Options};
///
/// let text = br#"{"namespaces": ["NEWNS", "NEWPID"], "user": "root", "environment": ["A=1"]}"#;
/// let options = Options { rootfs: "/srv/web".into(), ..Options::default() };
/// let loaded = legacy::load(text, &options)?;
/// let (spec, warnings) = legacy::to_oci(&loaded, &["/bin/sh".into()], None)?;
/// assert_eq!(spec.root.unwrap().path, "/srv/web");
/// assert_eq!(spec.process.unwrap().args, ["/bin/sh"]);
/// assert_eq!(warnings.len(), 1); // the signal at the end of the parent
/// # Ok::<(), cofferdam_configs::Error>(())
/// ```
pub fn to_oci(
    loaded: &Loaded,
    args: &[String],
    user: Option<&oci::User>,
) -> Result<(oci::Spec, Vec<Warning>)> {
    let mut missing = Missing::default();
    let config = &loaded.config;
    let spec = oci::Spec {
        version: oci::VERSION.to_owned(),
        process: Some(process(loaded, args, user)?),
        root: Some(oci::Root {
            path: config.rootfs.clone(),
            readonly: config.readonlyfs,
        }),
        hostname: config.hostname.clone(),
        domainname: config.domainname.clone(),
        mounts: mounts::convert(config, &mut missing),
        hooks: hooks(loaded, &mut missing),
        annotations: config.annotations(),
        linux: Some(linux::convert(loaded, &mut missing)),
        unknown_keys: Vec::new(),
    };
    without_place(loaded, &mut missing);
    Ok((spec, missing.0))
}

/// What has no place in a bundle.
#[derive(Default)]
struct Missing(Vec<Warning>);

impl Missing {
    fn note(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.0.push(Warning::NotInOci { what });
    }
}

fn process(loaded: &Loaded, args: &[String], user: Option<&oci::User>) -> Result<oci::Process> {
    let config = &loaded.config;
    let args = if args.is_empty() {
        &loaded.process.args
    } else {
        args
    };
    if args.is_empty() {
        return Err(refused("command.args", "there is no command to run"));
    }
    let mut user = match user {
        Some(user) => user.clone(),
        None => numeric_user(loaded)?,
    };
    user.umask = user.umask.or(config.umask);
    let set = |names: &[String]| (!names.is_empty()).then(|| names.to_vec());
    Ok(oci::Process {
        terminal: loaded.process.terminal,
        user,
        args: args.to_vec(),
        env: Some(loaded.process.env.clone()),
        cwd: loaded.process.cwd.clone(),
        capabilities: config
            .capabilities
            .as_ref()
            .map(|sets| oci::LinuxCapabilities {
                bounding: set(&sets.bounding),
                effective: set(&sets.effective),
                inheritable: set(&sets.inheritable),
                permitted: set(&sets.permitted),
                ambient: set(&sets.ambient),
            }),
        rlimits: config
            .rlimits
            .iter()
            .map(|limit| oci::PosixRlimit {
                kind: limit.kind.name().to_owned(),
                hard: limit.hard,
                soft: limit.soft,
            })
            .collect(),
        no_new_privileges: config.no_new_privileges,
        apparmor_profile: config.apparmor_profile.clone(),
        oom_score_adj: config.oom_score_adj,
        scheduler: config.scheduler.clone(),
        selinux_label: config.process_label.clone(),
        io_priority: config.io_priority.clone(),
        exec_cpu_affinity: config.exec_cpu_affinity.as_ref().map(|cpus| {
            let text = |set: &Option<crate::config::CpuSet>| {
                set.as_ref().map(ToString::to_string).unwrap_or_default()
            };
            oci::CpuAffinity {
                initial: text(&cpus.initial),
                final_cpus: text(&cpus.final_cpus),
            }
        }),
        ..oci::Process::default()
    })
}

/// The ids of a user that needs no look-up. One that is a number alone does: its group is in the
/// accounts of the container.
fn numeric_user(loaded: &Loaded) -> Result<oci::User> {
    let text = loaded.process.user.as_str();
    let ids = match text.split_once(':') {
        _ if matches!(text, "" | "root" | "0" | "root:root") => Some((0, 0)),
        Some((uid, gid)) => uid.parse().ok().zip(gid.parse().ok()),
        None => None,
    };
    let (uid, gid) = ids.ok_or_else(|| {
        let message = format!("user {text:?} has to be looked up in the container's accounts");
        refused("user", message)
    })?;
    let mut additional_gids = Vec::new();
    for (index, group) in loaded.process.additional_groups.iter().enumerate() {
        additional_gids.push(group.parse().map_err(|_| {
            let message =
                format!("group {group:?} has to be looked up in the container's accounts");
            refused(format!("additional_groups[{index}]"), message)
        })?);
    }
    Ok(oci::User {
        uid,
        gid,
        additional_gids,
        ..oci::User::default()
    })
}

fn hooks(loaded: &Loaded, missing: &mut Missing) -> Option<oci::Hooks> {
    let hooks = &loaded.config.hooks;
    if hooks.is_empty() {
        return None;
    }
    let mut at = |point: HookPoint| {
        let mut converted = Vec::new();
        for (index, command) in hooks.at(point).iter().enumerate() {
            if !command.dir.is_empty() {
                missing.note(format!("Hooks.{}[{index}].dir", point.name()));
            }
            converted.push(hook(command));
        }
        converted
    };
    Some(oci::Hooks {
        prestart: at(HookPoint::Prestart),
        create_runtime: at(HookPoint::CreateRuntime),
        create_container: at(HookPoint::CreateContainer),
        start_container: at(HookPoint::StartContainer),
        poststart: at(HookPoint::Poststart),
        poststop: at(HookPoint::Poststop),
    })
}

fn hook(command: &Command) -> oci::Hook {
    oci::Hook {
        path: command.path.clone(),
        args: (!command.args.is_empty()).then(|| command.args.clone()),
        env: command.env.clone(),
        // Whole seconds, at least as long as it was.
        timeout: command.timeout.map(|timeout| {
            let seconds = timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0);
            i64::try_from(seconds).unwrap_or(i64::MAX)
        }),
    }
}

/// Names what is left out as a whole.
fn without_place(loaded: &Loaded, missing: &mut Missing) {
    let config = &loaded.config;
    for (index, network) in config.networks.iter().enumerate() {
        if network.kind != "loopback" {
            let (kind, name, bridge) = (&network.kind, &network.name, &network.bridge);
            missing.note(format!(
                "networks[{index}] ({kind} {name} at bridge {bridge})"
            ));
        }
    }
    for index in 0..config.routes.len() {
        missing.note(format!("routes[{index}]"));
    }
    for commands in &loaded.mount_commands {
        let mount = commands.mount;
        for (key, list) in [
            ("premount_cmds", &commands.before),
            ("postmount_cmds", &commands.after),
        ] {
            if !list.is_empty() {
                missing.note(format!("mounts[{mount}].{key}"));
            }
        }
    }
    for relabel in &loaded.relabels {
        missing.note(format!("the label to give to {}", relabel.path));
    }
    if let Some(slice) = &loaded.slice {
        missing.note(format!("cgroups.slice ({slice})"));
    }
    for (what, is_set) in [
        ("parent_death_signal", config.parent_death_signal != 0),
        ("no_pivot_root", config.no_pivot_root),
        ("no_new_keyring", config.no_new_keyring),
    ] {
        if is_set {
            missing.note(what);
        }
    }
}

//! Docker: dockerd over a containerd of its own.

use std::path::PathBuf;
use std::process::Command;

use super::{CgroupParent, Containerd, Daemon, DockerCommandLine, IMAGE, RunBy};
use crate::limited::{ENGINE_TIMEOUT, Limited, Output};
use crate::program;

/// A Docker daemon whose default runtime is the program under test.
#[derive(Debug)]
pub struct Docker {
    socket: PathBuf,
    // Dropped in this order.
    _dockerd: Daemon,
    _cgroups: CgroupParent,
    containerd: Containerd,
}

impl Docker {
    /// Starts the daemon and gives it an image.
    pub fn start() -> Self {
        let containerd = Containerd::start();
        let directory = containerd.directory();
        let path = |name: &str| directory.join(name);
        let socket = path("docker.sock");
        let cgroups = CgroupParent::new("docker");
        let mut command = Command::new(program::find("dockerd").expect("dockerd"));
        command
            .args([
                "--iptables=false",
                "--ip6tables=false",
                "--bridge=none",
                "--storage-driver=vfs",
                "--default-runtime=tested",
            ])
            .arg(format!("--host=unix://{}", socket.display()))
            .arg(format!(
                "--add-runtime=tested={}",
                program::under_test().display()
            ))
            .arg(format!(
                "--add-runtime=installed={}",
                containerd.installed_runtime().display()
            ))
            .arg(format!("--cgroup-parent={}", cgroups.0))
            .arg("--containerd")
            .arg(containerd.socket())
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("docker.pid"))
            .arg("--config-file")
            .arg(path("no-daemon.json"));
        let asked = socket.clone();
        // Ready is when it answers, not when its socket is there.
        std::fs::write(path("no-daemon.json"), "{}").expect("write a file");
        let dockerd = Daemon::start(&mut command, &path("dockerd.log"), || {
            asked.exists() && client(&asked).args(["info"]).output().code == 0
        });
        let docker = Self {
            socket,
            _dockerd: dockerd,
            _cgroups: cgroups,
            containerd,
        };
        let archive = super::archive(&docker.containerd.rootfs());
        let _ = docker
            .call(&[
                "import",
                archive.to_str().expect("a path of this test"),
                IMAGE,
            ])
            .ok();
        docker
    }
}

impl Docker {
    /// The containerd below it.
    pub fn containerd(&self) -> &Containerd {
        &self.containerd
    }
}

impl DockerCommandLine for Docker {
    fn call(&self, arguments: &[&str]) -> Output {
        client(&self.socket).args(arguments).output()
    }

    fn run_by(&self, runtime: RunBy, arguments: &[&str]) -> Output {
        let name = match runtime {
            RunBy::UnderTest => "tested",
            // Every daemon knows it.
            RunBy::Runc => "runc",
        };
        let flags = ["run", "--network", "none", "--runtime", name];
        self.call(&[&flags, arguments].concat())
    }
}

fn client(socket: &std::path::Path) -> Limited {
    Limited::new("docker")
        .timeout(ENGINE_TIMEOUT)
        .args([format!("--host=unix://{}", socket.display())])
        .without_env("DOCKER_HOST")
}

//! A node of Kubernetes as far as its engine: containerd with its CRI, by which the kubelet would
//! ask for pods.

use std::path::{Path, PathBuf};

use super::{CgroupParent, Containerd, IMAGE, RunBy, image};
use crate::cri::messages as cri;
use crate::cri::{Client, Status};
use crate::{eventually, needs, program};

/// The image of the process that keeps a pod's namespaces.
const PAUSE: &str = "localhost/pause:test";

/// What the documentation gives administrators, and what a test of it therefore uses.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/examples");

/// A containerd that knows the program under test as the runtime of a `RuntimeClass`, by the lines
/// of `packaging/examples`. Its default is Debian's runc.
#[derive(Debug)]
pub struct Node {
    client: Client,
    handler: String,
    // Dropped in this order.
    cgroups: CgroupParent,
    containerd: Containerd,
}

impl Node {
    /// Starts the daemon and gives it images.
    pub fn start() -> Self {
        Self::with(&|_| program::under_test())
    }

    /// The same with the path of a runtime that a test may put there and replace.
    pub fn of_installed_runtime() -> Self {
        Self::with(&|directory| Containerd::installed_runtime_in(directory))
    }

    /// Its directory is known by the time that the path of the runtime is asked for.
    fn with(program: &dyn Fn(&Path) -> PathBuf) -> Self {
        let containerd =
            Containerd::start_with(|directory| configuration(directory, &program(directory)));
        let rootfs = containerd.rootfs();
        // Has no child that would have to be reaped.
        let archive = image::image(&rootfs, &[IMAGE, PAUSE], &["/bin/sleep", "100000"]);
        let archive = archive.to_str().expect("a path of this test");
        let import = ["images", "import", "--snapshotter", "native", archive];
        let _ = containerd.call_in_kubernetes(&import).ok();
        std::fs::create_dir(containerd.directory().join("logs")).expect("mkdir");
        let node = Self {
            client: Client::connect(containerd.socket()),
            handler: handler_of_the_example(),
            cgroups: CgroupParent::new("pods"),
            containerd,
        };
        // What `ctr` has imported reaches the CRI by an event.
        for name in [IMAGE, PAUSE] {
            let image = Some(image_spec(name));
            eventually("the image is there", || {
                let request = cri::ImageStatusRequest {
                    image: image.clone(),
                };
                node.call(&request).image.is_some()
            });
        }
        node
    }

    /// The connection to its CRI.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A call that succeeds.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn call<C: cri::Call>(&self, request: &C) -> C::Answer {
        let answer = self.client.call(request);
        answer.unwrap_or_else(|status| panic!("{}: {status}", C::PATH))
    }

    /// The path of [`Node::of_installed_runtime`].
    pub fn installed_runtime(&self) -> PathBuf {
        self.containerd.installed_runtime()
    }

    /// What the daemon keeps, and where logs of pods are.
    pub fn directory(&self) -> &Path {
        self.containerd.directory()
    }

    /// The cgroup that all pods of this node are in.
    pub fn cgroup(&self) -> &str {
        &self.cgroups.0
    }

    /// The handler by which a pod asks for a runtime.
    pub fn handler(&self, runtime: RunBy) -> &str {
        match runtime {
            RunBy::UnderTest => &self.handler,
            // The default.
            RunBy::Runc => "",
        }
    }

    /// What a pod asks for: the network of the node, and processes that each container has for
    /// itself.
    pub fn pod_config(&self) -> cri::PodSandboxConfig {
        let namespaces = cri::NamespaceOption {
            network: cri::NamespaceMode::Node.into(),
            pid: cri::NamespaceMode::Container.into(),
            ..cri::NamespaceOption::default()
        };
        cri::PodSandboxConfig {
            metadata: Some(cri::PodSandboxMetadata {
                name: "pod".to_owned(),
                uid: "0".to_owned(),
                namespace: "default".to_owned(),
                attempt: 0,
            }),
            log_directory: self.directory().join("logs").display().to_string(),
            linux: Some(cri::LinuxPodSandboxConfig {
                cgroup_parent: self.cgroups.0.clone(),
                security_context: Some(cri::LinuxSandboxSecurityContext {
                    namespace_options: Some(namespaces),
                    ..cri::LinuxSandboxSecurityContext::default()
                }),
                ..cri::LinuxPodSandboxConfig::default()
            }),
            ..cri::PodSandboxConfig::default()
        }
    }

    /// Starts a pod.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn try_pod(&self, handler: &str, config: cri::PodSandboxConfig) -> Result<Pod<'_>, Status> {
        let request = cri::RunPodSandboxRequest {
            config: Some(config.clone()),
            runtime_handler: handler.to_owned(),
        };
        let answer = self.client.call(&request)?;
        Ok(Pod {
            node: self,
            config,
            id: answer.pod_sandbox_id,
        })
    }

    /// Starts a pod of the program under test.
    #[track_caller]
    pub fn pod(&self, config: cri::PodSandboxConfig) -> Pod<'_> {
        let pod = self.try_pod(&self.handler, config);
        pod.unwrap_or_else(|status| panic!("{status}"))
    }
}

/// A pod; removed when dropped.
#[derive(Debug)]
pub struct Pod<'node> {
    node: &'node Node,
    config: cri::PodSandboxConfig,
    id: String,
}

impl<'node> Pod<'node> {
    /// Its id, which is that of its first container for the runtime.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn namespaces(&self) -> Option<&cri::NamespaceOption> {
        let security = self.config.linux.as_ref()?.security_context.as_ref()?;
        security.namespace_options.as_ref()
    }

    /// What the engine says of it.
    #[track_caller]
    pub fn status(&self) -> cri::PodSandboxStatus {
        let pod_sandbox_id = self.id.clone();
        let answer = self
            .node
            .call(&cri::PodSandboxStatusRequest { pod_sandbox_id });
        answer.status.expect("a status")
    }

    /// Makes a container, with the namespaces of the pod's configuration.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn try_create(&self, mut config: cri::ContainerConfig) -> Result<Container<'node>, Status> {
        let linux = config.linux.get_or_insert_default();
        let security = linux.security_context.get_or_insert_default();
        security.namespace_options = self.namespaces().cloned();
        let request = cri::CreateContainerRequest {
            pod_sandbox_id: self.id.clone(),
            config: Some(config),
            sandbox_config: Some(self.config.clone()),
        };
        let answer = self.node.client.call(&request)?;
        Ok(Container {
            node: self.node,
            id: answer.container_id,
        })
    }

    /// Makes a container and starts it.
    #[track_caller]
    pub fn run(&self, config: cri::ContainerConfig) -> Container<'node> {
        let made = self.try_create(config);
        let container = made.unwrap_or_else(|status| panic!("{status}"));
        let started = container.start();
        started.unwrap_or_else(|status| panic!("{status}"));
        container
    }

    /// Ends its processes, and leaves the rest of it.
    #[track_caller]
    pub fn stop(&self) {
        let pod_sandbox_id = self.id.clone();
        let _ = self
            .node
            .call(&cri::StopPodSandboxRequest { pod_sandbox_id });
    }

    /// Ends it and removes it with its containers.
    #[track_caller]
    pub fn remove(self) {
        self.stop();
        let pod_sandbox_id = self.id.clone();
        let _ = self
            .node
            .call(&cri::RemovePodSandboxRequest { pod_sandbox_id });
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        // After a failed test, or of what is removed already: both succeed then, too.
        let pod_sandbox_id = self.id.clone();
        let _ = self.node.client.call(&cri::StopPodSandboxRequest {
            pod_sandbox_id: pod_sandbox_id.clone(),
        });
        let _ = self
            .node
            .client
            .call(&cri::RemovePodSandboxRequest { pod_sandbox_id });
    }
}

/// A container of a pod.
#[derive(Debug)]
pub struct Container<'node> {
    node: &'node Node,
    id: String,
}

impl Container<'_> {
    /// Its id, for the runtime as well.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its cgroup.
    pub fn cgroup(&self) -> String {
        format!("{}/{}", self.node.cgroup(), self.id)
    }

    /// Starts it.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn start(&self) -> Result<(), Status> {
        let container_id = self.id.clone();
        let request = cri::StartContainerRequest { container_id };
        self.node.client.call(&request).map(drop)
    }

    /// What the engine says of it.
    #[track_caller]
    pub fn status(&self) -> cri::ContainerStatus {
        let container_id = self.id.clone();
        let answer = self
            .node
            .call(&cri::ContainerStatusRequest { container_id });
        answer.status.expect("a status")
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&self) -> cri::ContainerStatus {
        eventually("the container ends", || {
            self.status().state() == cri::ContainerState::Exited
        });
        self.status()
    }

    /// Runs a command of a shell in it.
    #[track_caller]
    pub fn exec(&self, script: &str) -> cri::ExecSyncResponse {
        self.node.call(&cri::ExecSyncRequest {
            container_id: self.id.clone(),
            cmd: shell(script),
            timeout: 0,
        })
    }

    /// The same for one that succeeds: what it wrote.
    #[track_caller]
    pub fn shows(&self, script: &str) -> String {
        let answer = self.exec(script);
        let [stdout, stderr] = [&answer.stdout, &answer.stderr].map(|said| text(said));
        assert_eq!((answer.exit_code, stderr.as_str()), (0, ""), "{script}");
        stdout
    }

    /// Ends it, by `SIGKILL` after so many seconds.
    #[track_caller]
    pub fn stop(&self, timeout: i64) {
        let container_id = self.id.clone();
        let request = cri::StopContainerRequest {
            container_id,
            timeout,
        };
        let _ = self.node.call(&request);
    }

    /// Removes it.
    #[track_caller]
    pub fn remove(self) {
        let container_id = self.id;
        let _ = self
            .node
            .call(&cri::RemoveContainerRequest { container_id });
    }
}

/// A container that runs a script of a shell, with the profile of system calls that Kubernetes
/// recommends.
pub fn container_config(name: &str, script: &str) -> cri::ContainerConfig {
    let seccomp = cri::SecurityProfile {
        profile_type: cri::ProfileType::RuntimeDefault.into(),
        ..cri::SecurityProfile::default()
    };
    cri::ContainerConfig {
        metadata: Some(cri::ContainerMetadata {
            name: name.to_owned(),
            attempt: 0,
        }),
        image: Some(image_spec(IMAGE)),
        command: shell(script),
        log_path: format!("{name}.log"),
        linux: Some(cri::LinuxContainerConfig {
            security_context: Some(cri::LinuxContainerSecurityContext {
                seccomp: Some(seccomp),
                ..cri::LinuxContainerSecurityContext::default()
            }),
            ..cri::LinuxContainerConfig::default()
        }),
        ..cri::ContainerConfig::default()
    }
}

/// What was written, as text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).into()
}

fn image_spec(name: &str) -> cri::ImageSpec {
    cri::ImageSpec {
        image: name.to_owned(),
    }
}

fn example(name: &str) -> String {
    let path = PathBuf::from(EXAMPLES).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The handler of the `RuntimeClass`.
fn handler_of_the_example() -> String {
    let class = example("kubernetes-runtimeclass.yaml");
    let handler = class
        .lines()
        .find_map(|line| line.strip_prefix("handler: "));
    handler.expect("a handler").to_owned()
}

/// The lines that an administrator adds, with the program under test, below those that keep this
/// daemon to its directory.
fn configuration(directory: &Path, program: &Path) -> String {
    let path = |name: &str| directory.join(name).display().to_string();
    let networks = directory.join("networks");
    std::fs::create_dir(&networks).expect("mkdir");
    std::fs::write(networks.join("bridge.conflist"), network(directory)).expect("write a file");
    let program = program.to_str().expect("UTF-8");
    let added = example("containerd-config.toml").replace("/usr/bin/cofferdam", program);
    // Its version is that of the file, and comes first there.
    let added = added.replace("\nversion = 2\n", "\n");
    format!(
        r#"
[plugins."io.containerd.internal.v1.opt"]
  path = "{opt}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # The pause process is to be killed last, which takes CAP_SYS_RESOURCE to say.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
{added}"#,
        opt = path("opt"),
        plugins = needs::NETWORK_PLUGINS,
        networks = networks.display(),
    )
}

/// The network of pods: addresses on a bridge.
fn network(directory: &Path) -> String {
    serde_json::json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "pods0",
            "ipam": {
                "type": "host-local",
                "subnet": "10.211.4.0/24",
                "dataDir": directory.join("addresses"),
            },
        }],
    })
    .to_string()
}

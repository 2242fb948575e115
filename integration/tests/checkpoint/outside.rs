//! What containers are connected with: namespaces, servers and programs on the host.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};

use cofferdam_integration::limited::Limited;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace with a loopback device that is up, removed with the value.
pub(crate) struct NetworkNamespace {
    name: String,
}

impl NetworkNamespace {
    /// Makes it. The name is of a container that no other test has.
    pub(crate) fn new(name: &str) -> Self {
        ip(&["netns", "add", name]);
        ip(&["-netns", name, "link", "set", "lo", "up"]);
        let name = name.to_owned();
        Self { name }
    }

    pub(crate) fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }

    /// What a thread that is inside brings about: sockets belong to the namespace that they are
    /// made in.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.path()).unwrap();
        let enter = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).unwrap();
            act()
        };
        std::thread::scope(|scope| scope.spawn(enter).join().unwrap())
    }

    /// A command inside.
    pub(crate) fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .arg(program)
            .stdin(Stdio::piped());
        command
    }
}

impl Drop for NetworkNamespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) {
    let arguments = arguments.iter().copied();
    let _ = Limited::new("ip").args(arguments).output().ok();
}

/// A small file system in memory, unmounted with the value.
pub(crate) struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// Mounts it at this directory, which is made, with room for so many kilobytes.
    pub(crate) fn new(path: &std::path::Path, kilobytes: u32) -> Self {
        std::fs::create_dir_all(path).unwrap();
        let size = format!("size={kilobytes}k");
        let path_text = path.to_str().unwrap();
        let words = ["-t", "tmpfs", "-o", &size, "small", path_text].map(str::to_owned);
        let _ = Limited::new("mount").args(words).output().ok();
        Self(path.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Limited::new("umount").args([&self.0]).output().ok();
    }
}

/// A child that is killed with the value.
pub(crate) struct Ended(pub(crate) Child);

impl Ended {
    pub(crate) fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port of 127.0.0.1 at which nothing listens.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

//! The messages of CRIU's RPC that this crate uses, in protocol buffers version 2.
//!
//! Field numbers and types are those of [`images/rpc.proto`] of CRIU 4.2; a program that does not
//! know a field skips it. What a descriptor's number means: CRIU opens `/proc/PID/fd/NUMBER` of
//! the process that made the socket, so the numbers are those of the calling process, but for
//! [`InheritedDescriptor`].
//!
//! [`images/rpc.proto`]: https://github.com/checkpoint-restore/criu/blob/v4.2/images/rpc.proto

/// Where a page server listens.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PageServer {
    /// Its address.
    #[prost(string, optional, tag = "1")]
    pub address: Option<String>,
    /// Its TCP port.
    #[prost(int32, optional, tag = "2")]
    pub port: Option<i32>,
    /// Its process.
    #[prost(int32, optional, tag = "3")]
    pub pid: Option<i32>,
    /// A connected socket instead of an address.
    #[prost(int32, optional, tag = "4")]
    pub fd: Option<i32>,
}

/// A veth pair that is made again at restore.
#[derive(Clone, PartialEq, prost::Message)]
pub struct VethPair {
    /// The device inside.
    #[prost(string, required, tag = "1")]
    pub if_in: String,
    /// The device outside.
    #[prost(string, required, tag = "2")]
    pub if_out: String,
}

/// A mount that comes from outside.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExternalMount {
    /// At dump the mount point below the root, at restore the key that the dump gave.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// At dump the key to store, at restore the source on the host.
    #[prost(string, required, tag = "2")]
    pub val: String,
}

/// A namespace that is joined at restore instead of made.
#[derive(Clone, PartialEq, prost::Message)]
pub struct JoinNamespace {
    /// Its type: `net`, `mnt`, `pid`, `ipc`, `uts`, `user`, `time`.
    #[prost(string, required, tag = "1")]
    pub ns: String,
    /// Its file.
    #[prost(string, required, tag = "2")]
    pub ns_file: String,
    /// For a user namespace `uid,gid` to become.
    #[prost(string, optional, tag = "3")]
    pub extra_opt: Option<String>,
}

/// A descriptor that takes the place of one that the image names.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InheritedDescriptor {
    /// What it was at the dump, as the link in `/proc/PID/fd` had it: `pipe:[4711]`.
    #[prost(string, required, tag = "1")]
    pub key: String,
    /// The number **in the CRIU process**, which
    /// [`Criu::start`](crate::Criu::start) gives it.
    #[prost(int32, required, tag = "2")]
    pub fd: i32,
}

/// The cgroup that the tree is restored below.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CgroupRoot {
    /// The controllers of the hierarchy; all of them if absent.
    #[prost(string, optional, tag = "1")]
    pub ctrl: Option<String>,
    /// The path from the root of the hierarchy.
    #[prost(string, required, tag = "2")]
    pub path: String,
}

/// What CRIU does with cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum CgroupMode {
    /// They are neither dumped nor restored: processes stay where CRIU is.
    Ignore = 0,
    /// Processes are moved; nothing is made and no limit is written.
    None = 1,
    /// Limits are written to cgroups that exist.
    Props = 2,
    /// Limits are written to those cgroups alone that CRIU makes.
    Soft = 3,
    /// Limits are always written, and cgroups made.
    Full = 4,
    /// No cgroup may exist, and all are made.
    Strict = 5,
    /// The default, which is [`Soft`](Self::Soft).
    Default = 6,
}

/// Options of a dump or a restore. What is absent has CRIU's default.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Options {
    /// Descriptor of the directory with the images.
    #[prost(int32, required, tag = "1")]
    pub images_dir_fd: i32,
    /// The process whose tree is dumped.
    #[prost(int32, optional, tag = "2")]
    pub pid: Option<i32>,
    /// The tree goes on after the dump.
    #[prost(bool, optional, tag = "3")]
    pub leave_running: Option<bool>,
    /// Unix sockets may be connected with processes outside of the tree.
    #[prost(bool, optional, tag = "4")]
    pub ext_unix_sk: Option<bool>,
    /// Established TCP connections are dumped and restored.
    #[prost(bool, optional, tag = "5")]
    pub tcp_established: Option<bool>,
    /// A device file that cannot be opened by its path is looked for by its numbers.
    #[prost(bool, optional, tag = "6")]
    pub evasive_devices: Option<bool>,
    /// The tree may be of a session whose leader is outside.
    #[prost(bool, optional, tag = "7")]
    pub shell_job: Option<bool>,
    /// File locks are dumped and restored.
    #[prost(bool, optional, tag = "8")]
    pub file_locks: Option<bool>,
    /// 0 to 4; 2 is errors and warnings, 4 all.
    #[prost(int32, optional, tag = "9")]
    pub log_level: Option<i32>,
    /// Name of the log file in the work directory.
    #[prost(string, optional, tag = "10")]
    pub log_file: Option<String>,
    /// Pages are sent there instead of stored in the images.
    #[prost(message, optional, tag = "11")]
    pub ps: Option<PageServer>,
    /// [`Notification`](crate::Notification)s are sent.
    #[prost(bool, optional, tag = "12")]
    pub notify_scripts: Option<bool>,
    /// The root file system; at restore a mount point.
    #[prost(string, optional, tag = "13")]
    pub root: Option<String>,
    /// The images of a former dump, relative to the directory of these.
    #[prost(string, optional, tag = "14")]
    pub parent_img: Option<String>,
    /// The kernel keeps track of the pages that change from now on.
    #[prost(bool, optional, tag = "15")]
    pub track_mem: Option<bool>,
    /// Pages that a later dump has as well are taken out of the former.
    #[prost(bool, optional, tag = "16")]
    pub auto_dedup: Option<bool>,
    /// Descriptor of the directory for logs and statistics; the one of the images if absent.
    #[prost(int32, optional, tag = "17")]
    pub work_dir_fd: Option<i32>,
    /// Files that were removed and are open get a name again for the time of the image.
    #[prost(bool, optional, tag = "18")]
    pub link_remap: Option<bool>,
    /// Veth pairs to make at restore.
    #[prost(message, repeated, tag = "19")]
    pub veths: Vec<VethPair>,
    /// Mounts that come from outside.
    #[prost(message, repeated, tag = "23")]
    pub ext_mnt: Vec<ExternalMount>,
    /// Cgroups are dumped and restored.
    #[prost(bool, optional, tag = "24")]
    pub manage_cgroups: Option<bool>,
    /// The cgroups to restore below.
    #[prost(message, repeated, tag = "25")]
    pub cg_root: Vec<CgroupRoot>,
    /// The restored process becomes a child of the calling process.
    #[prost(bool, optional, tag = "26")]
    pub rst_sibling: Option<bool>,
    /// Descriptors that take the places of those in the image.
    #[prost(message, repeated, tag = "27")]
    pub inherit_fd: Vec<InheritedDescriptor>,
    /// What CRIU does with cgroups.
    #[prost(enumeration = "CgroupMode", optional, tag = "34")]
    pub manage_cgroups_mode: Option<i32>,
    /// Things that come from outside, by key: `net[INODE]:NAME`.
    #[prost(string, repeated, tag = "37")]
    pub external: Vec<String>,
    /// `CLONE_NEW*` flags of namespaces that are dumped without what is in them, and made empty.
    #[prost(uint32, optional, tag = "38")]
    pub empty_ns: Option<u32>,
    /// Namespaces that are joined at restore.
    #[prost(message, repeated, tag = "39")]
    pub join_ns: Vec<JoinNamespace>,
    /// Directory of the cgroup that is frozen during the dump instead of each process by itself.
    #[prost(string, optional, tag = "44")]
    pub freeze_cgroup: Option<String>,
    /// TCP connections that are not yet accepted are left out.
    #[prost(bool, optional, tag = "46")]
    pub tcp_skip_in_flight: Option<bool>,
    /// Pages are left behind, and fetched from the page server when the restored tree touches them.
    #[prost(bool, optional, tag = "48")]
    pub lazy_pages: Option<bool>,
    /// Descriptor that gets a NUL byte when the page server listens.
    #[prost(int32, optional, tag = "49")]
    pub status_fd: Option<i32>,
    /// The master of a terminal that the tree does not hold itself is sent with a notification.
    #[prost(bool, optional, tag = "50")]
    pub orphan_pts_master: Option<bool>,
    /// A configuration file of CRIU that overrules these options.
    #[prost(string, optional, tag = "51")]
    pub config_file: Option<String>,
    /// An LSM profile that replaces the one in the image: `apparmor:NAME`, `selinux:LABEL`.
    #[prost(string, optional, tag = "53")]
    pub lsm_profile: Option<String>,
    /// An SELinux context that replaces the one of mounts.
    #[prost(string, optional, tag = "63")]
    pub lsm_mount_context: Option<String>,
}

/// Features that depend on CRIU and on the kernel.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Features {
    /// Soft-dirty bits: needed for pre-dump.
    #[prost(bool, optional, tag = "1")]
    pub mem_track: Option<bool>,
    /// userfaultfd: needed for lazy pages.
    #[prost(bool, optional, tag = "2")]
    pub lazy_pages: Option<bool>,
    /// Pidfds that recognise a process between two dumps.
    #[prost(bool, optional, tag = "3")]
    pub pidfd_store: Option<bool>,
}

/// What is asked for, or answered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum RequestType {
    Empty = 0,
    Dump = 1,
    Restore = 2,
    PreDump = 4,
    Notify = 6,
    FeatureCheck = 9,
    Version = 10,
}

impl RequestType {
    /// The name in `rpc.proto`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Dump => "DUMP",
            Self::Restore => "RESTORE",
            Self::PreDump => "PRE_DUMP",
            Self::Notify => "NOTIFY",
            Self::FeatureCheck => "FEATURE_CHECK",
            Self::Version => "VERSION",
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Request {
    #[prost(enumeration = "RequestType", required, tag = "1")]
    pub(crate) r#type: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) opts: Option<Options>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) notify_success: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) keep_open: Option<bool>,
    #[prost(message, optional, tag = "5")]
    pub(crate) features: Option<Features>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Response {
    #[prost(enumeration = "RequestType", required, tag = "1")]
    pub(crate) r#type: i32,
    #[prost(bool, required, tag = "2")]
    pub(crate) success: bool,
    #[prost(message, optional, tag = "4")]
    pub(crate) restore: Option<Restored>,
    #[prost(message, optional, tag = "5")]
    pub(crate) notify: Option<Notify>,
    #[prost(int32, optional, tag = "7")]
    pub(crate) cr_errno: Option<i32>,
    #[prost(message, optional, tag = "8")]
    pub(crate) features: Option<Features>,
    #[prost(string, optional, tag = "9")]
    pub(crate) cr_errmsg: Option<String>,
    #[prost(message, optional, tag = "10")]
    pub(crate) version: Option<Version>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Restored {
    #[prost(int32, required, tag = "1")]
    pub(crate) pid: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Notify {
    #[prost(string, optional, tag = "1")]
    pub(crate) script: Option<String>,
    #[prost(int32, optional, tag = "2")]
    pub(crate) pid: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Version {
    #[prost(int32, required, tag = "1")]
    pub(crate) major_number: i32,
    #[prost(int32, required, tag = "2")]
    pub(crate) minor_number: i32,
    #[prost(string, optional, tag = "3")]
    pub(crate) gitid: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub(crate) sublevel: Option<i32>,
}

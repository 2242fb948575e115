use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, mkdirat, unlinkat};
use rustix::io::Errno;

use crate::error::{Error, Repr, Result};
use crate::file::Directory;
use crate::root::Root;
use crate::schema::Schema;
use crate::settings::{Settings, check_name};
use crate::stats::Stats;

/// Where the monitoring groups of a class are.
const MONITORING: &str = "mon_groups";

/// The class of service of one container, and its monitoring group if it has one.
#[derive(Debug)]
pub struct Group<'a> {
    root: &'a Root,
    class: Directory,
    monitoring: Option<Directory>,
    container_id: String,
    /// The class is the container's alone, and not one that the settings name.
    own_class: bool,
    created: bool,
}

impl<'a> Group<'a> {
    /// Makes or finds the directories of a container.
    ///
    /// The class is the one that the settings name, or one called like the container. A named class
    /// for which nothing is set must be there already: it would have the whole cache.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for a name that a directory cannot have;
    /// [`Io`](crate::ErrorKind::Io), with `clos dir not accessible (must be pre-created …)`, if
    /// the class should be there; [`Refused`](crate::ErrorKind::Refused) with the kernel's
    /// text, for instance when the processor has no class left.
    pub fn create(root: &'a Root, settings: &Settings, container_id: &str) -> Result<Self> {
        settings.check()?;
        check_name(container_id)?;
        let name = class_name(settings, container_id);
        let must_exist = !settings.clos_id.is_empty() && settings.schemata_text().is_none();
        let created = if must_exist {
            root.directory.raw_open(name).map_err(|errno| {
                Error::from(Repr::NotPreCreated {
                    path: root.directory.join(name),
                    cause: errno.into(),
                })
            })?;
            false
        } else {
            make_directory(root, &root.directory, Path::new(name))?
        };
        let class = root.directory.open(name)?;
        let monitoring = if settings.enable_monitoring {
            let name = Path::new(MONITORING).join(container_id);
            make_directory(root, &class, &name)?;
            Some(class.open(name)?)
        } else {
            None
        };
        Ok(Self {
            root,
            class,
            monitoring,
            container_id: container_id.to_owned(),
            own_class: settings.clos_id.is_empty(),
            created,
        })
    }

    /// Finds the directories of a container that [`Group::create`] made; `None` if its class is
    /// gone.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), [`Io`](crate::ErrorKind::Io).
    pub fn load(root: &'a Root, settings: &Settings, container_id: &str) -> Result<Option<Self>> {
        settings.check()?;
        check_name(container_id)?;
        let absent = |opened: Result<Directory>| match opened {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        };
        let Some(class) = absent(root.directory.open(class_name(settings, container_id)))? else {
            return Ok(None);
        };
        let monitoring = if settings.enable_monitoring {
            absent(class.open(Path::new(MONITORING).join(container_id)))?
        } else {
            None
        };
        Ok(Some(Self {
            root,
            class,
            monitoring,
            container_id: container_id.to_owned(),
            own_class: settings.clos_id.is_empty(),
            created: false,
        }))
    }

    /// The path of the class.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.class.path()
    }

    /// The path of the monitoring group.
    #[must_use]
    pub fn monitoring_path(&self) -> Option<PathBuf> {
        self.monitoring
            .as_ref()
            .map(|group| group.path().to_owned())
    }

    /// Whether the class was made by this value and not found.
    #[must_use]
    pub fn was_created(&self) -> bool {
        self.created
    }

    /// Puts a task, by its number in the caller's pid namespace, into the class and its monitoring
    /// group. Processes that it starts later are in the group from the start.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) with the kernel's text.
    pub fn add(&self, pid: u32) -> Result<()> {
        let text = pid.to_string();
        self.write(&self.class, "tasks", &text)?;
        match &self.monitoring {
            Some(group) => self.write(group, "tasks", &text),
            None => Ok(()),
        }
    }

    /// Writes what the settings ask for, in one call; nothing if they ask for nothing.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused): `intelrdt: unable to write …, last_cmd_status: …`.
    pub fn set(&self, settings: &Settings) -> Result<()> {
        match settings.schemata_text() {
            Some(text) => self.write(&self.class, "schemata", &text),
            None => Ok(()),
        }
    }

    /// The schemata of the class as the kernel has them, for [`Settings::schemata`] to put them
    /// back.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn schemata(&self) -> Result<String> {
        let text = self.class.read("schemata")?;
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        Ok(lines.join("\n"))
    }

    /// The lines of the settings that the class does not fulfil as it is. With a class that others
    /// share, these are what [`Group::set`] would change for them. Lines that are not a [`Schema`]
    /// are left to the kernel.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn differences(&self, settings: &Settings) -> Result<Vec<Schema>> {
        let read = |text: &str| -> Vec<Schema> {
            text.lines().filter_map(|line| line.parse().ok()).collect()
        };
        let present = read(&self.class.read("schemata")?);
        let mut wanted = read(&settings.schemata_text().unwrap_or_default());
        wanted.retain(|line| !present.iter().any(|other| line.is_within(other)));
        Ok(wanted)
    }

    /// What is configured and what is used.
    ///
    /// Without a monitoring group of its own, the use is that of everybody in the class.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io), [`Malformed`](crate::ErrorKind::Malformed).
    pub fn stats(&self) -> Result<Stats> {
        let monitored = self.monitoring.as_ref().unwrap_or(&self.class);
        Stats::read(&self.root.directory, &self.class, monitored)
    }

    /// Removes what belongs to the container: the class if it is its own, else its monitoring
    /// group. What is gone already is not an error. Tasks in there go back to the default class, or
    /// to the class.
    ///
    /// Another process than the one that created the group finds it with [`Group::load`].
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn delete(self) -> Result<()> {
        let (parent, name) = if self.own_class {
            (&self.root.directory, PathBuf::from(&self.container_id))
        } else if self.monitoring.is_some() {
            let name = Path::new(MONITORING).join(&self.container_id);
            (&self.class, name)
        } else {
            return Ok(());
        };
        match unlinkat(parent, &name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::io("remove", parent.join(name), errno)),
        }
    }

    fn write(&self, directory: &Directory, name: &str, text: &str) -> Result<()> {
        directory.raw_write(name, text).map_err(|errno| {
            Repr::Write {
                path: directory.join(name),
                text: text.to_owned(),
                cause: errno.into(),
                status: self.root.last_command_status(),
            }
            .into()
        })
    }
}

/// The directory of the class below the root.
fn class_name<'n>(settings: &'n Settings, container_id: &'n str) -> &'n str {
    match settings.clos_id.as_str() {
        "" => container_id,
        "/" => ".",
        named => named,
    }
}

/// Makes a directory and says whether it was not there before.
fn make_directory(root: &Root, parent: &Directory, name: &Path) -> Result<bool> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(Repr::Create {
            path: parent.join(name),
            cause: errno.into(),
            status: root.last_command_status(),
        }
        .into()),
    }
}

#[cfg(test)]
mod tests;

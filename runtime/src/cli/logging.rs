//! The log that engines read: lines of text or of JSON, to standard error or to a file.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::panic::Location;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::failure::Failure;
use crate::timestamp::rfc3339;

/// How long a reader of a log that is a FIFO may take nothing.
const WRITE_TIMEOUT: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `time="…" level=error msg="…"`.
    Text,
    /// One JSON object a line.
    Json,
    /// `[exec] 2014/04/01 12:00:00 …`.
    Exec,
}

impl Format {
    /// Reads the value of `--log-format`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(Failure::new(format!("invalid log-format: {other}"))),
        }
    }
}

/// Where the log goes.
#[derive(Debug)]
pub(crate) struct Log {
    file: Option<File>,
    /// Nothing is logged but what is fatal.
    silent: bool,
    /// The file is a FIFO or a terminal whose reader does not read.
    stuck: AtomicBool,
    format: Format,
    debug: bool,
}

/// The severity of a line, as engines spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a line has besides its time.
struct Line<'a> {
    level: Level,
    message: &'a str,
    /// `path:line` and module of the code that logs; only when debugging.
    place: Option<(String, &'a str)>,
}

impl Log {
    /// A log to standard error.
    pub(crate) fn stderr() -> Self {
        Self {
            file: None,
            silent: false,
            stuck: AtomicBool::new(false),
            format: Format::Text,
            debug: false,
        }
    }

    /// No log: only what is fatal is said, on standard error.
    pub(crate) fn silent() -> Self {
        Self {
            silent: true,
            ..Self::stderr()
        }
    }

    /// Opens the log file, created with mode 0644 and only ever appended to, or standard
    /// error without one. A FIFO needs a reader: this does not wait for one.
    pub(crate) fn open(path: Option<&Path>, format: Format, debug: bool) -> Result<Self, Failure> {
        let file = match path {
            None => None,
            Some(path) => {
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o644)
                    .custom_flags(libc::O_SYNC | libc::O_NONBLOCK | libc::O_NOCTTY)
                    .open(path)
                    .map_err(|error| not_opened(path, error))?;
                Some(file)
            }
        };
        Ok(Self {
            file,
            silent: false,
            stuck: AtomicBool::new(false),
            format,
            debug,
        })
    }

    /// Makes this the log of the libraries as well. They speak at debug level only, so nothing is
    /// set up without `--debug`.
    pub(crate) fn install(self) -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let log = LOG.get_or_init(|| self);
        if log.debug && log::set_logger(log).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
        log
    }

    /// Reports why the command failed: in the log, and on standard error too when that is not the
    /// log, because engines show what they find there.
    #[track_caller]
    pub(crate) fn fatal(&self, message: &str) {
        self.error(message);
        if self.file.is_some() || self.silent {
            let _ = writeln!(io::stderr(), "{message}");
        }
    }

    /// Something went wrong that does not end the command.
    #[track_caller]
    pub(crate) fn error(&self, message: &str) {
        self.line(&Line {
            level: Level::Error,
            message,
            place: self.place(Location::caller()),
        });
    }

    /// Something that was asked for.
    #[track_caller]
    pub(crate) fn info(&self, message: &str) {
        self.line(&Line {
            level: Level::Info,
            message,
            place: self.place(Location::caller()),
        });
    }

    /// Something the user should know.
    #[track_caller]
    pub(crate) fn warn(&self, message: &str) {
        self.line(&Line {
            level: Level::Warning,
            message,
            place: self.place(Location::caller()),
        });
    }

    /// Where the caller is, if places are logged. Of its module only the folder is known.
    fn place(&self, at: &Location<'_>) -> Option<(String, &'static str)> {
        self.debug
            .then(|| (format!("{}:{}", at.file(), at.line()), "cofferdam::cli"))
    }

    fn line(&self, line: &Line<'_>) {
        if self.silent {
            return;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = rfc3339(UNIX_EPOCH + Duration::from_secs(now.as_secs()));
        let mut text = match self.format {
            Format::Text => text_line(line, &now),
            Format::Json => json_line(line, &now),
            Format::Exec => exec_line(line, &now),
        };
        text.push('\n');
        // One write a line, so that lines of several processes do not mix. A log that cannot be
        // written does not fail the command.
        let _ = match &self.file {
            Some(file) => self.append(file, text.as_bytes()),
            None => io::stderr().write_all(text.as_bytes()),
        };
    }
}

impl Log {
    /// Writes to the file, which does not block. A reader that takes nothing for a while loses what
    /// follows.
    fn append(&self, file: &File, mut text: &[u8]) -> io::Result<()> {
        let mut to = file;
        while !text.is_empty() && !self.stuck.load(Ordering::Relaxed) {
            match to.write(text) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => text = text.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut room = [PollFd::new(file, PollFlags::OUT)];
                    if rustix::io::retry_on_intr(|| poll(&mut room, Some(&WRITE_TIMEOUT)))? == 0 {
                        self.stuck.store(true, Ordering::Relaxed);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn not_opened(path: &Path, error: io::Error) -> Failure {
    let without_reader = error.raw_os_error() == Some(libc::ENXIO)
        && std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
    let error = if without_reader {
        io::Error::other("a FIFO that no process reads")
    } else {
        error
    };
    Failure::io(format!("open {}", path.display()), error)
}

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.debug && metadata.level() <= log::Level::Debug
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warning,
            _ => Level::Debug,
        };
        let message = record.args().to_string();
        let place = record.file().map(|file| {
            (
                format!("{file}:{}", record.line().unwrap_or_default()),
                record.module_path().unwrap_or_default(),
            )
        });
        self.line(&Line {
            level,
            message: &message,
            place,
        });
    }

    fn flush(&self) {}
}

fn text_line(line: &Line<'_>, now: &str) -> String {
    let mut text = String::with_capacity(64 + line.message.len());
    if let Some((file, module)) = &line.place {
        let _ = write!(text, "func={} file=", quoted(module));
        text.push_str(&quoted(file));
        text.push(' ');
    }
    let _ = write!(
        text,
        "time=\"{now}\" level={} msg={}",
        line.level.name(),
        quoted(line.message)
    );
    text
}

/// The time is that of RFC 3339 with other signs in it.
fn exec_line(line: &Line<'_>, now: &str) -> String {
    let time = now
        .trim_end_matches('Z')
        .replace('-', "/")
        .replace('T', " ");
    format!("[exec] {time} {}", line.message)
}

/// A value of the text format: bare when it is one plain word, else in quotes with escapes.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/@^+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// One object, its keys in alphabetical order.
fn json_line(line: &Line<'_>, now: &str) -> String {
    let mut object = serde_json::Map::new();
    let mut put = |key: &str, value: &str| object.insert(key.to_owned(), value.into());
    if let Some((file, module)) = &line.place {
        put("file", file);
        put("func", module);
    }
    put("level", line.level.name());
    put("msg", line.message);
    put("time", now);
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line<'_> {
        Line {
            level: Level::Error,
            message,
            place: None,
        }
    }

    #[test]
    fn text_lines_quote_only_what_needs_it() {
        assert_eq!(
            text_line(&line("broken"), "T"),
            "time=\"T\" level=error msg=broken"
        );
        assert_eq!(
            text_line(&line("a \"b\"\n"), "T"),
            "time=\"T\" level=error msg=\"a \\\"b\\\"\\n\""
        );
        assert_eq!(text_line(&line(""), "T"), "time=\"T\" level=error msg=\"\"");
    }

    #[test]
    fn lines_of_2014_have_their_prefix_and_time() {
        assert_eq!(
            exec_line(&line("broken"), "2014-04-01T12:34:56Z"),
            "[exec] 2014/04/01 12:34:56 broken"
        );
    }

    #[test]
    fn json_lines_stay_on_one_line() {
        let text = json_line(&line("first\nsecond \"quoted\""), "T");
        assert_eq!(
            text,
            r#"{"level":"error","msg":"first\nsecond \"quoted\"","time":"T"}"#
        );
    }

    #[test]
    fn a_file_collects_lines_of_several_openings() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for message in ["one", "two"] {
            Log::open(Some(&path), Format::Json, false)
                .unwrap()
                .warn(message);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let messages: Vec<String> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["msg"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(messages, ["one", "two"]);
    }

    #[test]
    fn a_fifo_is_written_as_far_as_its_reader_takes_it() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let error = Log::open(Some(&path), Format::Text, false).unwrap_err();
        assert!(
            error.message.ends_with("a FIFO that no process reads"),
            "{}",
            error.message
        );
        let reader = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let log = Log::open(Some(&path), Format::Text, false).unwrap();
        log.warn("first");
        let mut text = [0; 4096];
        let count = io::Read::read(&mut &reader, &mut text).unwrap();
        assert!(String::from_utf8_lossy(&text[..count]).ends_with("msg=first\n"));
        // More than a pipe holds, and a line that goes on for ever is not waited for twice.
        for _ in 0..3 {
            log.warn(&"x".repeat(1 << 20));
        }
        assert!(log.stuck.load(Ordering::Relaxed));
    }

    #[test]
    fn every_line_has_its_place_when_debugging() {
        let directory = tempfile::tempdir().unwrap();
        for debug in [false, true] {
            let path = directory.path().join(format!("log-{debug}"));
            let log = Log::open(Some(&path), Format::Json, debug).unwrap();
            log.warn("a warning");
            log.error("an error");
            log.fatal("the last one");
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<serde_json::Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(lines.len(), 3);
            for line in lines {
                let file = line["file"].as_str().unwrap_or_default();
                assert_eq!(file.starts_with(file!()), debug, "{line}");
                assert_eq!(line["func"].is_string(), debug, "{line}");
            }
        }
    }

    #[test]
    fn an_unknown_format_is_named() {
        assert_eq!(
            Format::parse("xml").unwrap_err().message,
            "invalid log-format: xml"
        );
    }
}

//! What the specification calls REQUIRED and nothing else would miss.

use crate::{Error, Result, oci};

/// Refuses a bundle without one of these, or for a version of the specification that is not known.
pub(super) fn check(spec: &oci::Spec) -> Result<()> {
    version(&spec.version)?;
    let root = spec
        .root
        .as_ref()
        .ok_or_else(|| Error::conversion("root must be specified"))?;
    present("root.path", &root.path)?;
    for (index, mount) in spec.mounts.iter().enumerate() {
        present_at("mounts", index, "destination", &mount.destination)?;
    }
    let devices = spec.linux.iter().flat_map(|linux| &linux.devices);
    for (index, device) in devices.enumerate() {
        present_at("linux.devices", index, "path", &device.path)?;
    }
    if let Some(hooks) = &spec.hooks {
        for (name, list) in [
            ("hooks.prestart", &hooks.prestart),
            ("hooks.createRuntime", &hooks.create_runtime),
            ("hooks.createContainer", &hooks.create_container),
            ("hooks.startContainer", &hooks.start_container),
            ("hooks.poststart", &hooks.poststart),
            ("hooks.poststop", &hooks.poststop),
        ] {
            for (index, hook) in list.iter().enumerate() {
                present_at(name, index, "path", &hook.path)?;
            }
        }
    }
    Ok(())
}

fn present(field: &str, value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(Error::conversion(format!("{field} is required")));
    }
    Ok(())
}

fn present_at(list: &str, index: usize, field: &str, value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(Error::conversion(format!(
            "{list}[{index}].{field} is required"
        )));
    }
    Ok(())
}

/// Takes every 1.x.y: minor versions only add to the specification, and what they add is known or
/// warned of.
fn version(text: &str) -> Result<()> {
    present("ociVersion", text)?;
    match major(text) {
        Some(1) => Ok(()),
        Some(_) => Err(Error::conversion(format!(
            "ociVersion {text:?} is not supported: only 1.x.y is"
        ))),
        None => Err(Error::conversion(format!(
            "ociVersion {text:?} is no semantic version"
        ))),
    }
}

/// The first number of a semantic version (<https://semver.org/spec/v2.0.0.html>), or `None` if the
/// text is not one.
fn major(text: &str) -> Option<u64> {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (core, pre_release) = match text.split_once('-') {
        Some((core, pre_release)) => (core, Some(pre_release)),
        None => (text, None),
    };
    let identifiers = |text: &str| {
        text.split('.').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    if !build.into_iter().chain(pre_release).all(identifiers) {
        return None;
    }
    let mut numbers = core.split('.').map(number);
    let (first, _, _) = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(first)
}

/// A number without sign and leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_one_is_taken() {
        for text in [
            "1.0.0",
            "1.0.2-dev",
            "1.0.0-rc5",
            "1.2.1",
            "1.3.0+build.7",
            "1.99.12345",
            "1.1.0-rc.1+x-y.0",
        ] {
            version(text).unwrap();
        }
    }

    #[test]
    fn what_is_no_version_or_another_one_is_refused() {
        for (text, message) in [
            ("", "ociVersion is required"),
            (
                "2.0.0",
                r#"ociVersion "2.0.0" is not supported: only 1.x.y is"#,
            ),
            (
                "0.9.0",
                r#"ociVersion "0.9.0" is not supported: only 1.x.y is"#,
            ),
        ] {
            assert_eq!(version(text).unwrap_err().to_string(), message);
        }
        for text in [
            "invalid",
            "1",
            "1.",
            "1.0",
            "1.0.",
            "1..0",
            "1.0.0.0",
            "v1.0.0",
            " 1.0.0",
            "1.0.0-",
            "1.0.0+",
            "1.0.0-a..b",
            "01.0.0",
            "1.0.-1",
            "1.0.0 ",
            "9.9",
            "1.0.0-ä",
            "1.0.99999999999999999999",
        ] {
            let message = version(text).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("ociVersion {text:?} is no semantic version")
            );
        }
    }

    #[test]
    fn missing_fields_are_named() {
        for (text, field) in [
            (r#"{}"#, "ociVersion"),
            (r#"{"ociVersion": null}"#, "ociVersion"),
            (r#"{"ociVersion": "1.0.0", "root": {}}"#, "root.path"),
            (
                r#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "mounts": [{"destination": "/a"}, {"type": "tmpfs"}]}"#,
                "mounts[1].destination",
            ),
            (
                r#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "linux": {"devices": [{"type": "c", "major": 1, "minor": 3}]}}"#,
                "linux.devices[0].path",
            ),
            (
                r#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "hooks": {"poststop": [{"args": ["a"]}]}}"#,
                "hooks.poststop[0].path",
            ),
        ] {
            let spec = oci::Spec::from_slice(text.as_bytes()).unwrap();
            let message = check(&spec).unwrap_err().to_string();
            assert_eq!(message, format!("{field} is required"), "{text}");
        }
    }
}

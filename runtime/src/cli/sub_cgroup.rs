//! The values of `exec --cgroup`: which sub-cgroup to join, for which controllers.

use super::failure::Failure;

/// Reads the values. On v2 there is one path and no controller (`""`); on v1 a path may be for some
/// controllers only.
pub(crate) fn read(
    values: impl Iterator<Item = impl AsRef<str>>,
) -> Result<Vec<(String, String)>, Failure> {
    let values: Vec<_> = values.collect();
    let mut joined: Vec<(String, String)> = Vec::new();
    for value in &values {
        let value = value.as_ref();
        let invalid = |why| Failure::new(format!("invalid --cgroup argument: {value} ({why})"));
        let Some((controllers, path)) = value.split_once(':') else {
            // A single path for all controllers: there can be nothing else beside it.
            if values.len() > 1 {
                return Err(invalid("missing <controller>: prefix"));
            }
            joined.push((String::new(), value.to_owned()));
            continue;
        };
        for controller in controllers.split(',') {
            if controller.is_empty() {
                return Err(invalid("empty <controller> prefix"));
            }
            if joined.iter().any(|(other, _)| other == controller) {
                return Err(Failure::new(format!(
                    "invalid --cgroup argument(s): controller {controller} specified multiple times"
                )));
            }
            joined.push((controller.to_owned(), path.to_owned()));
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(values: &[&str]) -> String {
        read(values.iter()).unwrap_err().message
    }

    #[test]
    fn one_path_is_for_all_controllers() {
        assert_eq!(
            read(["/sub"].iter()).unwrap(),
            [(String::new(), "/sub".to_owned())]
        );
        assert!(read([""; 0].iter()).unwrap().is_empty());
    }

    #[test]
    fn controllers_share_a_path_or_have_their_own() {
        let joined = read(["cpu,memory:a", "pids:/b"].iter()).unwrap();
        let pair = |controller: &str, path: &str| (controller.to_owned(), path.to_owned());
        assert_eq!(
            joined,
            [pair("cpu", "a"), pair("memory", "a"), pair("pids", "/b")]
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            refused(&[":a"]),
            "invalid --cgroup argument: :a (empty <controller> prefix)"
        );
        assert_eq!(
            refused(&["cpu:a", "b"]),
            "invalid --cgroup argument: b (missing <controller>: prefix)"
        );
        assert!(refused(&["cpu:a", "cpu:b"]).ends_with("controller cpu specified multiple times"));
    }
}

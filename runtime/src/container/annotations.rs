//! Annotations that another runtime acts on.

/// crun's: some of them take protections away, and annotations reach a configuration from images
/// and from users of an engine. So none has an effect here, and each is warned of.
const FOREIGN: &str = "run.oci.";

/// The warning about annotations of another runtime in the labels (`key=value`) of a configuration,
/// if there are any.
pub(super) fn ignored(labels: &[String]) -> Option<String> {
    let keys: Vec<&str> = labels
        .iter()
        .filter_map(|label| label.split_once('='))
        .map(|(key, _)| key)
        .filter(|key| key.starts_with(FOREIGN))
        .collect();
    (!keys.is_empty()).then(|| {
        format!(
            "annotations of another runtime have no effect: {}",
            keys.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_of_another_runtime_share_a_warning() {
        let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        let labels: Vec<String> = labels(&[
            "bundle=/b",
            "run.oci.keep_original_groups=1",
            "org.run.oci.x=1",
            "run.oci.y=a=b",
        ]);
        assert_eq!(
            ignored(&labels).as_deref(),
            Some(
                "annotations of another runtime have no effect: run.oci.keep_original_groups, run.oci.y"
            )
        );
        assert_eq!(ignored(&labels[..1]), None);
    }
}

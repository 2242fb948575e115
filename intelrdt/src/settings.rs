use crate::error::{Repr, Result};

/// What a container asks for (OCI runtime-spec, `linux.intelRdt`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, rename_all = "camelCase"))]
pub struct Settings {
    /// The class of service to share; `/` is the default class. Empty: a class of the container's
    /// own.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "closID", skip_serializing_if = "String::is_empty")
    )]
    pub clos_id: String,
    /// Lines for the file `schemata`, written as they are.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub schemata: Vec<String>,
    /// Lines about the L3 cache, such as `L3:0=7f0;1=1f`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub l3_cache_schema: String,
    /// Lines about memory bandwidth, such as `MB:0=20;1=70`.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "String::is_empty"))]
    pub mem_bw_schema: String,
    /// Whether the container gets a monitoring group of its own.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub enable_monitoring: bool,
}

impl Settings {
    /// Checks the class: `.`, `..` and names with `/` (but for `/` itself), NUL or line end are
    /// none.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn check(&self) -> Result<()> {
        if self.clos_id.is_empty() || self.clos_id == "/" {
            return Ok(());
        }
        check_name(&self.clos_id)
    }

    /// The text for the file `schemata`, each part with a line end; `None` if nothing is asked for.
    /// A later line wins.
    ///
    /// ```
    /// use cofferdam_intelrdt::Settings;
    ///
    /// let settings = Settings {
    ///     l3_cache_schema: "L3:0=f".into(),
    ///     schemata: vec!["MB:0=50".into()],
    ///     ..Settings::default()
    /// };
    /// assert_eq!(settings.schemata_text().as_deref(), Some("L3:0=f\nMB:0=50\n"));
    /// ```
    #[must_use]
    pub fn schemata_text(&self) -> Option<String> {
        let text: String = [&self.l3_cache_schema, &self.mem_bw_schema]
            .into_iter()
            .chain(&self.schemata)
            .filter(|part| !part.is_empty())
            .flat_map(|part| [part, "\n"])
            .collect();
        (!text.is_empty()).then_some(text)
    }
}

/// Names of directories: one component, and nothing that breaks a line.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\n', '\0']) {
        return Err(Repr::ClosId(name.to_owned()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let check = |clos_id: &str| {
            Settings {
                clos_id: clos_id.into(),
                ..Settings::default()
            }
            .check()
        };
        for good in ["", "/", "gold", "a.b", "..."] {
            check(good).unwrap();
        }
        for bad in [".", "..", "a/b", "/a", "a/", "a\nb", "a\0"] {
            let error = check(bad).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid closID {bad:?}"));
        }
    }

    #[test]
    fn the_parts_of_the_text_in_order() {
        let settings = Settings {
            schemata: vec!["L3:0=1".into(), String::new(), "MB:0=9".into()],
            l3_cache_schema: "L3:0=f".into(),
            mem_bw_schema: "MB:0=50".into(),
            ..Settings::default()
        };
        assert_eq!(
            settings.schemata_text().unwrap(),
            "L3:0=f\nMB:0=50\nL3:0=1\nMB:0=9\n"
        );
        assert_eq!(Settings::default().schemata_text(), None);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn oci_names() {
        let json = r#"{"closID":"a","schemata":["MB:0=9"],"l3CacheSchema":"L3:0=f","memBwSchema":"MB:0=5","enableMonitoring":true}"#;
        let settings: Settings = serde_json::from_str(json).unwrap();
        assert_eq!(settings.l3_cache_schema, "L3:0=f");
        assert!(settings.enable_monitoring);
        assert_eq!(serde_json::to_string(&settings).unwrap(), json);
        assert_eq!(serde_json::to_string(&Settings::default()).unwrap(), "{}");
    }
}

//! Properties of a systemd unit that a bundle sets through annotations.

/// A property of the systemd unit of a container, from an annotation `org.systemd.property.NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemdProperty {
    /// Name of the property as systemd's D-Bus interface has it.
    pub name: String,
    /// Value in GVariant text format, for example `true`, `'text'` or `uint64 5000000`.
    pub value: String,
}

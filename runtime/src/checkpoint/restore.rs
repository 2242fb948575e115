//! What a restore consists of, besides what it has in common with a creation: see
//! [`Runtime::restore`](crate::Runtime::restore).

pub(crate) mod images;
pub(crate) mod integrity;
pub(crate) mod mount_points;
pub(crate) mod namespaces;
pub(crate) mod notifications;
pub(crate) mod request;
pub(crate) mod root;

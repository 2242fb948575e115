//! Session keyrings: join, describe, permissions.

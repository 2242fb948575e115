//! passwd, group and subordinate-id parsing, user specifications and id maps; never NSS.

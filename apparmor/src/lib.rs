//! AppArmor: is it on, which profile applies, apply one on exec, load one.

//! Interfaces of other systems.

pub(crate) mod woosh;

//! Interfaces of other systems, over the same domain.

pub(crate) mod woosh;
pub(crate) mod woosh_calls;

//! The suite. Each function takes a rig and checks one behaviour through the traits alone.

mod groups;
mod lag;
mod records;
mod worker;

pub(crate) use groups::*;
pub(crate) use lag::*;
pub(crate) use records::*;
pub(crate) use worker::*;

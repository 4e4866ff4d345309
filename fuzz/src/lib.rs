//! What the fuzz targets check: one function a parser, that takes any octets and panics when something does not hold.
//!
//! Each file stands alone, for the tests of the crate that it checks run it too, over the corpus, on the stable
//! compiler.

pub mod engineio;
pub mod envelope;
pub mod frame;
pub mod keys;
pub mod payload;
pub mod pdu;
pub mod receipt;
pub mod socketio;
pub mod vault;

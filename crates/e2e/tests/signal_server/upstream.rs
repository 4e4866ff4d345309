//! The test cases of the project itself (`dark_maps/api/v1/tests/`), by their names, in the form of profile S. Those of
//! accounts are with auth.

mod device;
mod message;
mod prekey_bundle;
mod prekeys;
mod signed_prekeys;

//! The corpora of the fuzz targets `payload`, `envelope`, `keys` and `vault`, on the stable compiler.
#![expect(
    clippy::expect_used,
    unreachable_pub,
    reason = "shared with the fuzz target; a check fails by panicking"
)]

#[path = "../../../fuzz/src/envelope.rs"]
mod envelope;
#[path = "../../../fuzz/src/keys.rs"]
mod keys;
#[path = "../../../fuzz/src/payload.rs"]
mod payload;
#[path = "../../../fuzz/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/vault.rs"]
mod vault;

#[test]
fn every_file_of_the_payload_corpus_holds() {
    replay::replay("payload", payload::check);
}

#[test]
fn every_file_of_the_envelope_corpus_holds() {
    replay::replay("envelope", envelope::check);
}

#[test]
fn every_file_of_the_keys_corpus_holds() {
    replay::replay("keys", keys::check);
}

#[test]
fn every_file_of_the_vault_corpus_holds() {
    replay::replay("vault", vault::check);
}

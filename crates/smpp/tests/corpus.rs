//! The corpus of the fuzz target `pdu`, on the stable compiler.
#![expect(
    clippy::expect_used,
    unreachable_pub,
    reason = "shared with the fuzz target; a check fails by panicking"
)]

#[path = "../../../fuzz/src/pdu.rs"]
mod pdu;
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_file_of_the_pdu_corpus_holds() {
    replay::replay("pdu", pdu::check);
}

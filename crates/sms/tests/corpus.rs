//! The corpus of the fuzz target `receipt`, on the stable compiler.
#![expect(
    clippy::expect_used,
    unreachable_pub,
    reason = "shared with the fuzz target; a check fails by panicking"
)]

#[path = "../../../fuzz/src/receipt.rs"]
mod receipt;
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_file_of_the_receipt_corpus_holds() {
    replay::replay("receipt", receipt::check);
}

//! The corpus of the fuzz target `frame`, on the stable compiler.
#![expect(
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "shared with the fuzz target; a check fails by panicking"
)]

#[path = "../../../fuzz/src/frame.rs"]
mod frame;
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_file_of_the_frame_corpus_holds() {
    replay::replay("frame", frame::check);
}

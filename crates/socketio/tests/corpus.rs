//! The corpora of the fuzz targets `engineio` and `socketio`, on the stable compiler.
#![expect(
    clippy::expect_used,
    unreachable_pub,
    reason = "shared with the fuzz targets; a check fails by panicking"
)]

#[path = "../../../fuzz/src/engineio.rs"]
mod engine_check;
#[path = "../../../fuzz/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/socketio.rs"]
mod socket_check;

#[test]
fn every_file_of_the_engineio_corpus_holds() {
    replay::replay("engineio", engine_check::check);
}

#[test]
fn every_file_of_the_socketio_corpus_holds() {
    replay::replay("socketio", socket_check::check);
}

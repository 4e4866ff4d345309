//! Models and cryptography that every Sealpost service shares: pure data and pure functions, no I/O.

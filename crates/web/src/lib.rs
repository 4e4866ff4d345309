//! The actix shell: problems, extractors, caller, health, server with drain, cheap websockets.

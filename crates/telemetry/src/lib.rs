//! Tracing, metrics registry, request and correlation ids.

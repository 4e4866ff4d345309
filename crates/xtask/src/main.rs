//! Workspace tasks with logic: architecture rules, OpenAPI, benches.
fn main() {}

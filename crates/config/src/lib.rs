//! Layered settings: defaults, one TOML file, the environment, secrets from files.

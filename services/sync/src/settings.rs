//! The `[sync]` section.

use serde::Deserialize;

/// Settings of this service.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncSettings {}

//! `[sms_gateway.quota]`: how many segments a client may send a day and a month.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a client has in place of the common quota.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientQuota {
    /// Segments a day; 0: no limit. The common one where it is not given.
    pub day: Option<u32>,
    /// Segments a month; 0: no limit. The common one where it is not given.
    pub month: Option<u32>,
}

/// How many segments a client may send, all instances together. Days and months are those of UTC.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaSettings {
    /// Segments a day of each client; 0: no limit.
    pub day: u32,
    /// Segments a month of each client; 0: no limit.
    pub month: u32,
    /// What single clients have in place of this.
    pub of: BTreeMap<String, ClientQuota>,
}

//! The frames of `/v1/provisioning/websocket`, as `proto/provisioning.md` has them.

use common::models::Base64Bytes;
use serde::Serialize;

/// What the server says.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum ServerFrame<'a> {
    /// The first frame.
    Address {
        /// Where an envelope can be written to.
        address: &'a str,
        /// Seconds until nothing can be written there any more.
        expires_in: u64,
        /// The fingerprint of the key by which this server is known.
        server_key_fingerprint: &'a str,
    },
    /// The other device has read the QR code.
    Scanned,
    /// What the other device has written. The last frame.
    Envelope {
        /// Ciphertext, which only the new device can read.
        body: &'a Base64Bytes,
    },
}

impl ServerFrame<'_> {
    pub(super) fn to_text(&self) -> String {
        // Plain fields always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_documented() {
        let frames = [
            ServerFrame::Address { address: "abc", expires_in: 90, server_key_fingerprint: "xyz" },
            ServerFrame::Scanned,
            ServerFrame::Envelope { body: &Base64Bytes(vec![1, 2, 3]) },
        ];

        assert_eq!(
            frames.map(|frame| frame.to_text()),
            [
                r#"{"type":"address","address":"abc","expiresIn":90,"serverKeyFingerprint":"xyz"}"#,
                r#"{"type":"scanned"}"#,
                r#"{"type":"envelope","body":"AQID"}"#,
            ]
        );
    }
}

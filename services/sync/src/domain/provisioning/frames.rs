//! The frames of `/v1/provisioning/websocket`, as `proto/provisioning.md` has them.

use common::models::Base64Bytes;
use serde::{Deserialize, Serialize};

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
    /// The picture of a QR code that was asked for.
    Qr {
        /// It, as SVG.
        svg: &'a str,
    },
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

/// What a client may say.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum ClientFrame {
    /// It wants the picture of a QR code.
    Qr {
        /// What the code says.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_documented() {
        let frames = [
            ServerFrame::Address { address: "abc", expires_in: 90, server_key_fingerprint: "xyz" },
            ServerFrame::Scanned,
            ServerFrame::Qr { svg: "<svg/>" },
            ServerFrame::Envelope { body: &Base64Bytes(vec![1, 2, 3]) },
        ];

        assert_eq!(
            frames.map(|frame| frame.to_text()),
            [
                r#"{"type":"address","address":"abc","expiresIn":90,"serverKeyFingerprint":"xyz"}"#,
                r#"{"type":"scanned"}"#,
                r#"{"type":"qr","svg":"<svg/>"}"#,
                r#"{"type":"envelope","body":"AQID"}"#,
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_code_is_to_say_is_read_as_it_was_written(text: String) {
            let frame = serde_json::json!({"type": "qr", "text": text}).to_string();

            proptest::prop_assert_eq!(serde_json::from_str::<ClientFrame>(&frame).unwrap(), ClientFrame::Qr { text });
        }

        #[test]
        fn any_frame_is_read_without_panic(text in ".{0,200}") {
            let _ = serde_json::from_str::<ClientFrame>(&text);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for text in ["", "{}", r#"{"type":"address"}"#, r#"{"type":"qr"}"#, r#"{"type":"qr","text":1}"#] {
            assert!(serde_json::from_str::<ClientFrame>(text).is_err(), "{text}");
        }
    }
}

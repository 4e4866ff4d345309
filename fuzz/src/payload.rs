//! What a producer sends: the request, and the message in its envelope.

use common::crypto::sms_payload::SmsPayload;
use common::models::UnixMillis;
use common::models::sms::{SmsRequest, parse_deadline, parse_timestamp};

/// Checks octets as a request and as a message; what was understood says the same when it is written again.
pub fn check(octets: &[u8]) {
    if let Ok(message) = SmsPayload::parse(octets) {
        assert!(message.to().starts_with('+') && !message.text().is_empty());
        assert_eq!(SmsPayload::parse(&message.to_octets()).as_ref(), Ok(&message));
    }
    if let Ok(request) = SmsRequest::parse(octets) {
        let written = serde_json::to_vec(&request).expect("strings");
        assert_eq!(SmsRequest::parse(&written).as_ref(), Ok(&request));
        if let Some(deadline) = &request.deadline
            && let Ok(at) = parse_deadline(deadline)
        {
            assert_eq!(parse_timestamp(deadline), Ok(at));
        }
        if let Ok(accepted) = request.check(true, UnixMillis(0)) {
            assert!(accepted.deadline >= UnixMillis(0));
        }
    }
}

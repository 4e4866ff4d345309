//! Keys in a body, and what is wrong with them in the shape of the body.

use common::models::SignalServerId;
use serde_json::Value;
use service::signal_server::{Errors, Fields, Text};

use crate::domain::signal_server::{
    KEY_CHARACTERS, KeyRules, NewDevice, Prekey, SIGNATURE_CHARACTERS, SignedPrekey,
};

/// Reads a device.
pub(super) fn device(body: Option<Value>, rules: KeyRules) -> Result<NewDevice, Errors> {
    let mut fields = object(body)?;
    let address = fields.text("address", Text::up_to(100));
    let identity_key = key(&mut fields, "identityKey", rules);
    let registration_id = id(&mut fields, "registrationId");
    let prekeys = fields.take("preKeys");
    let signed = fields.take("signedPreKey");
    let mut errors = fields.errors();
    let prekeys = prekeys.and_then(|value| nested(&mut errors, "preKeys", list(value, rules)));
    let signed = signed.and_then(|value| {
        nested(&mut errors, "signedPreKey", signed_prekey(Some(value), rules, identity_key.as_deref()))
    });
    match (address, identity_key, registration_id, prekeys, signed) {
        (Some(address), Some(identity_key), Some(registration_id), Some(prekeys), Some(signed_prekey)) => {
            Ok(NewDevice { registration_id, address, identity_key, prekeys, signed_prekey })
        }
        _ => Err(errors),
    }
}

/// Reads a one-time prekey.
pub(super) fn prekey(value: Value, rules: KeyRules) -> Result<Prekey, Errors> {
    let mut fields = object(Some(value))?;
    match (id(&mut fields, "keyId"), key(&mut fields, "publicKey", rules)) {
        (Some(key_id), Some(public_key)) => Ok(Prekey { key_id, public_key }),
        _ => Err(fields.errors()),
    }
}

/// Reads a signed prekey; without an identity, which is missing itself then, the signature is not verified.
pub(super) fn signed_prekey(
    value: Option<Value>,
    rules: KeyRules,
    identity: Option<&str>,
) -> Result<SignedPrekey, Errors> {
    let mut fields = object(value)?;
    let key_id = id(&mut fields, "keyId");
    let public_key = key(&mut fields, "publicKey", rules);
    let signature = fields.text("signature", Text::exactly(SIGNATURE_CHARACTERS));
    let (Some(key_id), Some(public_key), Some(signature)) = (key_id, public_key, signature) else {
        return Err(fields.errors());
    };
    let key = SignedPrekey { key_id, public_key, signature };
    if identity.is_none_or(|identity| rules.accept_signature(identity, &key)) {
        return Ok(key);
    }
    let mut errors = fields.errors();
    errors.add("signature", "This is not a signature of the key by the identity key.");
    Err(errors)
}

/// Reads prekeys. Of a list in which some are wrong each has its place, those that are right as `{}`.
fn list(value: Value, rules: KeyRules) -> Result<Vec<Prekey>, Value> {
    let Value::Array(items) = value else {
        return Err(of_the_whole("Expected a list of items.").into());
    };
    let read: Vec<Result<Prekey, Errors>> = items.into_iter().map(|item| prekey(item, rules)).collect();
    if read.iter().all(Result::is_ok) {
        return Ok(read.into_iter().flatten().collect());
    }
    Err(Value::Array(read.into_iter().map(|one| one.err().unwrap_or_default().into()).collect()))
}

fn object(value: Option<Value>) -> Result<Fields, Errors> {
    Fields::of(value).map_err(|_| of_the_whole("Invalid data. Expected a dictionary."))
}

fn of_the_whole(text: &str) -> Errors {
    let mut errors = Errors::default();
    errors.add("non_field_errors", text);
    errors
}

fn nested<T>(errors: &mut Errors, name: &str, read: Result<T, impl Into<Value>>) -> Option<T> {
    read.map_err(|inner| errors.nest(name, inner)).ok()
}

fn id(fields: &mut Fields, name: &str) -> Option<SignalServerId> {
    // The range is the type's own.
    fields.integer(name, 0..=999_999).and_then(|number| SignalServerId::new(number).ok())
}

fn key(fields: &mut Fields, name: &str, rules: KeyRules) -> Option<String> {
    let text = fields.text(name, Text::exactly(KEY_CHARACTERS))?;
    if rules.accept_key(&text) { Some(text) } else { fields.wrong(name, "This is not a public key.") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "abcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd";

    fn errors<T: std::fmt::Debug>(read: Result<T, Errors>) -> Value {
        read.unwrap_err().into()
    }

    #[test]
    fn what_is_wrong_has_the_shape_of_the_request() {
        let required = json!(["This field is required."]);
        let blank = json!(["This field may not be blank."]);
        let short = json!(["Ensure this field has at least 44 characters."]);

        let missing = errors(device(None, KeyRules::Lenient));
        let body = json!({"address": " ", "identityKey": KEY, "registrationId": 1, "more": 1,
            "preKeys": [{"keyId": 1, "publicKey": KEY}, {"keyId": "x", "publicKey": "abcd"}, 7],
            "signedPreKey": {"keyId": 1_000_000, "publicKey": KEY}});
        let wrong = errors(device(Some(body), KeyRules::Lenient));
        let no_list = errors(device(Some(json!({"preKeys": {}})), KeyRules::Lenient));

        for name in ["address", "identityKey", "registrationId", "preKeys", "signedPreKey"] {
            assert_eq!(missing[name], required, "{name}");
        }
        let expected = json!({
            "address": blank,
            "preKeys": [{}, {"keyId": ["A valid integer is required."], "publicKey": short},
                {"non_field_errors": ["Invalid data. Expected a dictionary."]}],
            "signedPreKey": {"keyId": ["Ensure this value is less than or equal to 999999."], "signature": required},
        });
        assert_eq!(wrong, expected);
        assert_eq!(no_list["preKeys"], json!({"non_field_errors": ["Expected a list of items."]}));
        for body in [json!([]), json!(null), json!(7)] {
            assert!(errors(device(Some(body), KeyRules::Lenient))["non_field_errors"].is_array());
        }
    }

    #[test]
    fn strict_rules_tell_which_key_is_none() {
        let body = json!({"address": "a", "identityKey": KEY, "registrationId": 1,
            "preKeys": [{"keyId": 1, "publicKey": KEY}],
            "signedPreKey": {"keyId": 1, "publicKey": KEY, "signature": "abcd".repeat(22)}});
        let no_key = json!(["This is not a public key."]);

        assert!(device(Some(body.clone()), KeyRules::Lenient).is_ok());
        let expected = json!({"identityKey": no_key,
            "preKeys": [{"publicKey": no_key}], "signedPreKey": {"publicKey": no_key}});
        assert_eq!(errors(device(Some(body), KeyRules::Strict)), expected);
    }
}

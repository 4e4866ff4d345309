//! The signature of Twilio's webhooks: base64 of the HMAC-SHA-1, under the account's token, of the URL that was called and
//! all parameters of the form, sorted by name, each name followed by its value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::crypto::Secret;
use ring::hmac;

/// The header that carries it.
pub(crate) const HEADER: &str = "x-twilio-signature";

/// Tells whether `signature` is that of this form at `url`, in a time that does not tell how close it came. Without a token
/// none is.
pub(crate) fn is_signed(
    token: &Secret<String>,
    url: &str,
    form: &[(String, String)],
    signature: &str,
) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.expose().as_bytes());
    !token.is_empty() && hmac::verify(&key, signed(url, form).as_bytes(), &signature).is_ok()
}

fn signed(url: &str, form: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = form.iter().collect();
    sorted.sort();
    sorted.into_iter().fold(url.to_owned(), |text, (name, value)| text + name + value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn sign(token: &str, url: &str, form: &[(String, String)]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
        STANDARD.encode(hmac::sign(&key, signed(url, form).as_bytes()))
    }

    #[test]
    fn the_example_of_twilios_documentation_is_signed() {
        let form = form(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ]);
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";

        assert!(is_signed(&"12345".into(), url, &form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
        assert!(!is_signed(&"12346".into(), url, &form, "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
        assert!(!is_signed(&"".into(), url, &form, &sign("", url, &form)));
        assert!(!is_signed(&"12345".into(), url, &form, "not base64"));
    }

    proptest! {
        #[test]
        fn a_form_is_signed_in_any_order_and_no_other_is(
            mut pairs in prop::collection::vec(("[A-Za-z]{1,8}", "[ -~]{0,20}"), 1..8),
            token in "[a-z0-9]{8,32}",
        ) {
            let url = "https://example.org/sms/platform/twilio";
            let signature = sign(&token, url, &pairs);
            let token = Secret::from(token);

            pairs.reverse();
            prop_assert!(is_signed(&token, url, &pairs, &signature));
            pairs[0].1.push('x');
            prop_assert!(!is_signed(&token, url, &pairs, &signature));
        }
    }
}

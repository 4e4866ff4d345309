use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn claims() -> Claims {
    Claims {
        sub: AccountId::new(),
        sid: SessionId::new(),
        did: DeviceId::new(3).ok(),
        iat: NOW.as_secs(),
        exp: NOW.as_secs() + 900,
    }
}

fn check(token: &str, key: &SigningKey) -> Result<Claims, JwsError> {
    verify(token, NOW, |kid| Some(key.verifying_key().clone()).filter(|key| key.kid() == kid))
}

/// Signs any header and body, as an attacker with a key of their own, or a buggy issuer, might.
fn forge(key: &SigningKey, header: &serde_json::Value, body: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(body));
    let signature = URL_SAFE_NO_PAD.encode(key.pair.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn a_token_gives_back_its_claims() {
    let key = SigningKey::generate().unwrap();
    let claims = claims();

    assert_eq!(check(&sign(&key, &claims), &key), Ok(claims));
    let unbound = Claims { did: None, ..claims };
    assert_eq!(check(&sign(&key, &unbound), &key), Ok(unbound));
}

#[test]
fn a_token_of_one_kind_is_none_of_another() {
    let key = SigningKey::generate().unwrap();
    let Claims { sub, sid, iat, exp, .. } = claims();
    // As long as names and addresses may be.
    let (username, email) = ("\u{10428}".repeat(150), "ä".repeat(254));
    let other = SignalServerClaims { user_id: 1, username, email, exp, iat, sub, sid };
    let read = |token: &str| verify::<SignalServerClaims>(token, NOW, |_| Some(key.verifying_key().clone()));

    let (native, foreign) = (sign(&key, &claims()), sign(&key, &other));

    assert_eq!(read(&foreign), Ok(other));
    assert_eq!((read(&native), check(&foreign, &key)), (Err(JwsError::Malformed), Err(JwsError::Malformed)));
}

#[test]
fn a_token_ends_at_its_second() {
    let key = SigningKey::generate().unwrap();
    let at = |exp| check(&sign(&key, &Claims { exp, ..claims() }), &key).map(|claims| claims.exp);

    assert_eq!(at(NOW.as_secs()), Err(JwsError::Expired));
    assert_eq!(at(NOW.as_secs() + 1), Ok(NOW.as_secs() + 1));
}

#[test]
fn other_keys_do_not_sign_for_us() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let token = sign(&other, &claims());

    assert_eq!(check(&token, &key), Err(JwsError::UnknownKey));
    let claimed: Result<Claims, _> = verify(&token, NOW, |_| Some(key.verifying_key().clone()));
    assert_eq!(claimed, Err(JwsError::BadSignature));
}

#[test]
fn headers_that_are_not_ours_are_refused() {
    let key = SigningKey::generate().unwrap();
    let (kid, body) = (key.verifying_key().kid(), serde_json::to_value(claims()).unwrap());

    assert!(check(&forge(&key, &json!({"alg": "EdDSA", "kid": kid}), &body), &key).is_ok());
    for header in [
        json!({"alg": "none", "kid": kid}),
        json!({"alg": "HS256", "kid": kid}),
        json!({"alg": "eddsa", "kid": kid}),
        json!({"alg": "EdDSA"}),
        json!({"kid": kid}),
        json!({"alg": "EdDSA", "kid": kid, "crit": ["exp"], "exp": 1}),
        json!({"alg": "EdDSA", "kid": kid, "typ": "at+jwt"}),
        json!([]),
    ] {
        assert_eq!(check(&forge(&key, &header, &body), &key), Err(JwsError::Malformed), "{header}");
    }
    let without_exp = json!({"sub": claims().sub, "sid": claims().sid, "iat": 1});
    let forged = forge(&key, &json!({"alg": "EdDSA", "kid": kid}), &without_exp);
    assert_eq!(check(&forged, &key), Err(JwsError::Malformed));
}

#[test]
fn a_thumbprint_is_that_of_the_rfc() {
    // RFC 8037 appendix A.1 to A.3.
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();

    let key = SigningKey::from_seed(&seed).unwrap();

    assert_eq!(key.verifying_key().to_jwk().x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!(key.verifying_key().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn keys_travel_as_jwk_and_as_text() {
    let key = SigningKey::generate().unwrap();

    let jwk: Jwk =
        serde_json::from_str(&serde_json::to_string(&key.verifying_key().to_jwk()).unwrap()).unwrap();
    let kept = SigningKey::from_text(&format!("{}\n", key.to_text().expose())).unwrap();

    assert_eq!(&VerifyingKey::try_from(&jwk).unwrap(), key.verifying_key());
    assert_eq!(kept.verifying_key(), key.verifying_key());
    assert!(VerifyingKey::try_from(&Jwk { crv: "X25519".to_owned(), ..jwk.clone() }).is_err());
    assert!(VerifyingKey::try_from(&Jwk { usage: Some("enc".to_owned()), ..jwk }).is_err());
    assert!(SigningKey::from_text("").is_err());
    assert!(!format!("{key:?}").contains(key.to_text().expose()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_character_voids_a_token(at: prop::sample::Index, to in "[A-Za-z0-9_.=-]") {
        let key = SigningKey::generate().unwrap();
        let token = sign(&key, &claims());
        let at = at.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at..=at, &to);

        prop_assume!(changed != token);
        prop_assert!(check(&changed, &key).is_err());
    }

    #[test]
    fn any_text_is_verified_without_panic(text: String, parts in "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,3}") {
        let key = SigningKey::generate().unwrap();

        prop_assert!(check(&text, &key).is_err() && check(&parts, &key).is_err());
    }
}

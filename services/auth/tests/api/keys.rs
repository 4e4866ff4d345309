//! The key that signs access tokens changes, and nobody is logged out.

use common::crypto::jws::SigningKey;
use serde_json::Value;
use testkit::on_both;

use crate::harness::Auth;

/// A private key as a setting, and its public half as another.
fn key() -> (String, String) {
    let key = SigningKey::generate().unwrap();
    (key.to_text().expose().clone(), key.verifying_key().to_jwk().x)
}

async fn public_keys(auth: &Auth) -> Vec<String> {
    let set: Value = auth.host.http.get("/.well-known/jwks.json").await.expect(200).value();
    set["keys"].as_array().unwrap().iter().map(|key| key["x"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn tokens_of_the_key_before_are_valid_for_as_long_as_it_is_named(db: TestDb) {
        let ((old, old_public), (new, new_public)) = (key(), key());
        let auth = Auth::start_with(&db, &[("auth.signing_key", &old), ("auth.previous_keys", &new_public)]).await;
        let before = auth.session("alice").await;
        let announced = public_keys(&auth).await;
        auth.host.stop().await;

        let auth = Auth::start_with(&db, &[("auth.signing_key", &new), ("auth.previous_keys", &old_public)]).await;
        let after = auth.again("alice").await;
        for session in [&before, &after] {
            auth.with(session).get("/v1/accounts/current").await.assert_status(200);
        }
        let both = public_keys(&auth).await;
        auth.host.stop().await;
        let auth = Auth::start_with(&db, &[("auth.signing_key", &new)]).await;
        auth.with(&before).get("/v1/accounts/current").await.assert_status(401);
        auth.with(&after).get("/v1/accounts/current").await.assert_status(200);

        assert_eq!(announced, [old_public.clone(), new_public.clone()]);
        assert_eq!(both, [new_public, old_public]);
        // The session outlives its access token: the refresh token knows no key.
        auth.refresh(before.text("refreshToken")).await.assert_status(200);
    }
}

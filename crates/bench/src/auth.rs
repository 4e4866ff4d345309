//! Stands for auth where auth is not measured: signs access tokens, and answers what the other services ask of it.

use std::net::SocketAddr;
use std::sync::Arc;

use common::crypto::jws::{Claims, JwkSet, SigningKey, sign};
use common::models::internal::{AccountInfo, BindDevice, Revocations};
use common::models::{AccountId, Clock as _, DeviceId, SessionId, SystemClock};
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::error::BenchError;

/// Longer than any bench.
const TOKEN_SECONDS: i64 = 6 * 3600;

/// More than any request of a service has.
const LIMIT: usize = 64 * 1024;

/// A running stand-in; clones are handles on the same one.
#[derive(Clone)]
pub(crate) struct Auth {
    key: Arc<SigningKey>,
    address: SocketAddr,
}

impl Auth {
    /// Starts it on a free port, for as long as the process lives.
    pub(crate) async fn start() -> Result<Self, BenchError> {
        let failed = |error| BenchError::Io("the stand-in for auth", error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let key = SigningKey::generate().map_err(|error| BenchError::of("a signing key", error))?;
        let auth = Self { key: Arc::new(key), address: listener.local_addr().map_err(failed)? };
        let serving = auth.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        Ok(auth)
    }

    /// Where services find it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An access token for a session of `account`, bound to `device` if there is one.
    pub(crate) fn token(&self, account: AccountId, device: Option<DeviceId>) -> String {
        self.sign(account, SessionId::new(), device)
    }

    fn sign(&self, account: AccountId, session: SessionId, device: Option<DeviceId>) -> String {
        let now = SystemClock.now().as_secs();
        sign(
            &self.key,
            &Claims { sub: account, sid: session, did: device, iat: now, exp: now + TOKEN_SECONDS },
        )
    }

    /// Serves one connection until its client leaves.
    async fn serve(&self, mut stream: TcpStream) {
        let mut input = Vec::new();
        loop {
            if let Some((head, body)) = request(&input) {
                let end = body.end;
                let target: Vec<&str> = head.split(' ').take(2).collect();
                let answer =
                    self.answer(&target, &input[body]).unwrap_or_else(|| response("404 Not Found", &()));
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
                input.drain(..end);
            } else if input.len() > LIMIT || !stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
                return;
            }
        }
    }

    fn answer(&self, target: &[&str], body: &[u8]) -> Option<Vec<u8>> {
        const SESSIONS: &str = "/internal/auth/v1/sessions/";
        const ACCOUNTS: &str = "/internal/auth/v1/accounts/";
        match target {
            ["GET", "/.well-known/jwks.json"] => {
                Some(ok(&JwkSet { keys: vec![self.key.verifying_key().to_jwk()] }))
            }
            ["GET", "/internal/auth/v1/revocations"] => Some(ok(&Revocations::default())),
            ["GET", path] => {
                Some(ok(&AccountInfo { account_id: path.strip_prefix(ACCOUNTS)?.parse().ok()? }))
            }
            ["POST", path] => {
                let session = path.strip_prefix(SESSIONS)?.strip_suffix("/device")?.parse().ok()?;
                let BindDevice { account_id, device_id } = serde_json::from_slice(body).ok()?;
                let token = self.sign(account_id, session, Some(device_id));
                Some(ok(&json!({
                    "accessToken": token, "refreshToken": "none", "expiresIn": TOKEN_SECONDS,
                })))
            }
            _ => None,
        }
    }
}

fn ok(body: &impl Serialize) -> Vec<u8> {
    response("200 OK", body)
}

fn response(status: &str, body: &impl Serialize) -> Vec<u8> {
    // Ids, numbers and texts: writing them cannot fail.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// The head of the first request, and where its body is; `None` while it is not complete.
fn request(input: &[u8]) -> Option<(String, std::ops::Range<usize>)> {
    let start = input.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&input[..start]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap_or(0))
    });
    let body = start..start + length.unwrap_or(0);
    (input.len() >= body.end).then_some((head, body))
}

#[cfg(test)]
mod tests {
    use common::crypto::jws::verify;

    use super::*;

    #[tokio::test]
    async fn a_token_verifies_with_the_keys_that_it_serves() {
        let auth = Auth::start().await.unwrap();
        let account = AccountId::new();
        let client = testkit::http::TestClient::new(auth.url());

        let keys: JwkSet = client.get("/.well-known/jwks.json").await.expect(200).json();
        let bound = client
            .post(
                &format!("/internal/auth/v1/sessions/{}/device", SessionId::new()),
                &BindDevice { account_id: account, device_id: DeviceId::new(3).unwrap() },
            )
            .await
            .expect(200)
            .value();

        let find = |_: &str| (&keys.keys[0]).try_into().ok();
        let claims: Claims = verify(&auth.token(account, None), SystemClock.now(), find).unwrap();
        assert_eq!((claims.sub, claims.did), (account, None));
        let claims: Claims = verify(bound["accessToken"].as_str().unwrap(), SystemClock.now(), find).unwrap();
        assert_eq!((claims.sub, claims.did), (account, DeviceId::new(3).ok()));
        client.get("/elsewhere").await.assert_status(404);
    }
}

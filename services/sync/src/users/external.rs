//! Accounts of others, behind the user-management API that the gateway server's documents describe.
//!
//! Its answers are bounded in time and size. The session cookies that it sets go to its next call, and no further.

use std::net::IpAddr;

use async_trait::async_trait;
use clients::{ClientError, Dispatch, Timeouts, http_client};
use common::crypto::Secret;
use common::models::E164;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::own::with_logo;
use super::{Pass, UserApi, UserApiError};
use crate::domain::UserId;
use crate::settings::{USER, UserApiSettings};

/// The API of somebody else.
pub(crate) struct External {
    http: Client,
    dispatch: Dispatch,
    settings: UserApiSettings,
}

/// As much of the list of platforms as is handed on.
#[derive(Deserialize)]
struct Platforms {
    saved_platforms: Vec<Value>,
}

/// The answer about a number.
#[derive(Deserialize)]
struct Found {
    user_id: Option<String>,
}

impl External {
    /// Makes its client.
    ///
    /// # Errors
    /// [`ClientError::Settings`].
    pub(crate) fn new(settings: UserApiSettings) -> Result<Self, ClientError> {
        let timeouts = Timeouts { connect: settings.timeout, request: settings.timeout };
        let http = http_client(timeouts, settings.needs_tls())?;
        Ok(Self { http, dispatch: Dispatch::here(), settings })
    }

    /// Shows who asks for numbers, if that is wanted.
    async fn authenticate(&self) -> Result<Pass, UserApiError> {
        let settings = &self.settings;
        if settings.authentication_url.is_empty() {
            return Ok(Pass::default());
        }
        let body = json!({"auth_id": settings.auth_id, "auth_key": settings.auth_key.expose()});
        let answer = self.send(self.http.post(&settings.authentication_url).json(&body)).await?;
        accepted(&answer)?;
        Ok(cookies(answer.headers()))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, UserApiError> {
        self.dispatch.send(request).await.map_err(unavailable)
    }

    async fn json<T: DeserializeOwned>(&self, mut answer: Response) -> Result<T, UserApiError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unavailable)? {
            if body.len() + chunk.len() > self.settings.max_answer_bytes {
                return Err(UserApiError::BadAnswer("too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| {
            // The place only: serde's words may quote the body.
            UserApiError::BadAnswer(format!("line {}, column {}", error.line(), error.column()))
        })
    }
}

#[async_trait]
impl UserApi for External {
    async fn verify(
        &self,
        user: &UserId,
        password: &Secret<String>,
        _: IpAddr,
    ) -> Result<Pass, UserApiError> {
        let url = url_of(&self.settings.verification_url, user);
        let sent = self.send(self.http.post(url).json(&json!({"password": password.expose()}))).await;
        // Its documents know one answer to the device, whether it says no or nothing; the log tells which it was.
        let answer = sent.map_err(|error| {
            tracing::warn!(%error, "a password could not be checked");
            UserApiError::Refused
        })?;
        match answer.status() {
            status if status.is_success() => {
                let pass = cookies(answer.headers());
                if pass.0.is_none() {
                    // By its documents a right password is one that opens a session; 200 alone may say anything.
                    tracing::warn!("a password was not taken: the answer set no cookie");
                    return Err(UserApiError::Refused);
                }
                Ok(pass)
            }
            status => {
                if !status.is_client_error() {
                    tracing::warn!(status = status.as_u16(), "a password could not be checked");
                }
                Err(UserApiError::Refused)
            }
        }
    }

    async fn platforms(&self, user: &UserId, pass: &Pass) -> Result<Vec<Value>, UserApiError> {
        let request = self.http.get(url_of(&self.settings.platforms_url, user));
        let answer = self.send(with_pass(request, pass)).await?;
        accepted(&answer)?;
        let Platforms { saved_platforms } = self.json(answer).await?;
        let base = &self.settings.api_url;
        Ok(saved_platforms.into_iter().map(|platform| with_logo(platform, base)).collect())
    }

    async fn with_phone(&self, phone: &E164) -> Result<Option<UserId>, UserApiError> {
        if self.settings.phone_url.is_empty() {
            return Ok(None);
        }
        let pass = self.authenticate().await?;
        let request = self.http.post(&self.settings.phone_url).json(&json!({"phone_number": phone.as_str()}));
        let answer = self.send(with_pass(request, &pass)).await?;
        if answer.status().is_client_error() {
            return Ok(None);
        }
        accepted(&answer)?;
        let Found { user_id } = self.json(answer).await?;
        let id = user_id.map(|id| id.parse());
        id.transpose().map_err(|_| UserApiError::BadAnswer("no id of a user".to_owned()))
    }
}

/// The URL may have a user's id in it.
fn unavailable(error: reqwest::Error) -> UserApiError {
    UserApiError::Unavailable(error.without_url())
}

fn accepted(answer: &Response) -> Result<(), UserApiError> {
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(UserApiError::BadAnswer(format!("status {}", status.as_u16()))),
    }
}

fn url_of(template: &str, user: &UserId) -> String {
    template.replace(USER, &utf8_percent_encode(user.as_str(), UNRESERVED).to_string())
}

/// What stays as it is in a segment of a path (RFC 3986 §2.3).
const UNRESERVED: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn with_pass(request: RequestBuilder, pass: &Pass) -> RequestBuilder {
    match &pass.0 {
        Some(cookies) => request.header(COOKIE, cookies.expose()),
        None => request,
    }
}

/// The cookies that an answer sets, as the next request shows them (RFC 6265 §5.4): names and values alone.
fn cookies(headers: &HeaderMap) -> Pass {
    let set = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs: Vec<&str> = set.filter_map(|value| value.split(';').next()).map(str::trim).collect();
    Pass((!pairs.is_empty()).then(|| Secret::new(pairs.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_one_segment_of_the_url() {
        let url = |user: &str| url_of("https://u.example/v2/users/%s/verify", &user.parse().unwrap());

        assert_eq!(url("dead3662-5f78"), "https://u.example/v2/users/dead3662-5f78/verify");
        assert_eq!(
            url("a/../b?c#d%s é"),
            "https://u.example/v2/users/a%2F..%2Fb%3Fc%23d%25s%20%C3%A9/verify"
        );
    }

    #[test]
    fn cookies_are_shown_without_what_is_said_about_them() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, "sid=hunter2; HttpOnly; Path=/".parse().unwrap());
        headers.append(SET_COOKIE, "lang=fr".parse().unwrap());

        let pass = cookies(&headers);

        assert_eq!(pass.0.as_ref().unwrap().expose(), "sid=hunter2; lang=fr");
        assert!(!format!("{pass:?}").contains("hunter2"));
        assert!(cookies(&HeaderMap::new()).0.is_none());
    }
}

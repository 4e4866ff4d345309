//! The frames of the websocket, and the URLs in them.

use actix_web::HttpRequest;
use actix_web::http::header::HOST;
use actix_web::http::uri::Authority;
use common::crypto::oaep::OaepPublicKey;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use url::Url;

use crate::domain::{SyncId, UserId};
use crate::settings::Format;

/// Keys were exchanged.
pub(super) const PAUSE: &str = "201- pause";

/// The password was right.
pub(super) const ACK: &str = "200- ack";

/// What stays as it is in a segment of a path (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where this service is reached, as the one who asks sees it: a URL without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base(String);

impl Base {
    /// The public URL, or else what the request names as its host. A name that is none is taken for this machine.
    pub(crate) fn of(public: Option<&Url>, request: &HttpRequest) -> Self {
        if let Some(url) = public {
            return Self::at(url);
        }
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = host.filter(|host| is_host(host)).unwrap_or("localhost");
        Self(format!("http://{host}"))
    }

    fn at(url: &Url) -> Self {
        Self(url.as_str().trim_end_matches('/').to_owned())
    }

    /// Where a session is shown.
    pub(crate) fn subscription(&self, user: &UserId, id: &SyncId) -> String {
        let base = self.0.replacen("http", "ws", 1);
        format!("{base}/v2/sync/init/{}/{}", segment(user), id.as_str())
    }

    /// Where gateway clients are listed.
    pub(crate) fn seeds(&self) -> String {
        format!("{}/seeds", self.0)
    }

    /// Where a device gives its key.
    fn handshake(&self, user: &UserId, shown: &SyncId) -> String {
        format!("{}{}/handshake", self.0, verification_path(user, shown))
    }
}

/// Where a device shows the password: a path.
pub(crate) fn verification_path(user: &UserId, shown: &SyncId) -> String {
    format!("/v2/sync/users/{}/sessions/{}", segment(user), shown.as_str())
}

fn segment(user: &UserId) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(user.as_str(), UNRESERVED)
}

fn is_host(text: &str) -> bool {
    text.parse::<Authority>().is_ok_and(|authority| !authority.as_str().contains('@'))
}

/// The frame that shows a URL.
pub(super) fn url(
    format: Format,
    base: &Base,
    (user, shown): (&UserId, &SyncId),
    key: &OaepPublicKey,
) -> String {
    let url = base.handshake(user, shown);
    match format {
        Format::Text => url,
        Format::Json => {
            let mobile = url.replacen("http", "app", 1);
            let frame = json!({
                "qr_url": url, "mobile_url": mobile, "server_key_fingerprint": key.fingerprint()
            });
            frame.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use common::crypto::oaep::OaepPrivateKey;
    use serde_json::Value;

    use super::*;

    fn base(public: &str, host: &str) -> Base {
        let request = TestRequest::default().insert_header((HOST, host)).to_http_request();
        Base::of(public.parse().ok().as_ref(), &request)
    }

    #[test]
    fn urls_lead_to_the_public_url_or_to_the_host_of_the_request() {
        let (user, id) = ("a b".parse().unwrap(), SyncId::new());
        for (public, host, expected) in [
            ("", "sync.example:6969", "ws://sync.example:6969"),
            ("", "[::1]:80", "ws://[::1]:80"),
            ("", "not a host", "ws://localhost"),
            ("", "user@sync.example", "ws://localhost"),
            ("https://public.example", "sync.example", "wss://public.example"),
            ("http://public.example/below/", "sync.example", "ws://public.example/below"),
        ] {
            let url = base(public, host).subscription(&user, &id);
            assert_eq!(url, format!("{expected}/v2/sync/init/a%20b/{}", id.as_str()));
        }
    }

    #[test]
    fn a_url_is_shown_bare_or_with_what_a_page_needs() {
        let key = OaepPrivateKey::from_pem(&OaepPrivateKey::generate_pem().unwrap()).unwrap();
        let (user, shown) = ("u".parse().unwrap(), SyncId::new());
        let path = format!("x.example/v2/sync/users/u/sessions/{}/handshake", shown.as_str());
        let frame = |format, public: &str| url(format, &base(public, "x"), (&user, &shown), key.public());

        let bare = frame(Format::Text, "https://x.example");
        let plain: Value = serde_json::from_str(&frame(Format::Json, "http://x.example")).unwrap();
        let secure: Value = serde_json::from_str(&frame(Format::Json, "https://x.example")).unwrap();

        assert_eq!(bare, format!("https://{path}"));
        assert_eq!(plain["mobile_url"], format!("app://{path}"));
        assert_eq!(secure["qr_url"], format!("https://{path}"));
        assert_eq!(secure["mobile_url"], format!("apps://{path}"));
        assert_eq!(secure["server_key_fingerprint"], key.public().fingerprint());
    }
}

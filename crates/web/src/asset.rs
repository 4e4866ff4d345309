//! Files of the small pages that services show to people: compiled in, and bound to what they came with.

use std::sync::OnceLock;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EntityTag, Header, IfNoneMatch,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

/// What a page may do: nothing from elsewhere, and no script that was made out of text. Pictures may be `data:` URLs.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Colours and type of pages, a style sheet to come before a page's own.
pub const PALETTE: &str = include_str!("../assets/palette.css");

/// A file of a page.
#[derive(Debug)]
pub struct Asset {
    content_type: &'static str,
    text: &'static str,
    tag: OnceLock<String>,
}

impl Asset {
    /// A page.
    #[must_use]
    pub const fn html(text: &'static str) -> Self {
        Self::new("text/html; charset=utf-8", text)
    }

    /// A script.
    #[must_use]
    pub const fn script(text: &'static str) -> Self {
        Self::new("text/javascript; charset=utf-8", text)
    }

    /// A style sheet.
    #[must_use]
    pub const fn style(text: &'static str) -> Self {
        Self::new("text/css; charset=utf-8", text)
    }

    /// A picture.
    #[must_use]
    pub const fn svg(text: &'static str) -> Self {
        Self::new("image/svg+xml", text)
    }

    const fn new(content_type: &'static str, text: &'static str) -> Self {
        Self { content_type, text, tag: OnceLock::new() }
    }

    /// Answers with the file, or with 304 where the client has it.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let tag = self.tag();
        let known = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
            Err(_) => false,
        };
        let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, tag))
            // A new release is seen at the next visit, in all files of a page at once.
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        if known {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, self.content_type)).body(self.text)
    }

    /// What tells this release of the file from others.
    fn tag(&self) -> EntityTag {
        let tag = self.tag.get_or_init(|| URL_SAFE_NO_PAD.encode(digest(&SHA256, self.text.as_bytes())));
        EntityTag::new_strong(tag.clone())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;

    use super::*;

    static SCRIPT: Asset = Asset::script("let x = 1");
    static OTHER: Asset = Asset::script("let x = 2");

    #[test]
    fn a_client_that_has_the_file_gets_it_no_second_time() {
        let first = SCRIPT.answer(&TestRequest::get().to_http_request());
        let tag = first.headers().get(ETAG).unwrap().to_str().unwrap();
        let again = TestRequest::get().insert_header(("if-none-match", tag)).to_http_request();

        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers().get(CONTENT_TYPE).unwrap(), "text/javascript; charset=utf-8");
        assert_eq!(SCRIPT.answer(&again).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(OTHER.answer(&again).status(), StatusCode::OK);
    }
}

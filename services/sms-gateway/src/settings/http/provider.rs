//! From settings that have no fault to the provider that they describe.

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use super::{HttpHeader, HttpMethod, HttpSettings, Template};
use crate::domain::provider::generic::{Body, Generic, Header};

impl HttpHeader {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&self) -> Result<Header, String> {
        let name: HeaderName = self.name.parse().map_err(|_| "a name is none".to_owned())?;
        let value: Template = self.value.expose().parse().map_err(|error| format!("{error}"))?;
        value.check_header().map_err(|error| error.to_string())?;
        HeaderValue::from_str(self.value.expose())
            .map_err(|_| "a value does not fit on a line".to_owned())?;
        Ok(Header { name, value, source: self.value.clone() })
    }
}

impl HttpSettings {
    /// Makes the provider; `None` when the settings have a fault.
    pub(crate) fn provider(&self) -> Option<Generic> {
        let pairs = |pairs: &std::collections::BTreeMap<String, Template>| {
            pairs.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let body = match &self.json {
            Some(document) => Body::Json(document.clone()),
            None if self.form.is_empty() => Body::None,
            None => Body::Form(pairs(&self.form)),
        };
        Some(Generic {
            name: self.name.to_string(),
            method: match self.method {
                HttpMethod::Post => Method::POST,
                HttpMethod::Get => Method::GET,
                HttpMethod::Put => Method::PUT,
            },
            url: self.url.clone()?,
            username: self.username.clone(),
            password: self.password.clone(),
            basic_auth: self.basic_auth,
            headers: self.headers.iter().map(HttpHeader::read).collect::<Result<_, _>>().ok()?,
            query: pairs(&self.query),
            body,
            encodings: (self.encodings.gsm.clone(), self.encodings.unicode.clone()),
            validity_max: self.validity_max,
            accepted: self.accepted.clone(),
            throttled: self.throttled.clone(),
            refused: self.refused.clone(),
            id: self.id.clone(),
            detail: self.detail.clone(),
            receipts_secret: self
                .receipts
                .as_ref()
                .map(|receipts| receipts.secret.clone())
                .unwrap_or_default(),
        })
    }
}

//! Pages: which one is asked for, and the headers that lead to the others.

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use common::models::UnixMillis;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::form_urlencoded;

use super::super::refusal::Refusal;
use crate::app::State;

/// Items of a page unless more are asked for.
const SIZE: i64 = 10;

/// Items of a page at most.
const MAX_SIZE: i64 = 100;

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    number: i64,
    size: i64,
}

impl Page {
    /// Reads a page; both are whole numbers from 1.
    pub(super) fn read(number: Option<&str>, size: Option<&str>) -> Result<Self, Refusal> {
        let read = |text: Option<&str>, name: &str, default: i64| match text.map(str::parse::<i64>) {
            None => Ok(default),
            Some(Ok(value)) if value >= 1 => Ok(value),
            Some(_) => Err(Refusal::invalid(format!("{name} is a whole number from 1"))),
        };
        let (number, size) = (read(number, "page", 1)?, read(size, "per_page", SIZE)?);
        Ok(Self { number, size: size.min(MAX_SIZE) })
    }

    pub(super) fn size(self) -> i64 {
        self.size
    }

    pub(super) fn offset(self) -> i64 {
        self.number.saturating_sub(1).saturating_mul(self.size)
    }

    /// Begins an answer of this page of `total` items.
    pub(super) fn head(self, state: &State, request: &HttpRequest, total: i64) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        response
            .insert_header(("x-total-count", total.to_string()))
            .insert_header(("x-page", self.number.to_string()))
            .insert_header(("x-per-page", self.size.to_string()));
        let base = match &state.platform.settings.http.public_url {
            Some(base) => base.as_str().trim_end_matches('/').to_owned(),
            None => {
                let seen = request.connection_info();
                format!("{}://{}", seen.scheme(), seen.host())
            }
        };
        let links = self.links(&format!("{base}{}", request.path()), request.query_string(), total);
        response.insert_header(("link", links));
        response
    }

    /// The header `Link` (RFC 8288): `first` and `prev` from page 2 on, `next` but for the last page. The filters stay.
    fn links(self, url: &str, query: &str, total: i64) -> String {
        let last = (total.saturating_add(self.size - 1) / self.size).max(1);
        let mut wanted = vec![("self", self.number), ("last", last)];
        if self.number > 1 {
            wanted.extend([("first", 1), ("prev", (self.number - 1).min(last))]);
        }
        if self.number < last {
            wanted.push(("next", self.number + 1));
        }
        let kept: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .filter(|(name, _)| name != "page" && name != "per_page")
            .collect();
        let link = |(relation, number): (&str, i64)| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&kept).append_pair("page", &number.to_string());
            query.append_pair("per_page", &self.size.to_string());
            format!("<{url}?{}>; rel=\"{relation}\"", query.finish())
        };
        wanted.into_iter().map(link).collect::<Vec<_>>().join(", ")
    }
}

/// Reads an instant as ISO 8601 has it: with a zone (RFC 3339), without one, which is UTC, or a day, which is its begin.
pub(super) fn instant(text: &str) -> Result<UnixMillis, Refusal> {
    let read = ["", "Z", "T00:00:00Z"]
        .into_iter()
        .find_map(|rest| OffsetDateTime::parse(&format!("{text}{rest}"), &Rfc3339).ok())
        .and_then(|instant| i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok());
    let form = "last_published_date is a day or an instant such as 2024-05-31 or 2024-05-31T12:34:56Z";
    read.map(UnixMillis).ok_or_else(|| Refusal::invalid(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relations(number: &str, total: i64) -> Vec<String> {
        let page = Page::read(Some(number), Some("10")).unwrap();
        let links = page.links("http://h/v3/clients", "country=a%26b&page=9", total);
        links.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn links_lead_to_the_other_pages_and_keep_the_filters() {
        let link = |relation: &str, page: u8| {
            format!("<http://h/v3/clients?country=a%26b&page={page}&per_page=10>; rel=\"{relation}\"")
        };

        assert_eq!(relations("1", 25), [link("self", 1), link("last", 3), link("next", 2)]);
        assert_eq!(
            relations("2", 25),
            [link("self", 2), link("last", 3), link("first", 1), link("prev", 1), link("next", 3)]
        );
        assert_eq!(relations("3", 25), [link("self", 3), link("last", 3), link("first", 1), link("prev", 2)]);
        assert_eq!(relations("1", 0), [link("self", 1), link("last", 1)]);
    }

    #[test]
    fn pages_and_instants_that_are_none_are_refused() {
        for wrong in ["0", "-1", "x", "", "1.5", "99999999999999999999"] {
            assert!(
                Page::read(Some(wrong), None).is_err() && Page::read(None, Some(wrong)).is_err(),
                "{wrong}"
            );
        }
        assert_eq!(Page::read(None, Some("1000")).unwrap(), Page { number: 1, size: MAX_SIZE });
        for wrong in ["2024-02-30", "yesterday", "", "Z", "T00:00:00", "2024-05-31T25:00:00", "2024-05-31Z"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn instants_have_a_zone_or_are_utc() {
        for (text, millis) in [
            ("1970-01-02", 86_400_000),
            ("1970-01-02T00:00:01", 86_401_000),
            ("1970-01-02T00:00:01.25", 86_401_250),
            ("1970-01-02 00:00:01", 86_401_000),
            ("1970-01-02T00:00:01Z", 86_401_000),
            ("1970-01-02T00:00:01+00:00", 86_401_000),
            ("1970-01-02T01:00:01.999999+01:00", 86_401_999),
            ("1969-12-31T23:59:59", -1000),
        ] {
            assert_eq!(instant(text).unwrap(), UnixMillis(millis), "{text}");
        }
    }
}

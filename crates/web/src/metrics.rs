//! The server's own series, and the one page that shows those of all services.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};
use prometheus::{
    Encoder, HistogramVec, IntCounterVec, IntGauge, Registry, TextEncoder,
    proto::{LabelPair, MetricFamily},
};

use crate::Failure;

telemetry::metrics! {
    /// What the HTTP side reports. `route` is the pattern, never the path.
    pub(crate) struct HttpMetrics("") {
        /// Requests answered.
        http_requests_total: IntCounterVec = &["method", "route", "status"],
        /// Time from the head of a request to the head of its answer.
        http_request_duration_seconds: HistogramVec = (
            &["method", "route"],
            &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]
        ),
        /// Websockets open.
        websockets_open: IntGauge,
    }
}

/// The registries behind `/metrics`.
pub(crate) struct Registries {
    process: Registry,
    services: Vec<(&'static str, Registry)>,
}

impl Registries {
    pub(crate) fn new(process: Registry, services: Vec<(&'static str, Registry)>) -> Self {
        Self { process, services }
    }

    /// Gathers all series; a name that several services use stays one family.
    fn gather(&self) -> Vec<MetricFamily> {
        let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
        let own = self.process.gather().into_iter().map(|family| (None, family));
        let services = self.services.iter().flat_map(|(name, registry)| {
            registry.gather().into_iter().map(move |family| (Some(*name), family))
        });
        for (service, mut family) in own.chain(services) {
            let mut series = family.take_metric();
            if let Some(service) = service {
                for one in &mut series {
                    let mut label = LabelPair::default();
                    label.set_name("service".to_owned());
                    label.set_value(service.to_owned());
                    let mut labels = one.take_label();
                    labels.push(label);
                    one.set_label(labels);
                }
            }
            families.entry(family.name().to_owned()).or_insert(family).mut_metric().extend(series);
        }
        families.into_values().collect()
    }
}

pub(crate) async fn page(registries: Data<Registries>) -> Result<HttpResponse, Failure> {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    encoder
        .encode(&registries.gather(), &mut text)
        .map_err(|error| Failure::internal(format!("metrics cannot be encoded: {error}")))?;
    Ok(HttpResponse::Ok().content_type(encoder.format_type().to_owned()).body(text))
}

#[cfg(test)]
mod tests {
    use prometheus::IntCounter;

    use super::*;

    #[test]
    fn series_of_the_same_name_become_one_family() {
        let services = ["auth", "mailbox"].map(|name| {
            let registry = Registry::new();
            let counter = IntCounter::new("commits_total", "Commits.").unwrap();
            registry.register(Box::new(counter)).unwrap();
            (name, registry)
        });

        let mut text = Vec::new();
        let families = Registries::new(Registry::new(), services.into()).gather();
        TextEncoder::new().encode(&families, &mut text).unwrap();

        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches("# TYPE commits_total counter").count(), 1, "{text}");
        assert!(text.contains("commits_total{service=\"auth\"} 0"), "{text}");
        assert!(text.contains("commits_total{service=\"mailbox\"} 0"), "{text}");
    }
}

//! Settings of actix's own extractors, and small ones of ours.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::{JsonPayloadError, PathError, QueryPayloadError},
    web::{JsonConfig, PathConfig, PayloadConfig, QueryConfig, ServiceConfig},
};
use common::models::problem::{Problem, ProblemKind};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::Failure;

/// Gives refusals of paths, queries and bodies the form of a problem.
pub(crate) fn configure(config: &mut ServiceConfig, body_limit: usize) {
    config
        .app_data(PathConfig::default().error_handler(|error, _| path(&error).into()))
        .app_data(QueryConfig::default().error_handler(|error, _| query(&error).into()))
        .app_data(JsonConfig::default().limit(body_limit).error_handler(|error, _| json(&error).into()))
        .app_data(PayloadConfig::new(body_limit));
}

fn path(error: &PathError) -> Failure {
    Failure::invalid("path", cause(error))
}

fn query(error: &QueryPayloadError) -> Failure {
    Failure::invalid("query", cause(error))
}

/// The cause alone: actix's own text before it says nothing to a client.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn json(error: &JsonPayloadError) -> Failure {
    let problem = match error {
        JsonPayloadError::OverflowKnownLength { limit, .. } | JsonPayloadError::Overflow { limit } => {
            Problem::new(ProblemKind::TooLarge).with_detail(format!("the body may have {limit} bytes"))
        }
        JsonPayloadError::ContentType => {
            Problem::new(ProblemKind::UnsupportedMediaType).with_detail("the body must be application/json")
        }
        other => Problem::invalid("", cause(other)),
    };
    Failure::problem(problem)
}

/// Extractor: tells a handler that waits (long poll, event stream) that the process is stopping.
#[derive(Clone, Debug)]
pub struct Shutdown(pub(crate) CancellationToken);

impl Shutdown {
    /// Resolves when the process stops.
    pub fn wait(&self) -> WaitForCancellationFutureOwned {
        self.0.clone().cancelled_owned()
    }

    /// Returns the token itself.
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }
}

impl FromRequest for Shutdown {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            request.app_data::<Self>().cloned().ok_or_else(|| Failure::internal("not hosted by web::Server")),
        )
    }
}

//! The routes, once: the server and the interface description are made from this list.

use utoipa_actix_web::service_config::ServiceConfig;

/// Routes of the public listener.
pub(crate) fn public(_config: &mut ServiceConfig<'_>) {}

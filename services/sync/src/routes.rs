//! The routes, once: the server and the interface description are made from these lists.

use utoipa_actix_web::service_config::ServiceConfig;

/// Routes of the public listener.
pub(crate) fn public(_config: &mut ServiceConfig<'_>) {}

/// Routes of the internal listener.
pub(crate) fn internal(_config: &mut ServiceConfig<'_>) {}

//! The routes, once: the server and the interface description are made from this list.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::{devices, keys};

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config
        // The most frequent one first: patterns are tried one after the other, at a microsecond each.
        .service(keys::fetch)
        .service(devices::register)
        .service(devices::list)
        .service(devices::rename)
        .service(devices::remove)
        .service(keys::upload)
        .service(keys::counts)
        .service(keys::reset)
        .service(keys::check)
        .service(keys::check_identities);
}

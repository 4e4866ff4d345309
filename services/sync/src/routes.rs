//! The routes, once: the server and the interface description are made from these lists.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::{page, provisioning};

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config
        .service(provisioning::connect)
        .service(page::html)
        .service(page::script)
        .service(page::shared_script)
        .service(page::style)
        .service(page::picture)
        .service(provisioning::scanned)
        .service(provisioning::hand_over);
}

/// Routes of the internal listener.
pub(crate) fn internal(_config: &mut ServiceConfig<'_>) {}

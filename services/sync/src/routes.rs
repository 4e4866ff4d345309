//! The routes, once: the server and the interface description are made from these lists.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::{devices, internal, page, provisioning, sessions, websocket};

/// Routes of the public listener. Pause, ack and rotation are no routes: they happen within.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config
        .service(sessions::start)
        .service(sessions::exchange)
        .service(sessions::synchronize)
        .service(websocket::init)
        .service(devices::list)
        .service(devices::forget)
        .service(provisioning::connect)
        .service(provisioning::scanned)
        .service(provisioning::hand_over)
        .service(page::html)
        .service(page::script)
        .service(page::shared_script)
        .service(page::style)
        .service(page::picture)
        .service(page::sync_html)
        .service(page::sync_script);
}

/// Routes of the internal listener.
pub(crate) fn internal(config: &mut ServiceConfig<'_>) {
    config.service(internal::keys_of_phone);
}

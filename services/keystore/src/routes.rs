//! The routes, once: the server and the interface description are made from this list.

use service::signal_server::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::compat::signal_server;
use crate::handlers::{devices, keys, operators};

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

/// Routes of the public listener, with those of signal_server.
pub(crate) fn with_signal_server(config: &mut ServiceConfig<'_>) {
    use signal_server::{bundle, device, prekeys};

    public(config);
    config
        .service(scope("/device", device::ROUTES, device::handlers))
        .service(scope("/prekeys", prekeys::ROUTES, prekeys::handlers))
        .service(scope("/signedprekey", prekeys::SIGNED_ROUTES, prekeys::signed_handlers))
        .service(scope("/prekeybundle", bundle::ROUTES, bundle::handlers));
}

/// Routes of the internal listener, for operators.
pub fn internal(config: &mut ServiceConfig<'_>) {
    config.service(operators::devices).service(operators::remove).service(operators::audit);
}

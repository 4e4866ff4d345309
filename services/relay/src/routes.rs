//! The routes, once: the server and the interface description are made from this list.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::compat::{intake, seeds, sms, v3};
use crate::handlers::{broker_access, gateway_clients, internal};

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config
        .service(gateway_clients::register)
        .service(gateway_clients::list)
        .service(gateway_clients::rotate)
        .service(gateway_clients::revoke)
        .service(seeds::ping)
        .service(seeds::introduce)
        .service(seeds::list)
        .service(seeds::number)
        .service(seeds::list_seeders)
        .service(intake::take)
        .service(sms::send)
        .service(v3::clients)
        .service(v3::countries)
        .service(v3::tests)
        .service(v3::operators)
        .service(v3::publish)
        .service(broker_access::get)
        .service(broker_access::post);
}

/// Routes of the internal listener: other services, operators, and RabbitMQ, which has no credential to show.
pub fn internal(config: &mut ServiceConfig<'_>) {
    config
        .app_data(broker_access::InternalListener)
        .service(internal::seeds)
        .service(internal::revive)
        .service(internal::audit)
        .service(gateway_clients::register)
        .service(gateway_clients::list)
        .service(gateway_clients::rotate)
        .service(gateway_clients::revoke)
        .service(broker_access::get)
        .service(broker_access::post);
}

//! The routes, once: the server and the interface description are made from this list.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::compat::channel_api;
use crate::handlers::{channels, doors, messages, operators, page, push, tokens};

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config
        .service(messages::post_message)
        .service(messages::post_batch)
        .service(messages::post_broadcast)
        .service(channels::get_history)
        .service(channels::get_presence)
        .service(tokens::issue)
        .service(tokens::list)
        .service(tokens::revoke)
        .service(tokens::revoke_all)
        .service(push::vapid)
        .service(push::put_subscription)
        .service(push::get_subscription)
        .service(push::delete_subscription)
        .service(doors::websocket)
        .service(doors::events)
        .service(page::page)
        .service(page::part)
        .service(channel_api::post_channel)
        .service(channel_api::post_message)
        .map(channel_api::rest);
}

/// Routes of the internal listener, for operators.
pub(crate) fn internal(config: &mut ServiceConfig<'_>) {
    config.service(operators::api_keys);
}

//! The routes, once: the server and the interface description are made from these lists.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::compat::woosh;
use crate::handlers::{batch, blocks, internal, messages, websocket};

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config
        .service(batch::post_batch)
        .service(messages::put_message)
        .service(messages::get_messages)
        .service(messages::ack)
        .service(blocks::get_blocks)
        .service(blocks::put_block)
        .service(blocks::delete_block)
        .service(websocket::issue_ticket)
        .service(websocket::connect);
}

/// Routes of the public listener, with those of Woosh.
pub(crate) fn with_woosh(config: &mut ServiceConfig<'_>) {
    public(config);
    config.service(woosh::send).service(woosh::poll).service(woosh::remove).map(woosh::rest);
}

/// Routes of the internal listener.
pub(crate) fn internal(config: &mut ServiceConfig<'_>) {
    config.service(internal::open).service(internal::close);
}

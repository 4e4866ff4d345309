//! The routes, once: the server and the interface description are made from these lists.

use service::signal_server::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::compat::{signal_server, woosh};
use crate::handlers::{batch, blocks, internal, messages, operators, websocket};

/// Which interfaces of other systems are served.
#[derive(Clone, Copy)]
pub(crate) struct Compat {
    pub(crate) woosh: bool,
    pub(crate) signal_server: bool,
}

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>, compat: Compat) {
    native(config);
    // Woosh has the path itself, signal_server what is below it: a scope takes both, so it comes second.
    if compat.woosh {
        config.service(woosh::send).service(woosh::poll).service(woosh::remove).map(woosh::rest);
    }
    if compat.signal_server && compat.woosh {
        config.map(woosh::nothing_without_slash);
    }
    if compat.signal_server {
        config.service(scope("/messages", signal_server::ROUTES, signal_server::handlers));
    } else if compat.woosh {
        config.map(woosh::nothing_below);
    }
}

fn native(config: &mut ServiceConfig<'_>) {
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

/// Routes of the internal listener, for keystore and operators.
pub fn internal(config: &mut ServiceConfig<'_>) {
    config
        .service(internal::open)
        .service(internal::close)
        .service(internal::open_signal_server)
        .service(internal::close_signal_server)
        .service(operators::show)
        .service(operators::audit);
}

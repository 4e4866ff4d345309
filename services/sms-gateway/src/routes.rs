//! The routes, once: the server and the interface description are made from this list.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::admin::{api_keys, attempts, audit, binds, opt_outs, quotas, reload};
use crate::handlers::{inbound, receipts, report, sms, statuses};

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config.service(sms::send).service(statuses::read).service(inbound::read).service(report::of_caller);
    config.service(receipts::receive_with_secret).service(receipts::receive_query_with_secret);
    config.service(receipts::receive).service(receipts::receive_query);
}

/// Routes of the internal listener, for operators.
pub fn internal(config: &mut ServiceConfig<'_>) {
    config
        .service(binds::list)
        .service(binds::order)
        .service(attempts::find)
        .service(attempts::unknown)
        .service(api_keys::list)
        .service(audit::read)
        .service(opt_outs::count)
        .service(opt_outs::find)
        .service(opt_outs::add)
        .service(opt_outs::remove)
        .service(quotas::list)
        .service(report::of_any)
        .service(reload::reload);
}

//! The routes, once: the server and the interface description are made from these lists.

use service::signal_server::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::compat::{signal_server, signal_server_calls, woosh, woosh_calls};
use crate::handlers::{
    accounts, internal, invites, links, mail, operators, phone, privacy, sessions, sync_calls, totp,
};

/// Which interfaces of other systems are served.
#[derive(Clone, Copy)]
pub(crate) struct Compat {
    pub(crate) woosh: bool,
    pub(crate) signal_server: bool,
}

/// Routes of the public listener.
pub(crate) fn public(config: &mut ServiceConfig<'_>, compat: Compat) {
    native(config);
    if compat.woosh {
        woosh(config);
    }
    if compat.signal_server {
        config.service(scope("/auth", signal_server::ROUTES, signal_server::handlers));
    }
}

fn native(config: &mut ServiceConfig<'_>) {
    config
        .service(accounts::register)
        .service(accounts::current)
        .service(accounts::find)
        .service(accounts::change_password)
        .service(mail::set_email)
        .service(mail::verify)
        .service(mail::request_reset)
        .service(mail::reset)
        .service(phone::begin)
        .service(phone::read)
        .service(phone::send_code)
        .service(phone::check_code)
        .service(phone::set)
        .service(totp::enrol)
        .service(totp::confirm)
        .service(totp::renew_recovery_codes)
        .service(totp::disable)
        .service(accounts::delete)
        .service(sessions::log_in)
        .service(sessions::complete)
        .service(sessions::refresh)
        .service(links::issue)
        .service(links::wait)
        .service(links::exchange)
        .service(sessions::list)
        .service(sessions::log_out)
        .service(sessions::end)
        .service(sessions::log_out_everywhere)
        .service(sessions::jwks);
}

fn woosh(config: &mut ServiceConfig<'_>) {
    config
        .service(woosh::register)
        .service(woosh::read)
        .service(woosh::update)
        .service(woosh::find)
        .map(woosh::rest);
}

/// Routes of the internal listener, for other services and operators. The public keys are here too, so that services need only one address.
pub fn internal(config: &mut ServiceConfig<'_>) {
    config
        .service(internal::revocations)
        .service(internal::bind)
        .service(internal::account)
        .service(internal::devices)
        .service(signal_server_calls::account)
        .service(sync_calls::password)
        .service(sync_calls::phone)
        .service(woosh_calls::credentials)
        .service(woosh_calls::account)
        .service(woosh_calls::names)
        .service(operators::search)
        .service(operators::show)
        .service(operators::block)
        .service(operators::unblock)
        .service(operators::audit)
        .service(invites::create)
        .service(invites::list)
        .service(invites::withdraw)
        .service(privacy::erase)
        .service(sessions::jwks);
}

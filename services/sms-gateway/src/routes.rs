//! The public routes: the one list, for the server and for the interface description.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::handlers::{sms, statuses};

/// Adds the routes.
pub(crate) fn public(config: &mut ServiceConfig<'_>) {
    config.service(sms::send).service(statuses::read);
}

//! Puts the service together.

use db::Migrations;
use service::{Platform, StartError};
use web::{RoutesFn, Service};

use crate::routes;
use crate::settings::RelaySettings;

/// The service.
pub struct App;

impl service::App for App {
    const NAME: &'static str = "relay";
    type Settings = RelaySettings;

    fn migrations() -> Option<&'static Migrations> {
        None
    }

    fn routes() -> RoutesFn {
        web::routes(routes::public)
    }

    fn build(_settings: RelaySettings, _platform: &Platform) -> Result<Service, StartError> {
        let mut service = Service::new(Self::NAME);
        service.routes = Self::routes();
        Ok(service)
    }
}

//! The smallest service: a setting, a table, two routes, a memory of the account events that it was given.

use std::sync::{Arc, Mutex};

use actix_web::{HttpResponse, get};
use async_trait::async_trait;
use common::models::events::AccountEvent;
use common::models::{AsProblem, ProblemKind};
use db::Migrations;
use db::diesel_migrations::{self, embed_migrations};
use serde::Deserialize;
use service::{AccountEvents, App, DatabaseCheck, Platform, StartError, handle_account_events};
use web::{Caller, Json, RoutesFn, Service};

static MIGRATIONS: Migrations = Migrations::new(
    embed_migrations!("tests/migrations/postgres"),
    embed_migrations!("tests/migrations/sqlite"),
);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ToySettings {
    pub(crate) greeting: String,
}

pub(crate) struct Toy;

impl App for Toy {
    const NAME: &'static str = "toy-box";
    type Settings = ToySettings;

    fn migrations() -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes() -> RoutesFn {
        web::routes(|config| {
            config.service(whoami);
        })
    }

    fn build(settings: ToySettings, platform: &Platform) -> Result<Service, StartError> {
        if settings.greeting.is_empty() {
            return Err(config::ConfigError::invalid("toy_box.greeting", "is empty").into());
        }
        let mut service = Service::new(Self::NAME);
        service.routes = Self::routes();
        service.checks.push(Arc::new(DatabaseCheck::of::<Self>(platform.database(&Self::section())?)));
        let memory = Arc::new(Memory::default());
        handle_account_events(&mut service, platform, Arc::clone(&memory))?;
        let internal = Arc::clone(&service.internal);
        service.internal = web::routes(move |config| {
            internal(config);
            let memory = Arc::clone(&memory);
            let seen = move || {
                let events = memory.seen.lock().unwrap().clone();
                async move { HttpResponse::Ok().json(events) }
            };
            config.route("/internal/toy-box/v1/seen", actix_web::web::get().to(seen));
        });
        Ok(service)
    }
}

/// The caller's account
#[utoipa::path(responses((status = 200, body = String)))]
#[get("/v1/whoami")]
async fn whoami(caller: Caller) -> Json<String> {
    Json(caller.account.to_string())
}

/// Keeps the events; fails on the first `keys.low` of each process, to be tried again.
#[derive(Default)]
struct Memory {
    seen: Mutex<Vec<AccountEvent>>,
    has_failed: Mutex<bool>,
}

#[derive(Debug, thiserror::Error)]
#[error("the toy box is locked")]
pub(crate) struct Locked;

impl AsProblem for Locked {
    fn kind(&self) -> ProblemKind {
        ProblemKind::Unavailable
    }
}

#[async_trait]
impl AccountEvents for Memory {
    type Error = Locked;

    async fn apply(&self, event: &AccountEvent) -> Result<(), Locked> {
        let is_low = matches!(event.change, common::models::events::AccountChange::KeysLow { .. });
        if is_low && !std::mem::replace(&mut *self.has_failed.lock().unwrap(), true) {
            return Err(Locked);
        }
        self.seen.lock().unwrap().push(event.clone());
        Ok(())
    }
}

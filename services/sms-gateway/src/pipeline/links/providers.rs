//! Providers over HTTP, as links.

use std::sync::{Arc, Mutex, OnceLock};

use common::models::SharedClock;
use sms::{DefaultAlphabet, LongText};

use super::events::Events;
use super::http::{BackendSettings, ClientError, HttpBackend};
use super::submitter::Submitter;
use super::{Link, Session};
use crate::domain::message::Form;
use crate::domain::provider::{Provider, Wasp};
use crate::pipeline::outcomes::Flights;
use crate::settings::{HttpSettings, Settings, WaspSettings};

impl Link {
    /// Starts a provider over HTTP, which gets texts whole.
    fn spawn_http(
        settings: BackendSettings<'_>,
        max_text_octets: u16,
        (common, clock): (&Settings, &SharedClock),
    ) -> Result<Session, ClientError> {
        let (name, window) = (settings.name.clone(), settings.window);
        let agreed = Some(settings.tps).filter(|tps| *tps > 0.0);
        let (backend, events) = HttpBackend::spawn(settings, common, clock)?;
        let slowest = backend.longest();
        let submitter = Submitter::Http(backend);
        let link = Arc::new(Self {
            name,
            form: Form {
                alphabet: DefaultAlphabet::Gsm7,
                long_text: LongText::Payload { most_octets: max_text_octets },
                ..Form::default()
            },
            validity_max: None,
            query_after: None,
            receipts_by_text: false,
            order: Mutex::default(),
            submitter: Some(submitter.clone()),
            ways: Vec::new(),
            tls: None,
            responses: OnceLock::new(),
            flights: Flights::default(),
            window,
            most: window,
            slowest,
            agreed,
            outcomes: Mutex::default(),
            judged_by: common.health.clone(),
        });
        Ok(Session::new(link, submitter, Events::Http(events), None))
    }

    /// Starts a provider with the interface WASP.
    ///
    /// # Errors
    /// [`ClientError`], see its variants.
    pub(super) fn spawn_wasp(
        settings: &WaspSettings,
        around: (&Settings, &SharedClock),
    ) -> Result<Session, ClientError> {
        let wasp = Wasp {
            name: settings.name.to_string(),
            urls: settings.urls.clone(),
            username: settings.username.clone(),
            password: settings.password.clone(),
        };
        let backend = BackendSettings {
            name: settings.name.clone(),
            provider: Provider::Wasp(wasp),
            window: settings.window,
            tps: settings.tps,
            unreachable: settings.unreachable,
            connection: &settings.connection,
        };
        Self::spawn_http(backend, settings.max_text_octets, around)
    }

    /// Starts a provider that the settings describe.
    ///
    /// # Errors
    /// [`ClientError`], see its variants.
    pub(super) fn spawn_generic(
        settings: &HttpSettings,
        around: (&Settings, &SharedClock),
    ) -> Result<Option<Session>, ClientError> {
        // Settings with a fault do not get here.
        let Some(provider) = settings.provider() else { return Ok(None) };
        let backend = BackendSettings {
            name: settings.name.clone(),
            provider: Provider::Generic(Box::new(provider)),
            window: settings.window,
            tps: settings.tps,
            unreachable: settings.unreachable,
            connection: &settings.connection,
        };
        Self::spawn_http(backend, settings.max_text_octets, around).map(Some)
    }
}

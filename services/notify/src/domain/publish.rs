//! Publishing: to one channel, to many, in batches, and to whoever is connected alone.

use common::models::NotificationId;
use common::models::notify::Place;
use db::DbError;
use serde_json::value::RawValue;
use web::Rule;

use super::channel_name::ChannelName;
use super::error::NotifyError;
use super::notification::{Notification, one_line};
use super::writer::{Draft, Key, Published};
use crate::app::State;
use crate::delivery::pods;
use crate::push::Wish;
use crate::settings::Scope;

/// One notification to be published.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) channel: ChannelName,
    pub(crate) data: Box<RawValue>,
    /// For whoever is connected alone; kept nowhere, and without a place.
    pub(crate) volatile: bool,
    /// What is pushed to devices that are not connected.
    pub(crate) push: Wish,
    /// The publisher's name for it.
    pub(crate) key: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) id: NotificationId,
    /// None: it is volatile.
    pub(crate) place: Option<Place>,
    /// It was published before, under the same key.
    pub(crate) replayed: bool,
}

/// Publishes as a back-end, whose key must be for the channels and within its limits. Each has its own result.
pub(crate) async fn publish(
    state: &State,
    scope: &Scope,
    wanted: Vec<Publish>,
) -> Vec<Result<Receipt, NotifyError>> {
    let admitted = wanted.into_iter().map(|one| admit(state, scope, &one).map(|()| one)).collect();
    publish_admitted(state, &scope.name, admitted).await
}

fn admit(state: &State, scope: &Scope, publish: &Publish) -> Result<(), NotifyError> {
    if !scope.covers(&publish.channel) {
        return Err(NotifyError::ChannelForbidden);
    }
    state.limits.take(Rule::NotifyKey, &scope.name)?;
    state.limits.take(Rule::NotifyChannel, &publish.channel)?;
    Ok(())
}

/// Publishes what was let in, in its order, under the name of a publisher; the refusals among it stay where they are.
pub(crate) async fn publish_admitted(
    state: &State,
    publisher: &str,
    wanted: Vec<Result<Publish, NotifyError>>,
) -> Vec<Result<Receipt, NotifyError>> {
    let mut results: Vec<Option<Result<Receipt, NotifyError>>> = Vec::with_capacity(wanted.len());
    let mut drafts = Vec::with_capacity(wanted.len());
    for one in wanted {
        let publish = match one.and_then(|publish| check(state, publish)) {
            Ok(publish) => publish,
            Err(refusal) => {
                results.push(Some(Err(refusal)));
                continue;
            }
        };
        let Publish { channel, data, volatile, push, key } = publish;
        let notification = Notification { channel, id: NotificationId::new(), at: state.clock.now(), data };
        results.push(if volatile {
            let id = pods::publish_volatile(&state.hub, notification).meta().id;
            Some(Ok(Receipt { id, place: None, replayed: false }))
        } else {
            let key = key.map(|text| Key::new(publisher, text, &notification));
            drafts.push(Draft { notification, push, key });
            None
        });
    }
    let mut published = state.writer.publish(drafts).await.into_iter();
    let results = results
        .into_iter()
        .map(|result| result.unwrap_or_else(|| published.next().map_or_else(|| Err(lost()), receipt)));
    let results: Vec<Result<Receipt, NotifyError>> = results.collect();
    for result in &results {
        count(state, result);
    }
    results
}

fn check(state: &State, mut publish: Publish) -> Result<Publish, NotifyError> {
    let limit = state.settings.max_data_bytes;
    publish.data = one_line(publish.data);
    if publish.data.get().len() > limit { Err(NotifyError::TooLarge { limit }) } else { Ok(publish) }
}

fn receipt(published: Result<Published, NotifyError>) -> Result<Receipt, NotifyError> {
    match published? {
        Published::Stored(publication) => {
            Ok(Receipt { id: publication.meta().id, place: publication.place(), replayed: false })
        }
        Published::Replayed { id, place } => Ok(Receipt { id, place: Some(place), replayed: true }),
        Published::KeyReused => Err(NotifyError::KeyReused),
    }
}

fn lost() -> NotifyError {
    DbError::other("a publication got no answer").into()
}

fn count(state: &State, result: &Result<Receipt, NotifyError>) {
    let outcome = match result {
        Ok(Receipt { replayed: true, .. }) => "replayed",
        Ok(Receipt { place: None, .. }) => "volatile",
        Ok(_) => "stored",
        Err(error) => {
            if matches!(error, NotifyError::Db(DbError::CommitUnknown(_))) {
                // Perhaps it was stored all the same, and nobody was told.
                state.hub.ask_for_patrol();
            }
            error.outcome()
        }
    };
    state.metrics.publications_total.with_label_values(&[outcome]).inc();
}

//! `/v1/notify/history` and `/v1/notify/presence`: what was published in a channel, and who is in it.

use actix_web::get;
use actix_web::web::{Data, Query};
use common::models::Problem;
use common::models::notify::Place;
use web::{Failure, Json};

use super::bodies::{
    HistoryAnswer, HistoryQuery, KeptNotification, PresenceAnswer, PresenceQuery, PresentMember,
};
use super::key::KeyCaller;
use crate::app::State;
use crate::domain::{ChannelName, NotifyError, history};
use crate::settings::Scope;
use crate::store::presences;

/// Most notifications, and members, of one answer.
const MAX_PAGE: usize = 256;

/// Reads what was published in a channel and is still kept, oldest first.
#[utoipa::path(tag = "channels", params(HistoryQuery), responses(
    (status = 200, body = HistoryAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`channel-forbidden`"),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[get("/v1/notify/history")]
pub(crate) async fn get_history(
    state: Data<State>,
    caller: KeyCaller,
    query: Query<HistoryQuery>,
) -> Result<Json<HistoryAnswer>, Failure> {
    let HistoryQuery { channel, after, limit } = query.into_inner();
    let channel = covered(&state, &caller.0, &channel)?;
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Failure::invalid("limit", format!("expected 1 to {MAX_PAGE}")));
    }
    if after < 0 {
        return Err(Failure::invalid("after", "expected 0 or more"));
    }
    let part = history::Part::of(&state.settings, after, state.clock.now()).at_most(limit);
    let read = state.db.read(move |conn| history::read(conn, &channel, part)).await?;
    let Some(history::Page { head, publications }) = read else {
        return Ok(Json(HistoryAnswer { place: None, messages: Vec::new(), complete: true, more: false }));
    };
    let offset = |one: Option<&std::sync::Arc<crate::domain::Publication>>| {
        one.and_then(|one| one.place()).map(|place| place.offset)
    };
    let first = offset(publications.first()).unwrap_or(head.last() + 1);
    let last = offset(publications.last()).unwrap_or(head.last());
    Ok(Json(HistoryAnswer {
        place: Some(Place { offset: head.last(), epoch: head.epoch }),
        complete: first == after + 1 || after >= head.last(),
        more: last < head.last(),
        messages: publications.iter().filter_map(|one| KeptNotification::of(one)).collect(),
    }))
}

/// Tells who is present in a channel: members by whose tokens clients are in it, at any process. One whose process was
/// killed is present until its lease ends.
#[utoipa::path(tag = "channels", params(PresenceQuery), responses(
    (status = 200, body = PresenceAnswer),
    (status = 400, body = Problem),
    (status = 401, body = Problem),
    (status = 403, body = Problem, description = "`channel-forbidden`"),
    (status = 503, body = Problem),
), security(("apiKey" = [])))]
#[get("/v1/notify/presence")]
pub(crate) async fn get_presence(
    state: Data<State>,
    caller: KeyCaller,
    query: Query<PresenceQuery>,
) -> Result<Json<PresenceAnswer>, Failure> {
    let PresenceQuery { channel, after } = query.into_inner();
    let channel = covered(&state, &caller.0, &channel)?;
    let now = state.clock.now();
    let one_more = MAX_PAGE as i64 + 1;
    let read = move |conn: &mut db::DbConn| presences::members(conn, &channel, &after, one_more, now);
    let rows = state.db.read(read).await?;
    let more = rows.len() > MAX_PAGE;
    let members = rows.into_iter().take(MAX_PAGE).map(PresentMember::from).collect();
    Ok(Json(PresenceAnswer { members, more }))
}

/// Reads the name of a channel that a key must be for.
pub(super) fn covered(state: &State, scope: &Scope, channel: &str) -> Result<ChannelName, NotifyError> {
    let channel = ChannelName::parse(channel, state.settings.max_channel_bytes)?;
    if scope.covers(&channel) { Ok(channel) } else { Err(NotifyError::ChannelForbidden) }
}

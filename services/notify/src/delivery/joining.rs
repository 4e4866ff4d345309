//! From a token to the channel that it opens.

use std::net::IpAddr;

use common::models::Epoch;
use common::models::notify::Place;
use web::Rule;

use super::worker::Ticket;
use crate::app::State;
use crate::domain::{ChannelName, NotifyError, Pass, tokens};
use crate::push::{By, Online};
use crate::store::subscriptions::Device;

/// What a client shows to be let into a channel.
#[derive(Clone)]
pub(crate) struct Joining {
    /// A token of the channel, or an access token of the account whose channel it is.
    pub(crate) token: String,
    /// The last offset that it has seen, if it wants what came after it.
    pub(crate) offset: Option<i64>,
    /// The epoch in which it has seen it.
    pub(crate) epoch: Option<Epoch>,
    /// It wants to know who is present.
    pub(crate) presence: bool,
}

/// Finds the channel that a token opens, and has this process hear of it. Wrong tokens are counted by where they come
/// from.
///
/// # Errors
/// [`NotifyError::TokenRefused`], [`NotifyError::Limited`], those of the database.
pub(super) async fn open(state: &State, joining: &Joining, network: IpAddr) -> Result<Ticket, NotifyError> {
    let found = find(state, joining).await;
    let outcome = match &found {
        Ok(_) => "joined",
        Err(NotifyError::TokenRefused) => {
            state.metrics.joins_total.with_label_values(&["refused"]).inc();
            state.limits.take(Rule::NotifyTokenAddress, network)?;
            return found;
        }
        Err(_) => "failed",
    };
    state.metrics.joins_total.with_label_values(&[outcome]).inc();
    let ticket = found?;
    let channel = ticket.entered.channel();
    if channel.last().is_none() {
        let head = state.registrar.head(channel.name().clone()).await?;
        channel.begin(Place { offset: head.last(), epoch: head.epoch }, state.hub.keep());
    }
    Ok(ticket)
}

async fn find(state: &State, joining: &Joining) -> Result<Ticket, NotifyError> {
    let Joining { token, presence: attends, .. } = joining;
    // Access tokens have dots in them (RFC 7515 §7.1), ours have none.
    if token.contains('.') {
        let caller = state.gate.check(token).map_err(|error| match error {
            web::GateError::Refused => NotifyError::TokenRefused,
            web::GateError::NotReady => NotifyError::Gate(error),
        })?;
        let watch = Box::new(state.gate.watch(&caller));
        let pass = Pass::Access { watch, expires_at: caller.expires_at };
        let entered = state.hub.enter(&ChannelName::of_account(caller.account));
        let online = online(state, entered.channel().name(), By::Session(caller.session));
        let link = state.presence.link(entered.channel().name(), None, None);
        return Ok(Ticket { entered, pass, present: None, attends: *attends, online, link });
    }
    let hash = tokens::hash(token).ok_or(NotifyError::TokenRefused)?;
    let row = state.registrar.resolve(hash).await?;
    let channel = ChannelName::parse(&row.channel, usize::MAX)?;
    let present = row.member.as_ref().map(|member| state.presence.enter(&channel, member));
    let own = (row.token_id != tokens::shared_id()).then_some(row.token_id);
    let online = own.and_then(|id| online(state, &channel, By::Token(id)));
    let link = state.presence.link(&channel, row.member.clone(), own);
    Ok(Ticket {
        entered: state.hub.enter(&channel),
        pass: Pass::of(&row),
        present,
        attends: *attends,
        online,
        link,
    })
}

/// Lets those that push know that a device is connected.
fn online(state: &State, channel: &ChannelName, by: By) -> Option<Box<Online>> {
    let push = state.push.as_ref()?;
    Some(push.lookout.enter(Device { channel: channel.clone(), holder: by.to_text() }))
}

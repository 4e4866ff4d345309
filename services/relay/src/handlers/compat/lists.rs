//! What the public lists have in common: everybody may ask, so often.

use web::{ClientAddr, Rule};

use super::refusal::Refusal;
use crate::app::State;
use crate::domain::RelayError;

/// Counts a look at a list.
pub(super) fn limit(state: &State, asks: ClientAddr) -> Result<(), Refusal> {
    let taken = state.limits.take(Rule::GatewayListAddress, asks.network());
    Ok(taken.map_err(RelayError::from)?)
}

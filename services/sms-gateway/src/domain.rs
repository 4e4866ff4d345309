//! The rules of the gateway, without I/O: what a request must be, what an attempt's states mean, what an outcome says.

pub(crate) mod attempt;
pub(crate) mod inbound;
pub(crate) mod loopback;
pub(crate) mod message;
pub(crate) mod numbers;
pub(crate) mod opt_out;
pub(crate) mod order;
pub(crate) mod outcome;
pub(crate) mod price;
pub(crate) mod provider;
pub(crate) mod quota;
pub(crate) mod receipt;
pub(crate) mod recipient;
pub(crate) mod report;
pub(crate) mod route;
pub(crate) mod state;
pub(crate) mod trace;

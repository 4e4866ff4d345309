//! `sealpost gateway-client`: what a modem with a SIM does for a relay, without the modem. For trying an installation out,
//! and as an example for whoever writes a real one.
//!
//! A client's credentials are kept in a file that its owner alone can read; no command takes them as an argument.

mod consume;
mod credentials;
mod forward;
mod ping;
mod register;

use clap::Subcommand;

use crate::console::{self, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Register a client, as an operator, and keep its credentials in a file
    Register(register::Register),
    /// Say that a modem is there, once or again and again
    Ping(ping::Ping),
    /// Take SMS out of the client's queue and print each as a line of JSON, in place of sending it
    Consume(consume::Consume),
    /// Hand in SMS that a modem has received
    Forward(forward::Forward),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Register(command) => console::block_on(command.run()),
            Self::Ping(command) => console::block_on(command.run()),
            Self::Consume(command) => console::block_on(command.run()),
            Self::Forward(command) => console::block_on(command.run()),
        }
    }
}

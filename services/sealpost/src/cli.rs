//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{admin, console, gateway_client, serve, sms, smsc};

/// Self-hosted backend for end-to-end-encrypted messaging and confidential SMS delivery.
#[derive(Parser)]
#[command(name = "sealpost", version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the whole backend in this process
    Serve(Box<serve::Serve>),
    /// Ask something of a running server, as its operator
    #[command(subcommand)]
    Admin(Box<admin::Command>),
    /// Encrypt, send and follow SMS; keep the keys of SMS clients
    #[command(subcommand)]
    Sms(Box<sms::Command>),
    /// Do what a gateway client does: register, ping, take SMS out of its queue, hand SMS in
    #[command(subcommand)]
    GatewayClient(Box<gateway_client::Command>),
    /// Run an SMSC simulator that speaks SMPP 3.4
    Smsc(Box<smsc::Simulator>),
}

impl Cli {
    /// Runs the command, and tells on stderr why it failed.
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::Serve(server) => server.run(),
            Command::Admin(command) => console::end(command.run()),
            Command::Sms(command) => console::end(command.run()),
            Command::GatewayClient(command) => console::end(command.run()),
            Command::Smsc(simulator) => console::end(simulator.run()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Cli::command().debug_assert();
    }
}

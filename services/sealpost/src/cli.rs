//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    admin, backup, completions, console, doctor, gateway_client, interrupt, man, migrate, restore, serve,
    sms, smsc,
};

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
    /// Look for what is wrong with an installation, and say what to do; changes nothing
    Doctor(doctor::Doctor),
    /// Copy an installation, tables and keys, while it runs or not
    Backup(backup::Backup),
    /// Make an installation out of a backup, or only check one
    Restore(restore::Restore),
    /// Apply the pending migrations of all services, or move a standalone's tables to PostgreSQL
    Migrate(migrate::Migrate),
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
    /// Print what a shell needs to complete these commands
    Completions(completions::Completions),
    /// Write manual pages
    Man(man::Man),
}

impl Cli {
    /// Runs the command, and tells on stderr why it failed.
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::Serve(server) => server.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Backup(backup) => console::end(interrupt::block_on(|interrupt| backup.run(interrupt))),
            Command::Restore(restore) => {
                console::end(interrupt::block_on(|interrupt| restore.run(interrupt)))
            }
            Command::Migrate(migrate) => {
                console::end(interrupt::block_on(|interrupt| migrate.run(interrupt)))
            }
            Command::Completions(completions) => console::end(completions.run()),
            Command::Man(man) => console::end(man.run()),
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

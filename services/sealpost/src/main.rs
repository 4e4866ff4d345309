//! The `sealpost` program: the whole backend in one process, and the tools.
//!
//! In: the command line, the environment, one settings file. Out: `serve` prints one line on stdout when it is ready,
//! the tools print their results there; logs and errors go to stderr. Exit code 0 for success, 2 for wrong arguments or
//! settings, 1 for everything else; `doctor` ends with 1 for warnings and 2 for failures.

mod admin;
mod backup;
mod cli;
mod completions;
mod console;
mod data_dir;
mod doctor;
mod files;
mod gateway_client;
mod installation;
mod interrupt;
mod man;
mod migrate;
mod privacy;
mod remote;
mod restore;
mod serve;
mod services;
mod sms;
mod smsc;
mod tables;
mod unfinished;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}

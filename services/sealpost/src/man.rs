//! `sealpost man`: manual pages, from the same descriptions as `--help`.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use crate::cli::Cli;
use crate::console::{self, Outcome};

#[derive(Args)]
#[command(after_help = "For one user: sealpost man --to ~/.local/share/man/man1, then man sealpost-doctor")]
pub(crate) struct Man {
    /// Folder for a page for each command; made unless it is there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Man {
    /// Writes the pages.
    ///
    /// # Errors
    /// When the folder cannot be made, or a page not be written.
    pub(crate) fn run(self) -> Outcome {
        std::fs::create_dir_all(&self.to).map_err(|error| format!("{}: {error}", self.to.display()))?;
        clap_mangen::generate_to(Cli::command(), &self.to)
            .map_err(|error| format!("{}: {error}", self.to.display()))?;
        console::print_line(&format!("{}: sealpost.1 and a page for each command", self.to.display()))
    }
}

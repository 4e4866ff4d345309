//! `sealpost admin accounts export` and `erase`: what is done for the owner of one account who asks for it, over all services.

#[cfg(test)]
mod documented;
mod erase;
mod export;
mod places;
mod survey;

use clap::Subcommand;

use crate::console::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write all that the services hold of an account to a file that its owner can be given
    Export(export::Export),
    /// Erase an account in every service, see that it is gone, and say what stays and until when
    Erase(erase::Erase),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, for the person who typed it.
    pub(crate) async fn run(self) -> Outcome {
        match self {
            Self::Export(command) => command.run().await,
            Self::Erase(command) => command.run().await,
        }
    }
}

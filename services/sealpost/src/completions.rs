//! `sealpost completions`: what a shell needs to complete our commands.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::console::{self, Outcome};

#[derive(Args)]
#[command(
    after_help = "For bash: sealpost completions bash > ~/.local/share/bash-completion/completions/sealpost"
)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    ///
    /// # Errors
    /// When stdout takes nothing.
    pub(crate) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "sealpost", &mut script);
        console::print(script)
    }
}

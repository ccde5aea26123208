//! What is generated from a program's definition: completions and manual pages.

use std::io::Write as _;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use crate::Failure;

/// Prints a script that completes the program's command line in `shell`.
///
/// # Errors
/// When standard output takes no more.
pub fn print_completions(mut command: Command, shell: Shell) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    // The generator cannot report that a reader is gone, so it writes to memory first.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script).map_err(Failure::output)
}

/// Writes one page for the program and one for each of its commands to an existing directory.
///
/// # Errors
/// When a page cannot be written.
pub fn write_man_pages(command: Command, directory: &Path) -> Result<(), Failure> {
    let command = command.disable_help_subcommand(true);
    clap_mangen::generate_to(command, directory)
        .map_err(Failure::file("write manual pages to", directory))
}

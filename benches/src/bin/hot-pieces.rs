//! Runs one hot piece alone, so that its instructions can be counted: without arguments it lists them, with a name and a
//! number it runs that piece so often. `logan-bench guard` calls it in this way.

use std::io::Write as _;
use std::process::ExitCode;

use benches::pieces::PIECES;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => list(),
        [name, times] => run(name, times),
        _ => refuse("usage: hot-pieces [NAME TIMES]"),
    }
}

fn list() -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let written = PIECES
        .iter()
        .try_for_each(|(name, _)| writeln!(stdout, "{name}"));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error.to_string()),
    }
}

fn run(name: &str, times: &str) -> ExitCode {
    let piece = PIECES.iter().find(|(known, _)| *known == name);
    let (Some((_, piece)), Ok(times)) = (piece, times.parse()) else {
        return refuse("there is no such piece, or no such number");
    };
    piece(times);
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    // When standard error is gone, too, there is nobody left to tell.
    drop(writeln!(std::io::stderr(), "{why}"));
    ExitCode::from(2)
}

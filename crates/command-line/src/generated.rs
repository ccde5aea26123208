//! What is generated from a program's definition: completions and manual pages.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

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
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_pages(&command, None, directory)
        .map_err(Failure::file("write manual pages to", directory))
}

/// Writes the page of a command and those of its commands.
fn write_pages(command: &Command, parent: Option<&str>, directory: &Path) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    let file_name = man.get_filename();
    let name = file_name.trim_end_matches(".1");
    let commands = command.get_subcommands().filter(|it| !it.is_hide_set());
    let commands: Vec<&Command> = commands.collect();
    for one in &commands {
        write_pages(one, Some(name), directory)?;
    }
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if !commands.is_empty() {
        man.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_help().map(ToString::to_string);
    page.extend(sections(help.as_deref().unwrap_or_default()).into_bytes());
    let related = parent.map(str::to_owned).into_iter();
    let related = related.chain(
        commands
            .iter()
            .map(|it| format!("{name}-{}", it.get_name())),
    );
    if command.get_version().is_some() {
        man.render_version_section(&mut page)?;
    }
    page.extend(see_also(related).into_bytes());
    fs::write(directory.join(file_name), page)
}

/// What stands below the options of `--help` as sections of a manual page, in their conventional order: a heading is a line
/// that ends with a colon at its very beginning, and what follows keeps its lines.
fn sections(help: &str) -> String {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let heading = line.strip_suffix(':').filter(|it| !it.starts_with(' '));
        if let Some(heading) = heading {
            found.push((section_name(heading), String::new()));
            continue;
        }
        if found.is_empty() {
            found.push(("NOTES".to_owned(), String::new()));
        }
        if let Some((_, text)) = found.last_mut() {
            text.push_str(&literal(line.strip_prefix("  ").unwrap_or(line)));
            text.push('\n');
        }
    }
    found.sort_by_key(|(name, _)| place(name));
    let pages = found.iter();
    let pages =
        pages.map(|(name, text)| format!(".SH \"{name}\"\n.nf\n{}\n.fi\n", text.trim_end()));
    pages.collect()
}

/// Where a section stands among others. Source: man-pages(7).
fn place(name: &str) -> usize {
    let order = ["EXIT STATUS", "ENVIRONMENT", "FILES"];
    let others = order.len();
    match name {
        "EXAMPLES" => others + 1,
        _ => order.iter().position(|it| *it == name).unwrap_or(others),
    }
}

/// Source: man-pages(7), the conventional names.
fn section_name(heading: &str) -> String {
    match heading {
        "Exit codes" => "EXIT STATUS".to_owned(),
        other => other.to_uppercase(),
    }
}

fn see_also(related: impl Iterator<Item = String>) -> String {
    let related: Vec<String> = related
        .map(|name| format!(".BR {} (1)", literal(&name)))
        .collect();
    if related.is_empty() {
        return String::new();
    }
    format!(".SH \"SEE ALSO\"\n{}\n", related.join(",\n"))
}

/// A line that the formatter takes as it is.
fn literal(line: &str) -> String {
    let escaped = line.replace('\\', "\\e").replace('-', "\\-");
    match escaped.chars().next() {
        // At the beginning of a line these are requests.
        Some('.' | '\'') => format!("\\&{escaped}"),
        _ => escaped,
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    #[test]
    fn headings_of_the_help_are_sections_of_the_page() {
        let page = sections("Examples:\n  a --b\n      c\n\nExit codes:\n  0  well\n  .x");
        assert_eq!(
            page,
            ".SH \"EXIT STATUS\"\n.nf\n0  well\n\\&.x\n.fi\n.SH \"EXAMPLES\"\n.nf\na \\-\\-b\n    c\n.fi\n"
        );
        let page = sections("Some words.\n\nExamples:\n  a");
        assert!(
            page.starts_with(".SH \"NOTES\"\n.nf\nSome words.\n.fi\n"),
            "{page}"
        );
        assert_eq!(sections(""), "");
    }

    #[test]
    fn pages_name_each_other() {
        let directory = std::env::temp_dir().join(format!("logan-man-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let command = Command::new("one").version("1.2").subcommand(
            Command::new("two")
                .arg(Arg::new("file"))
                .after_help("Examples:\n  one two"),
        );
        write_man_pages(command, &directory).expect("pages");
        let read = |name: &str| fs::read_to_string(directory.join(name)).expect("a page");
        let (one, two) = (read("one.1"), read("one-two.1"));
        fs::remove_dir_all(&directory).expect("it is there");
        assert!(
            one.contains(".SH \"SEE ALSO\"\n.BR one\\-two (1)\n"),
            "{one}"
        );
        assert!(one.contains("1.2"), "{one}");
        assert!(
            two.contains(".SH \"EXAMPLES\"\n.nf\none two\n.fi\n"),
            "{two}"
        );
        assert!(two.contains(".BR one (1)\n"), "{two}");
    }
}

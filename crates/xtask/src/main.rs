//! Development tasks: the protocol's schema and generated code, and (as tests) the tidy checks.

mod codegen;
mod extract;
mod schema;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

/// Development tasks of the Logan workspace.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask generate\n  cargo xtask extract-schema kafka-clients-4.3.1.jar kafka-metadata-4.3.1.jar\n  cargo xtask verify-schema target/jars/*.jar"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write crates/protocol/src/generated from crates/protocol/schema.
    Generate,
    /// Write crates/protocol/schema from the message specifications in Kafka's jars.
    ExtractSchema {
        /// The jars of org.apache.kafka, all of one version.
        #[arg(required = true)]
        jars: Vec<PathBuf>,
    },
    /// Check that crates/protocol/schema says what Kafka's jars say.
    VerifySchema {
        /// The jars of org.apache.kafka, all of one version.
        #[arg(required = true)]
        jars: Vec<PathBuf>,
    },
}

fn main() -> Result<()> {
    let root = workspace_root();
    match Arguments::parse().task {
        Task::Generate => generate(&root),
        Task::ExtractSchema { jars } => {
            let text = extract::schema_of_jars(&jars)?;
            write(&schema_path(&root), &text)
        }
        Task::VerifySchema { jars } => {
            let expected = extract::schema_of_jars(&jars)?;
            if read(&schema_path(&root))? != expected {
                bail!(
                    "the committed schema differs from the jars: run `cargo xtask extract-schema` and compare"
                );
            }
            Ok(())
        }
    }
}

fn generate(root: &Path) -> Result<()> {
    let messages = schema::parse(&read(&schema_path(root))?)?;
    let directory = generated_path(root);
    for (name, content) in codegen::generate(&messages)? {
        write(&directory.join(name), &content)?;
    }
    Ok(())
}

/// The top of the workspace.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("xtask lies two levels below the top")
        .to_path_buf()
}

fn schema_path(root: &Path) -> PathBuf {
    root.join("crates/protocol/schema/kafka-4.3.1.schema")
}

fn generated_path(root: &Path) -> PathBuf {
    root.join("crates/protocol/src/generated")
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn write(path: &Path, content: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{codegen, generated_path, read, schema, schema_path, workspace_root};

    #[test]
    fn generated_code_is_up_to_date() {
        let root = workspace_root();
        let text = read(&schema_path(&root)).expect("the schema is committed");
        let messages = schema::parse(&text).expect("the schema parses");
        let files = codegen::generate(&messages).expect("the schema generates");
        let directory = generated_path(&root);
        for (name, content) in &files {
            let committed = read(&directory.join(name)).expect("every generated file is committed");
            assert!(
                committed == *content,
                "{name} is stale: run `cargo xtask generate`"
            );
        }
        let on_disk = std::fs::read_dir(&directory)
            .expect("the directory exists")
            .count();
        assert_eq!(
            on_disk,
            files.len(),
            "a generated file has no message any more"
        );
    }

    #[test]
    fn schema_text_round_trips() {
        let text = read(&schema_path(&workspace_root())).expect("the schema is committed");
        let messages = schema::parse(&text).expect("the schema parses");
        assert!(schema::print(&messages) == text);
    }
}

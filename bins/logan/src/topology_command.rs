//! `logan topology`: draws the machine, where a broker's threads would run on it, and why.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use command_line::{Failure, Output, OutputFormat};
use config::BrokerConfig;
use serde::Serialize;
use topology::{DataDirectory, Machine, Plan, Root, cpu_list};

use crate::args::TopologyArgs;
use crate::config_commands;
use crate::cores::Cores;
use crate::written::Written;

/// Columns of a drawing at most.
const WIDTH_MAX: usize = 100;

/// Carries out the command.
pub(crate) fn run(args: &TopologyArgs) -> ExitCode {
    let output = Output::local(args.output, args.color);
    config_commands::ended(show(args, &output), &output)
}

fn show(args: &TopologyArgs, output: &Output) -> Result<(), Failure> {
    let config = configure(&Written::new(&args.written))?;
    let root = args.root.as_ref().map_or_else(Root::system, Root::at);
    if !root.has("sys") && !root.has("proc") {
        let problem = format!("{} has neither sys nor proc", root.locate("").display());
        return Err(Failure::usage(
            problem,
            "--root is a copy of a machine's files",
        ));
    }
    let cores = Cores::plan(&config, &root).map_err(|error| {
        Failure::usage(
            format!("{error:#}"),
            "`logan topology --override shard.cores=auto` shows what the machine has",
        )
    })?;
    match output.format() {
        OutputFormat::Table => output.write(&drawing(&cores, output)),
        OutputFormat::Json | OutputFormat::Yaml => {
            output.write(&output.structured(&Whole::of(&cores))?)
        }
    }
}

fn configure(written: &Written) -> Result<BrokerConfig, Failure> {
    let sources = written
        .read()
        .and_then(|text| written.sources(text.as_deref()));
    let config = sources.and_then(|sources| BrokerConfig::from_sources(&sources));
    config.map_err(|error| {
        Failure::usage(
            error.to_string(),
            "`logan config check FILE` says everything that is wrong with a file",
        )
    })
}

/// All of it, for programs.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    machine: &'a Machine,
    data_directories: &'a [DataDirectory],
    plan: &'a Plan,
}

impl<'a> Whole<'a> {
    fn of(cores: &'a Cores) -> Self {
        Self {
            machine: &cores.machine,
            data_directories: &cores.data,
            plan: &cores.plan,
        }
    }
}

/// What happens on a CPU, in two letters and a legend.
struct Marks<'a> {
    machine: &'a Machine,
    plan: &'a Plan,
}

const BESIDE: &str = "+";
const FREE: &str = ".";
const CLOSED: &str = "-";
const ISOLATED: &str = "i";
const OFFLINE: &str = "off";

impl Marks<'_> {
    fn of(&self, cpu: usize) -> String {
        let shard = self.plan.shards.iter().position(|it| it.cpu == Some(cpu));
        if let Some(shard) = shard {
            return format!("s{shard}");
        }
        let known = self.machine.cpus.get(&cpu);
        let mark = match known {
            Some(known) if !known.is_online => OFFLINE,
            _ if self.plan.beside.contains(&cpu) => BESIDE,
            Some(known) if known.is_isolated => ISOLATED,
            _ if !self.machine.allowed.contains(&cpu) => CLOSED,
            _ => FREE,
        };
        mark.to_owned()
    }

    /// What the marks in a drawing mean.
    fn legend(drawn: &BTreeSet<String>) -> String {
        let meanings = [
            (BESIDE, "for the threads beside the shards"),
            (FREE, "for any thread"),
            (CLOSED, "not for this process"),
            (ISOLATED, "isolated from the scheduler"),
            (OFFLINE, "offline"),
        ];
        let has_shards = drawn.iter().any(|mark| mark.starts_with('s'));
        let shards = has_shards.then(|| "sN shard N".to_owned());
        let others = meanings.iter().filter(|(mark, _)| drawn.contains(*mark));
        let others = others.map(|(mark, meaning)| format!("{mark} {meaning}"));
        shards
            .into_iter()
            .chain(others)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn drawing(cores: &Cores, output: &Output) -> String {
    let (machine, plan) = (&cores.machine, &cores.plan);
    let mut text = format!("{}\n  {}\n", output.heading("Machine"), summary(machine));
    let marks = Marks { machine, plan };
    let mut drawn = BTreeSet::new();
    let nodes: BTreeSet<usize> = machine.cpus.values().map(|cpu| cpu.node).collect();
    for node in nodes.iter().copied().chain(
        machine
            .nodes
            .keys()
            .copied()
            .filter(|node| !nodes.contains(node)),
    ) {
        draw_node(&mut text, node, cores, output);
        draw_cores(&mut text, node, &marks, &mut drawn);
    }
    if !drawn.is_empty() {
        // Writing to a string cannot fail.
        let _infallible = writeln!(text, "  {}", Marks::legend(&drawn));
    }
    draw_devices(&mut text, None, cores);
    let shards = match plan.shards.len() {
        1 => "1 shard".to_owned(),
        count => format!("{count} shards"),
    };
    let _infallible = write!(
        text,
        "\n{}\n  {shards}{}\n  router      {}\n  beside      {}\n",
        output.heading("Plan"),
        match plan.shard_cpus() {
            cpus if cpus.is_empty() => ", pinned nowhere".to_owned(),
            cpus => format!(" on the CPUs {}", cpu_list::format(&cpus)),
        },
        place(&plan.router),
        place(&plan.beside),
    );
    for (title, sentences) in [("Why", &plan.reasons), ("Advice", &plan.advice)] {
        if !sentences.is_empty() {
            let lines: String = sentences.iter().map(|it| format!("  - {it}\n")).collect();
            let _infallible = write!(text, "\n{}\n{lines}", output.heading(title));
        }
    }
    text
}

fn place(cpus: &[usize]) -> String {
    match cpus {
        [] => "anywhere".to_owned(),
        _ => format!("CPUs {}", cpu_list::format(cpus)),
    }
}

fn summary(machine: &Machine) -> String {
    let cpus = machine.cpus.values();
    let packages: BTreeSet<_> = cpus.clone().filter_map(|cpu| cpu.package).collect();
    let cores: BTreeSet<_> = cpus.map(|cpu| cpu.core).collect();
    let mut parts = Vec::from_iter(machine.model.clone());
    parts.push(counted(packages.len().max(1), "socket"));
    parts.push(counted(machine.nodes.len().max(1), "NUMA node"));
    parts.push(counted(cores.len(), "core"));
    parts.push(counted(machine.cpus.len(), "CPU"));
    parts.extend(machine.memory_bytes.map(gibibytes));
    let mut text = parts.join(", ");
    let cgroup = &machine.cgroup;
    if let Some(quota) = cgroup.quota_millicpus {
        text += &format!("; a quota of {:.1} CPUs", quota as f64 / 1000.0);
    }
    if let Some(memory) = cgroup.memory_bytes {
        text += &format!("; at most {}", gibibytes(memory));
    }
    text
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

fn draw_node(text: &mut String, node: usize, cores: &Cores, output: &Output) {
    let memory = cores
        .machine
        .nodes
        .get(&node)
        .and_then(|it| it.memory_bytes);
    let memory = memory.map(|bytes| format!(", {}", gibibytes(bytes)));
    let title = output.heading(&format!("Node {node}"));
    let _infallible = writeln!(text, "\n{title}{}", memory.unwrap_or_default());
    draw_devices(text, Some(node), cores);
}

/// The disks and networks of a node, or those whose node nobody knows.
fn draw_devices(text: &mut String, node: Option<usize>, cores: &Cores) {
    let machine = &cores.machine;
    let disks = machine.disks.iter().filter(|disk| disk.node == node);
    let disks = disks.map(|disk| {
        let size = disk
            .size_bytes
            .map(|bytes| format!(" ({:.0} GB)", bytes as f64 / 1e9));
        let held = cores
            .data
            .iter()
            .filter(|data| data.disks.contains(&disk.name));
        let held: String = held
            .map(|data| format!(" holds {}", data.path.display()))
            .collect();
        format!("{}{}{held}", disk.name, size.unwrap_or_default())
    });
    let networks = machine.networks.iter().filter(|it| it.node == node);
    let networks = networks.map(|network| match (network.is_up, network.speed_mbit) {
        (false, _) => format!("{} (down)", network.name),
        (true, None) => network.name.clone(),
        (true, Some(speed)) => format!("{} ({} Gbit/s)", network.name, f64::from(speed) / 1000.0),
    });
    for (kind, names) in [
        ("disks", disks.collect::<Vec<_>>()),
        ("networks", networks.collect()),
    ] {
        if !names.is_empty() {
            let kind = match node {
                None => format!("{kind} of no known node"),
                Some(_) => kind.to_owned(),
            };
            let _infallible = writeln!(text, "  {kind}: {}", names.join(", "));
        }
    }
}

/// A cell for each core, with its hardware threads side by side.
fn draw_cores(text: &mut String, node: usize, marks: &Marks<'_>, drawn: &mut BTreeSet<String>) {
    let machine = marks.machine;
    let on_node = machine.cpus.values().filter(|cpu| cpu.node == node);
    let cores: BTreeSet<usize> = on_node.map(|cpu| cpu.core).collect();
    let number_width = machine
        .cpus
        .keys()
        .next_back()
        .map_or(1, |cpu| cpu.to_string().len());
    let shards = marks.plan.shards.len().saturating_sub(1);
    let mark_width = format!("s{shards}").len().max(OFFLINE.len());
    let cells = cores.iter().map(|&core| {
        let threads = machine.threads_of(core).map(|cpu| {
            let mark = marks.of(cpu);
            let cell = format!("{cpu:>number_width$} {mark:<mark_width$}");
            drawn.insert(mark);
            cell
        });
        format!("[{}]", threads.collect::<Vec<_>>().join("|"))
    });
    let cells: Vec<String> = cells.collect();
    let widest = cells.iter().map(String::len).max().unwrap_or(1);
    let fitting = (WIDTH_MAX / (widest + 1)).max(1);
    // A power of two lets columns stand for the same core of each row.
    let per_row = 1 << fitting.ilog2();
    for row in cells.chunks(per_row) {
        let _infallible = writeln!(text, "  {}", row.join(" "));
    }
}

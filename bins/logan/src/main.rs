//! The broker's process: reads the configuration, starts the shards and the router, follows changes of the configuration,
//! and stops them. With a command it starts nothing.

mod args;
mod config_commands;
mod cores;
mod directories;
mod listen;
mod log_lines;
mod logging;
mod metrics;
mod process;
mod reload;
mod service;
mod topology_command;
mod tracing_export;
mod watch;
mod written;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use args::{Args, Command};
use broker::{Advertise, OnChange, ShardCommand, ShardEvent, ShardSeed, ShardSetup};
use clap::{CommandFactory as _, Parser as _};
use config::{BrokerConfig, ConfigError};
use cores::Cores;
use directories::Directories;
use io::{Full, Io as _, Sender as _};
use logging::Log;
use metrics::ShardMetrics;
use process::ThisProcess;
use reload::Reloader;
use runtime::{
    Event, GlommioIo, Listeners, Receiver, Recorder, RecorderSettings, Router, RouterSettings,
    Sender, Shards, Supervisor,
};
use service::Service;
use topology::Root;
use types::RequestSpan;
use written::{Written, log_warnings};

/// The exit code for a wrong configuration, as for a wrong command line.
const EXIT_CODE_USAGE: u8 = 2;

/// Connections that wait to be taken over by a shard; the router closes what does not fit.
const ACCEPTED_MAX: usize = 8192;

/// Events that shard 0 may have told and nobody has heard yet.
const EVENTS_MAX: usize = 4 + COMMANDS_MAX;

/// Configurations that shard 0 may be told of, or a drain besides, before it listens.
const COMMANDS_MAX: usize = 4;

/// How long the main thread waits for an event before it looks whether a shard has ended.
const EVENT_WAIT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(shell) = args.completions {
        clap_complete::generate(shell, &mut Args::command(), "logan", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    match &args.command {
        Some(Command::Config { command }) => return config_commands::run(command),
        Some(Command::Topology(args)) => return topology_command::run(args),
        Some(Command::Man { directory }) => return config_commands::write_man_pages(directory),
        None => {}
    }
    let log = match Log::begin() {
        Ok(log) => log,
        Err(problem) => return refuse(&problem),
    };
    match live(&args, &log) {
        Ok(()) => {
            log.end();
            ExitCode::SUCCESS
        }
        Err((code, problem)) => {
            log.tell_at_last(&format!("logan: {problem}"));
            ExitCode::from(code)
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is no log to write it to")]
fn refuse(problem: &str) -> ExitCode {
    eprintln!("logan: {problem}");
    ExitCode::from(EXIT_CODE_USAGE)
}

/// Everything between the beginning and the end of the log.
///
/// # Errors
/// The exit code, and the reason for it.
fn live(args: &Args, log: &Log) -> Result<(), (u8, String)> {
    let usage = |problem: String| (EXIT_CODE_USAGE, problem);
    let written = Written::new(&args.written);
    let configured = configure(&written);
    let (config, text) = configured.map_err(|error| usage(error.to_string()))?;
    log_warnings(&config.warnings);
    let cores = Cores::plan(&config, &Root::system());
    let cores = cores.map_err(|error| usage(format!("{error:#}")))?;
    let reloader = Reloader::new(written, text, config.clone(), cores.shard_count());
    run(config, &cores, reloader, log).map_err(|error| (1, format!("{error:#}")))
}

/// The configuration, and what the file says of it.
fn configure(written: &Written) -> Result<(BrokerConfig, Option<String>), ConfigError> {
    let text = written.read()?;
    let sources = written.sources(text.as_deref())?;
    Ok((BrokerConfig::from_sources(&sources)?, text))
}

/// The broker's life.
fn run(config: BrokerConfig, cores: &Cores, mut reloader: Reloader, log: &Log) -> Result<()> {
    let descriptors_max =
        runtime::raise_descriptor_limit().context("cannot raise the limit of open files")?;
    let shard_count = cores.shard_count();
    let descriptors_left = connections_max(descriptors_max, shard_count)?;
    let directories = Directories::take(&config.log_dirs, config.node_id)?;
    let listeners = listen::open(&config, u16::try_from(shard_count).context("shard.cores")?)?;
    let control_listeners = metrics::open(&config)?;
    let recorder = recorder(&config, &directories, shard_count);
    let process = Arc::new(ThisProcess::new(
        config.node_id.0,
        directories.cluster_id.to_string(),
        descriptors_max,
        log.clone(),
        recorder.clone(),
    ));
    let limits = listen::connection_limits(&config, descriptors_left);
    let (mut settings, setter) = RouterSettings::changeable(limits);
    settings.cpus.clone_from(&cores.plan.router);
    let on_change = OnChange::call(move |config| {
        setter.set(listen::connection_limits(config, descriptors_left));
    });
    cores.settle(log.lines());
    let exporter = tracing_export::start(&config, &directories.cluster_id.to_string())?;
    let (spans, exporter) = exporter.unzip();
    if let Some(exporter) = &exporter {
        process.exporting(exporter.counts());
    }
    let service = Service::begin();
    let supervisor = Supervisor::new().context("cannot handle signals")?;
    let (mut machine, seeds) = prepare(
        config,
        descriptors_max,
        &directories,
        &listeners,
        (cores, on_change, spans),
    );
    let shards = Shards::start(
        &cores.seats(),
        &supervisor,
        &recorder,
        seeds,
        |io: GlommioIo, mut seed: ShardSeed<GlommioIo>| async move {
            match prepare_disks(&io, &seed.setup).await {
                Ok(failed) => seed.failed_directories = failed,
                Err(error) => {
                    // Only shard 0 is listened to, and every shard finds the same.
                    let _ignored = seed.events.try_send(ShardEvent::Failed(error));
                    return;
                }
            }
            broker::run_shard(io, seed).await;
        },
    )?;
    service.watch(shards.delays());
    process.watched(shards.delays());
    let metrics = std::mem::take(&mut machine.metrics);
    let _control = metrics::serve(control_listeners, metrics, Arc::clone(&process))?;
    if !await_ready(&machine, &supervisor)? {
        service.stopping();
        tracing::info!("stopped before it was ready: the next start recovers what is left");
        return Ok(());
    }
    let ready_line = ready_line(&machine.setup, &listeners, shard_count);
    let router = start_router(listeners, settings, &machine.setup.config, machine.accepted)?;
    process.ready(router.counters());
    log.announce(&ready_line);
    service.ready(&ready_line);
    let ends = reload::Shards {
        commands: &machine.commands,
        events: &machine.events,
    };
    await_end(&supervisor, &mut reloader, ends, &service)?;
    service.stopping();
    process.stopping();
    tracing::info!("stopping: finishing requests and closing logs");
    drop(router);
    drain(
        &machine.commands,
        &machine.events,
        reloader.running().shutdown_timeout(),
    )?;
    if let Err(running) = shards.join(Duration::from_secs(1)) {
        tracing::warn!(?running, "some shards did not end in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// What the shards keep of what they do.
fn recorder(config: &BrokerConfig, directories: &Directories, shard_count: usize) -> Recorder {
    let values = &config.values;
    let directory = match &values.logan_recorder_directory {
        Some(directory) => directory.into(),
        None => directories.list[0].path.clone(),
    };
    let settings = RecorderSettings {
        events: usize::try_from(values.logan_recorder_events).unwrap_or(0),
        directory,
        dumps_max: usize::try_from(values.logan_recorder_dumps_max).unwrap_or(1),
        stall_min: Duration::from_millis(
            u64::try_from(values.logan_recorder_stall_ms).unwrap_or(u64::MAX),
        ),
        version: env!("CARGO_PKG_VERSION"),
        api_name: broker::api_name,
    };
    Recorder::new(settings, shard_count)
}

/// Follows changes of the configuration until the process is asked to end.
///
/// # Errors
/// A shard that has ended by itself.
fn await_end(
    supervisor: &Supervisor,
    reloader: &mut Reloader,
    shards: reload::Shards<'_>,
    service: &Service,
) -> Result<()> {
    reloader.watch(supervisor);
    let mut left = None;
    loop {
        match left.take().unwrap_or_else(|| supervisor.wait()) {
            Event::Terminate => return Ok(()),
            // Nothing could be read again: it was started from a terminal that is gone.
            Event::HangUp if !reloader.has_file() => return Ok(()),
            event @ (Event::HangUp | Event::Nudged) => {
                left = reloader.reload(event, supervisor, shards, service);
            }
            Event::ShardEnded(shard) => bail!("shard {shard} ended unexpectedly"),
        }
    }
}

/// Descriptors that shards, sockets of the process and its directories need besides connections and segments.
const DESCRIPTORS_BESIDE: u64 = 128;

/// How many connections may be open so that logs can always open their files.
///
/// # Errors
/// When the limit of open files is too low for any.
fn connections_max(descriptors_max: u64, shard_count: usize) -> Result<usize> {
    let files = broker::open_files_max(descriptors_max, shard_count) * shard_count;
    let needed = DESCRIPTORS_BESIDE + files as u64;
    match descriptors_max.checked_sub(needed) {
        Some(left @ 1..) => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
        _ => bail!(
            "too few files may be open: the limit is {descriptors_max}, {shard_count} shards need more than {needed}. \
             Raise it with: ulimit -n 65536 (systemd: LimitNOFILE=65536; docker: --ulimit nofile=65536)"
        ),
    }
}

/// The main thread's ends of the channels to the shards.
struct Machine {
    setup: Arc<ShardSetup>,
    accepted: Vec<Sender<broker::Accepted<runtime::Socket>>>,
    commands: Sender<ShardCommand>,
    metrics: Vec<ShardMetrics>,
    events: Receiver<ShardEvent>,
}

fn prepare(
    config: BrokerConfig,
    descriptors_max: u64,
    directories: &Directories,
    listeners: &Listeners,
    (cores, on_change, spans): (&Cores, OnChange, Option<Sender<RequestSpan>>),
) -> (Machine, Vec<ShardSeed<GlommioIo>>) {
    let ports: Vec<u16> = listeners
        .addresses()
        .iter()
        .map(std::net::SocketAddr::port)
        .collect();
    let shard_count = cores.shard_count();
    let count = u16::try_from(shard_count).expect("a core plan has at most 65,535 shards");
    let cache_bytes =
        usize::try_from(config.cache_bytes(cores.memory_bytes())).unwrap_or(usize::MAX);
    let credits = broker::mesh_credits(&config, shard_count);
    let advertise = Advertise::new(&config, &ports, &listen::host_name(), count);
    let setup = Arc::new(ShardSetup {
        advertise,
        directories: directories.list.clone(),
        cluster_id: directories.cluster_id,
        cache_bytes,
        descriptors_max,
        on_change,
        config,
    });
    let (events, events_in) = GlommioIo::mailbox(EVENTS_MAX * shard_count);
    let mut accepted = Vec::with_capacity(shard_count);
    let mut commands = Vec::with_capacity(shard_count);
    let mut metrics = Vec::with_capacity(shard_count);
    let seeds = (0..count)
        .zip(broker::mesh::<GlommioIo>(shard_count, credits))
        .map(|(shard, port)| {
            let (sender, accepted_in) = GlommioIo::mailbox(ACCEPTED_MAX);
            accepted.push(sender);
            let (sender, commands_in) = GlommioIo::mailbox(COMMANDS_MAX);
            commands.push(sender);
            let (source, scrapes) = metrics::channel(shard);
            metrics.push(source);
            ShardSeed {
                port,
                accepted: accepted_in,
                commands: commands_in,
                scrapes,
                spans: spans.clone(),
                events: events.clone(),
                setup: Arc::clone(&setup),
                failed_directories: Vec::new(),
            }
        });
    let seeds = seeds.collect();
    let commands = commands.swap_remove(0);
    (
        Machine {
            setup,
            accepted,
            commands,
            metrics,
            events: events_in,
        },
        seeds,
    )
}

/// Makes the directories known to this shard. Returns those that fail, with the reason.
///
/// # Errors
/// When the first one fails, or the file system of one refuses direct I/O.
async fn prepare_disks(io: &GlommioIo, setup: &ShardSetup) -> Result<Vec<(usize, String)>, String> {
    let mut failed = Vec::new();
    let directories = setup.directories.iter().enumerate();
    for (index, directory) in directories.filter(|(_, it)| it.failure.is_none()) {
        let Err(error) = io.prepare_data_directory(&directory.path).await else {
            continue;
        };
        let problem = format!(
            "cannot use the log directory {}: {error}",
            directory.path.display()
        );
        if index == 0 || error.kind() == ErrorKind::Unsupported {
            return Err(problem);
        }
        tracing::error!("{problem}: its partitions are offline");
        failed.push((index, problem));
    }
    Ok(failed)
}

/// Waits until the shards are ready; `false` when the process is asked to end before.
///
/// # Errors
/// Why they cannot be.
fn await_ready(machine: &Machine, supervisor: &Supervisor) -> Result<bool> {
    loop {
        match machine.events.wait_for(EVENT_WAIT) {
            Some(ShardEvent::Ready) => return Ok(true),
            Some(ShardEvent::Failed(problem)) => bail!(problem),
            Some(ShardEvent::Drained { .. }) => bail!("the shards stopped before they were ready"),
            Some(ShardEvent::Reloaded(_)) | None => {}
        }
        match supervisor.wait_for(Duration::ZERO) {
            // The file is looked at again as soon as the broker is ready.
            Some(Event::HangUp | Event::Nudged) | None => {}
            // Nothing has been acknowledged yet, and recovery begins anew at the next start.
            Some(Event::Terminate) => return Ok(false),
            Some(Event::ShardEnded(shard)) => bail!("shard {shard} ended unexpectedly"),
        }
    }
}

fn start_router(
    listeners: Listeners,
    settings: RouterSettings,
    config: &BrokerConfig,
    shards: Vec<Sender<broker::Accepted<runtime::Socket>>>,
) -> Result<Router> {
    let each =
        broker::ports_per_listener(config, u16::try_from(shards.len()).context("shard.cores")?);
    let router = Router::start(listeners, settings, shards.len(), move |shard, accepted| {
        let runtime::Accepted {
            socket,
            listener: port,
        } = accepted;
        let listener = port / each;
        let sent = shards[usize::from(shard.0)].try_send(broker::Accepted { socket, listener });
        sent.map_err(|Full(broker::Accepted { socket, .. })| runtime::Accepted {
            socket,
            listener: port,
        })
    });
    router.context("cannot start the router")
}

fn ready_line(setup: &ShardSetup, listeners: &Listeners, shard_count: usize) -> String {
    let addresses: Vec<_> = listeners
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    let directories: Vec<_> = setup
        .directories
        .iter()
        .map(|directory| directory.path.display().to_string())
        .collect();
    let shards = if shard_count == 1 {
        "1 shard".to_owned()
    } else {
        format!("{shard_count} shards")
    };
    format!(
        "logan is ready on {} with {shards}, data in {}",
        addresses.join(", "),
        directories.join(", ")
    )
}

fn drain(
    commands: &Sender<ShardCommand>,
    events: &Receiver<ShardEvent>,
    timeout: Duration,
) -> Result<()> {
    if commands.try_send(ShardCommand::Drain).is_err() {
        bail!("the shards have ended without closing their logs");
    }
    let deadline = Instant::now() + timeout;
    loop {
        match events.wait_for(deadline.saturating_duration_since(Instant::now())) {
            Some(ShardEvent::Drained { is_whole: true }) => return Ok(()),
            Some(ShardEvent::Drained { is_whole: false }) => {
                bail!("not every log could be closed; the next start recovers them")
            }
            Some(ShardEvent::Ready | ShardEvent::Failed(_) | ShardEvent::Reloaded(_)) => {}
            None => bail!(
                "not every log was closed within {} ms (logan.shutdown.timeout.ms); the next start recovers them",
                timeout.as_millis()
            ),
        }
    }
}

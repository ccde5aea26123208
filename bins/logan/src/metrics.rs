//! The control thread's way to the shards, a mailbox for each and one for each answer, and what it listens on.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use broker::Scrape;
use config::BrokerConfig;
use control::{Access, Answer, CONNECTIONS_MAX, Control, Setup, Source, TOKEN_LEN_MIN};
use io::{Io as _, Receiver as _, Sender as _};
use runtime::{GlommioIo, Receiver, Sender};
use types::Series;

use crate::process::ThisProcess;

/// Questions that a shard may have in front of it; each connection of either listener asks one at a time, and a shard that
/// hangs leaves some behind.
const SCRAPES_MAX: usize = 4 * CONNECTIONS_MAX;

/// The bit of a file's mode that lets everybody read it.
const READABLE_BY_OTHERS: u32 = 0o004;

/// Where one shard is asked.
pub(crate) struct ShardMetrics {
    shard: u16,
    scrapes: Sender<Scrape<GlommioIo>>,
}

/// The two ends for the shard of this number.
pub(crate) fn channel(shard: u16) -> (ShardMetrics, Receiver<Scrape<GlommioIo>>) {
    let (scrapes, scrapes_in) = GlommioIo::mailbox(SCRAPES_MAX);
    (ShardMetrics { shard, scrapes }, scrapes_in)
}

impl Source for ShardMetrics {
    fn shard(&self) -> u16 {
        self.shard
    }

    fn ask(&self, series: Series) -> Answer {
        let (reply, answer) = GlommioIo::mailbox(1);
        let asked = self.scrapes.try_send(Scrape { reply, series });
        Box::pin(async move {
            asked.ok()?;
            answer.recv().await
        })
    }
}

/// The sockets of the control thread, and who may ask there.
pub(crate) struct ControlListeners {
    metrics: Option<TcpListener>,
    admin: Option<TcpListener>,
    access: Access,
    series: Series,
}

/// Opens `logan.metrics.listener` and `logan.admin.listener`, if there are to be any.
///
/// # Errors
/// When an address cannot be listened on, or the token cannot be read.
pub(crate) fn open(config: &BrokerConfig) -> Result<ControlListeners> {
    let values = &config.values;
    let metrics = values.logan_metrics_listener.as_deref();
    let admin = values.logan_admin_listener.as_deref();
    if admin.is_none() && values.logan_admin_token_file.is_some() {
        tracing::warn!(
            "logan.admin.token.file is not used: there is no logan.admin.listener to ask it for"
        );
    }
    let has_series = |name: &str| values.logan_metrics_series.iter().any(|it| it == name);
    Ok(ControlListeners {
        metrics: listen("logan.metrics.listener", metrics)?,
        admin: listen("logan.admin.listener", admin)?,
        access: Access {
            hosts: values.logan_admin_hosts.clone(),
            token: token(values.logan_admin_token_file.as_deref())?,
        },
        series: Series {
            topics: has_series("topics"),
            partitions: has_series("partitions"),
            groups: has_series("groups"),
        },
    })
}

fn listen(key: &str, address: Option<&str>) -> Result<Option<TcpListener>> {
    let Some(text) = address else {
        return Ok(None);
    };
    let address: SocketAddr = match text.parse::<u16>() {
        Ok(port) => (Ipv4Addr::LOCALHOST, port).into(),
        Err(_) => text.parse().with_context(|| key.to_owned())?,
    };
    let listener = TcpListener::bind(address);
    let listener = listener.with_context(|| format!("cannot listen on {key} {address}"))?;
    Ok(Some(listener))
}

/// What the token file holds.
///
/// # Errors
/// When it cannot be read, or holds no token.
pub(crate) fn token(path: Option<&str>) -> Result<Option<String>> {
    let Some(path) = path else {
        return Ok(None);
    };
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read logan.admin.token.file {path}"))?;
    let mode = fs::metadata(path).map_or(0, |it| it.permissions().mode());
    if mode & READABLE_BY_OTHERS != 0 {
        tracing::warn!(
            path,
            "everybody on this machine can read logan.admin.token.file: chmod o-r"
        );
    }
    let token = text.trim();
    if token.len() < TOKEN_LEN_MIN || !token.bytes().all(|it| it.is_ascii_graphic()) {
        bail!(
            "logan.admin.token.file {path} must hold a token of {TOKEN_LEN_MIN} visible ASCII characters or more"
        );
    }
    Ok(Some(token.to_owned()))
}

/// Serves the shards' numbers until what it returns is dropped.
///
/// # Errors
/// When the control thread cannot be started.
pub(crate) fn serve(
    listeners: ControlListeners,
    shards: Vec<ShardMetrics>,
    process: Arc<ThisProcess>,
) -> Result<Option<Control>> {
    let ControlListeners {
        metrics,
        admin,
        access,
        series,
    } = listeners;
    if metrics.is_none() && admin.is_none() {
        return Ok(None);
    }
    let sources = shards.into_iter();
    let sources = sources.map(|shard| Box::new(shard) as Box<dyn Source>);
    let control = Control::start(Setup {
        sources: sources.collect(),
        process,
        series,
        metrics,
        admin,
        access,
    })?;
    if let Some(address) = control.metrics_address() {
        tracing::info!("metrics are served at http://{address}/metrics");
    }
    if let Some(address) = control.admin_address() {
        tracing::info!("the status page is served at http://{address}/");
    }
    Ok(Some(control))
}

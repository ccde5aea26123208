//! The control thread's way to the shards: a mailbox for each, and one for each answer.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result};
use broker::Scrape;
use config::BrokerConfig;
use control::{Answer, CONNECTIONS_MAX, Control, Source};
use io::{Io as _, Receiver as _, Sender as _};
use runtime::{GlommioIo, Receiver, Sender};

/// Questions that a shard may have in front of it; each connection asks one at a time, and a shard that hangs leaves some
/// behind.
const SCRAPES_MAX: usize = 2 * CONNECTIONS_MAX;

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

    fn ask(&self) -> Answer {
        let (reply, answer) = GlommioIo::mailbox(1);
        let asked = self.scrapes.try_send(Scrape { reply });
        Box::pin(async move {
            asked.ok()?;
            answer.recv().await
        })
    }
}

/// Opens `logan.metrics.listener`, if there is to be one.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) fn open(config: &BrokerConfig) -> Result<Option<TcpListener>> {
    let Some(address) = &config.values.logan_metrics_listener else {
        return Ok(None);
    };
    let parsed: SocketAddr = address.parse().context("logan.metrics.listener")?;
    let listener = TcpListener::bind(parsed);
    listener
        .map(Some)
        .with_context(|| format!("cannot listen on logan.metrics.listener {address}"))
}

/// Serves the shards' numbers on `listener` until what it returns is dropped.
///
/// # Errors
/// When the control thread cannot be started.
pub(crate) fn serve(
    listener: Option<TcpListener>,
    shards: Vec<ShardMetrics>,
) -> Result<Option<Control>> {
    let Some(listener) = listener else {
        return Ok(None);
    };
    let sources = shards.into_iter();
    let sources = sources.map(|shard| Box::new(shard) as Box<dyn Source>);
    let control = Control::start(listener, sources.collect())?;
    tracing::info!("metrics are served at http://{}/metrics", control.address());
    Ok(Some(control))
}

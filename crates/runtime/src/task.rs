//! Task queues of a shard.
//!
//! Every queue is `Latency::NotImportant` and the preempt timer keeps its default: with anything else glommio 0.9
//! can park an executor that still has runnable tasks. Who waits is told apart by shares only.

use std::time::Duration;

use glommio::{Latency, Shares, TaskQueueHandle};
use io::TaskClass;

/// Foreground work gets nearly all of a contended shard.
const FOREGROUND_SHARES: usize = 1000;
/// Background work still moves while the foreground is saturated.
const BACKGROUND_SHARES: usize = 50;
/// Control work is rare and small, so its share is seldom used.
const CONTROL_SHARES: usize = 500;

#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskQueues {
    foreground: TaskQueueHandle,
    background: TaskQueueHandle,
    control: TaskQueueHandle,
}

impl TaskQueues {
    /// Creates the queues of the executor that runs on this thread.
    pub(crate) fn create() -> Self {
        let create = |shares, name| {
            glommio::executor().create_task_queue(
                Shares::Static(shares),
                Latency::NotImportant,
                name,
            )
        };
        Self {
            foreground: create(FOREGROUND_SHARES, "foreground"),
            background: create(BACKGROUND_SHARES, "background"),
            control: create(CONTROL_SHARES, "control"),
        }
    }

    fn of(self, class: TaskClass) -> TaskQueueHandle {
        match class {
            TaskClass::Foreground => self.foreground,
            TaskClass::Background => self.background,
            TaskClass::Control => self.control,
        }
    }

    /// How long tasks of this class have run since this was asked last.
    pub(crate) fn take_runtime(self, class: TaskClass) -> Duration {
        let stats = glommio::executor().task_queue_stats(self.of(class));
        stats.map_or(Duration::ZERO, |stats| stats.runtime())
    }

    pub(crate) fn spawn(self, class: TaskClass, task: impl Future<Output = ()> + 'static) -> Task {
        let task = glommio::spawn_local_into(task, self.of(class))
            .expect("the queues live as long as their executor");
        Task(task)
    }
}

/// A task of a shard.
#[derive(Debug)]
pub struct Task(glommio::Task<()>);

impl io::Task for Task {
    fn detach(self) {
        drop(self.0.detach());
    }

    async fn join(self) {
        self.0.await;
    }
}

//! Handles of simulated tasks.

use std::rc::Rc;

use crate::world::{Ending, TaskId, World};

/// A spawned task of a simulated shard; dropping it cancels the task.
#[derive(Debug)]
pub struct Task {
    world: Rc<World>,
    task: TaskId,
    ending: Rc<Ending>,
    detached: bool,
}

impl Task {
    pub(crate) fn new(world: &Rc<World>, (task, ending): (TaskId, Rc<Ending>)) -> Self {
        Self {
            world: Rc::clone(world),
            task,
            ending,
            detached: false,
        }
    }
}

impl io::Task for Task {
    fn detach(mut self) {
        self.detached = true;
    }

    async fn join(self) {
        loop {
            let ended = self.ending.notify.notified();
            if self.ending.ended.get() {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.detached {
            self.world.cancel(self.task);
        }
    }
}

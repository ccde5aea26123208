//! Which task a shard runs, told to the watchdog: the name of what stalls it.
//!
//! A task's name is the path of the function that makes its future, which the compiler knows. Names get numbers that all
//! shards share; to run a task costs two plain stores to an atomic of its shard, and to start one a look into a small map.

#![expect(unsafe_code, reason = "polls the task that it holds in place")]

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use rustc_hash::FxHashMap;

/// The number of "no task": glommio itself, or the kernel.
pub(crate) const NO_TASK: u16 = 0;

/// The names by their numbers, less one.
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The task that a shard runs now.
#[derive(Debug, Default)]
pub(crate) struct Running {
    task: AtomicU16,
    /// How often the shard has begun and ended to keep others waiting on purpose: odd while it does.
    excuses: AtomicU32,
}

impl Running {
    /// The number of the task, [`NO_TASK`] for none.
    pub(crate) fn task(&self) -> u16 {
        self.task.load(Ordering::Relaxed)
    }

    fn set(&self, task: u16) {
        self.task.store(task, Ordering::Relaxed);
    }

    /// Changes whenever the shard begins or ends to keep others waiting on purpose; odd while it does.
    pub(crate) fn excuses(&self) -> u32 {
        self.excuses.load(Ordering::Acquire)
    }

    /// Excuses the shard until what this returns is dropped: nobody is served yet, and how long it takes is nobody's fault.
    pub(crate) fn excuse(&self) -> Excuse<'_> {
        self.excuses.fetch_add(1, Ordering::AcqRel);
        Excuse(self)
    }
}

/// While it lives, a shard is excused.
#[derive(Debug)]
pub(crate) struct Excuse<'a>(&'a Running);

impl Drop for Excuse<'_> {
    fn drop(&mut self) {
        self.0.excuses.fetch_add(1, Ordering::AcqRel);
    }
}

/// The name of a task.
pub(crate) fn name_of(task: u16) -> String {
    let names = NAMES.lock().expect("nobody panics with it");
    let name = usize::from(task)
        .checked_sub(1)
        .and_then(|it| names.get(it));
    name.map_or_else(|| "none".to_owned(), String::clone)
}

/// The number of a name, a new one for a new name.
fn number_of(type_name: &str) -> u16 {
    let name = short(type_name);
    let mut names = NAMES.lock().expect("nobody panics with it");
    let known = names.iter().position(|it| *it == name);
    let place = known.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    });
    u16::try_from(place + 1).unwrap_or(NO_TASK)
}

/// The path of a function, without what it is generic over and without its closures.
fn short(type_name: &str) -> String {
    let mut name = String::new();
    let mut depth = 0_u32;
    for part in type_name.replace("::{{closure}}", "").chars() {
        match part {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => name.push(part),
            _ => {}
        }
    }
    name.replace("::::", "::")
}

/// Gives the tasks of one shard their names.
#[derive(Debug)]
pub(crate) struct TaskNames {
    running: Arc<Running>,
    /// By the place of a type's name in memory.
    numbers: RefCell<FxHashMap<(usize, usize), u16>>,
}

impl TaskNames {
    pub(crate) fn new(running: Arc<Running>) -> Self {
        Self {
            running,
            numbers: RefCell::default(),
        }
    }

    /// What the watchdog is told.
    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// The same task, which tells when it runs.
    pub(crate) fn name<F: Future<Output = ()>>(&self, task: F) -> Named<F> {
        let type_name = std::any::type_name::<F>();
        let key = (type_name.as_ptr().addr(), type_name.len());
        let mut numbers = self.numbers.borrow_mut();
        let number = *numbers.entry(key).or_insert_with(|| number_of(type_name));
        Named {
            number,
            running: Arc::clone(&self.running),
            task,
        }
    }
}

/// A task that tells when it runs.
#[derive(Debug)]
pub(crate) struct Named<F> {
    number: u16,
    running: Arc<Running>,
    task: F,
}

impl<F: Future<Output = ()>> Future for Named<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.running.set(self.number);
        // SAFETY: `task` is pinned whenever its owner is: nothing moves it out, and it is dropped in place, for the type
        // has no `Drop` of its own and is `Unpin` only where `F` is.
        let task = unsafe { self.as_mut().map_unchecked_mut(|it| &mut it.task) };
        let poll = task.poll(context);
        self.running.set(NO_TASK);
        poll
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_path_of_its_function() {
        let connection = "broker::connection::serve<runtime::shard_io::GlommioIo>::{{closure}}";
        assert_eq!(short(connection), "broker::connection::serve");
        let writer = "storage::log::commit::<impl storage::log::LogInner<runtime::GlommioIo>>::start_writer::{{closure}}";
        assert_eq!(short(writer), "storage::log::commit::start_writer");
    }

    #[test]
    fn a_task_is_told_while_it_runs() {
        async fn looks_at_itself(running: Arc<Running>) {
            let name = name_of(running.task());
            assert!(name.ends_with("looks_at_itself"), "{name}");
        }
        let running = Arc::<Running>::default();
        let names = TaskNames::new(Arc::clone(&running));
        let mut task = Box::pin(names.name(looks_at_itself(Arc::clone(&running))));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(task.as_mut().poll(&mut context).is_ready());
        assert_eq!(running.task(), NO_TASK);
        assert_eq!(name_of(NO_TASK), "none");
    }

    #[test]
    fn a_shard_is_excused_while_it_says_so() {
        let running = Running::default();
        let before = running.excuses();
        let excuse = running.excuse();
        assert!(!running.excuses().is_multiple_of(2));
        drop(excuse);
        assert!(running.excuses().is_multiple_of(2));
        assert_ne!(running.excuses(), before, "who looks later sees it");
    }
}

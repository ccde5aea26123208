//! The log on the simulator: what it does when nothing fails, when the process or the power does, and when the disk does.

mod common;
mod compaction;
mod copies;
mod crash;
mod faults;
mod log;
mod loss;
mod reading;
mod recovery;
mod retention;
mod scrubbing;

//! The real broker under what it must withstand: every version of every API, bad input, full disks, kills.

mod apis;
mod batches;
mod frames;
mod stalls;

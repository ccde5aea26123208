//! The real broker under what it must withstand: every version of every API, bad input, full disks, kills.

mod admin;
mod alterations;
mod apis;
mod balancer;
mod batches;
mod compaction;
mod configuration;
mod crash;
mod crowds;
mod damage;
mod directories;
mod directory_moves;
mod directory_throttles;
mod dynamic;
mod fetches;
mod floods;
mod frames;
mod groups;
mod log_dirs;
mod metadata_damage;
mod moves;
mod power_cut;
mod retention;
mod shutdown;
mod stalls;
mod topic_configs;

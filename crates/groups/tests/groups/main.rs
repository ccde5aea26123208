//! Tests of the coordinator as its host drives it: on virtual time, without a broker.

mod bounds;
mod listing;
mod memory;
mod metrics;
mod properties;
mod records;
mod restoring;
mod script;
mod scripts;
mod shares;
mod show;
mod successors;
mod sweeps;
mod world;

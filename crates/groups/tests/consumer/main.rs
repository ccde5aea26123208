//! Consumer groups (KIP-848) on virtual time: scripts of what members send and are told, and properties over random
//! interleavings of many of them.

mod commits;
mod fencing;
mod joining;
mod migration;
mod properties;
mod regexes;
mod statics;
mod subscriptions;
mod switching;
mod world;

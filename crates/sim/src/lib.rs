//! The simulated implementation of `io`: seeded scheduler, virtual clock and faulty disk.

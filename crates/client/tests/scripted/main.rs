//! The client against brokers that answer as each test says.

mod administration;
mod broker;
mod consumers;
mod leaders;

//! The client against brokers that answer as each test says.

mod broker;
mod consumers;
mod leaders;

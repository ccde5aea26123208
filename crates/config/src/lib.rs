//! `server.properties` and topic configuration, typed.

//! The seam between Logan and the machine: files, streams, clock, tasks and mailboxes.

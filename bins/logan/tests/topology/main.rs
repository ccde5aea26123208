//! `logan topology`, as one types it, on machines that are trees of files.

#[path = "../../../../crates/topology/fixtures/mod.rs"]
mod fixture;

#[path = "../common/mod.rs"]
mod common;

use common::{Ended, logan};
use serde_json::Value;
use tempfile::TempDir;

/// Runs `logan topology` for the machine of this name, with a log directory at `/var/lib/logan`.
fn topology(machine: &str, arguments: &[&str]) -> Ended {
    let root = TempDir::new().expect("a directory");
    fixture::unpack(machine, root.path());
    let root = root.path().to_str().expect("temporary names are text");
    let logs = "log.dirs=/var/lib/logan";
    let first = ["topology", "--override", logs, "--root", root];
    logan(&[&first, arguments].concat(), &[])
}

#[test]
fn a_small_machine_is_drawn_with_its_plan() {
    let ended = topology("cpuset-of-three", &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(
        ended.stdout,
        "\
Machine
  1 socket, 1 NUMA node, 4 cores, 8 CPUs, 15.6 GiB

Node 0, 15.6 GiB
  [0 -  |4 -  ] [1 -  |5 -  ] [2 s0 |6 -  ] [3 s1 |7 +  ]
  sN shard N, + for the threads beside the shards, - not for this process

Plan
  2 shards on the CPUs 2-3
  router      CPUs 7
  beside      CPUs 7

Why
  - 3 of 8 CPUs may be used: 2-3,7
  - shard.cores=auto: one shard for each of 2 physical cores
  - router, control, watchdog and helpers run beside the shards, on the other hardware threads of their cores: 7
"
    );
}

#[test]
fn devices_are_drawn_at_their_nodes() {
    let ended = topology("two-sockets", &["--override", "shard.cores=nodes:1"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (_, second) = ended
        .stdout
        .split_once("\nNode 1")
        .expect("it has two nodes");
    let second: Vec<&str> = second.lines().take(4).collect();
    assert_eq!(
        second,
        [
            ", 251.5 GiB",
            "  disks: nvme0n1 (3841 GB) holds /var/lib/logan",
            "  networks: ens1f0 (100 Gbit/s)",
            "  [ 32 s0 | 96 +  ] [ 33 s1 | 97 +  ] [ 34 s2 | 98 +  ] [ 35 s3 | 99 +  ]",
        ]
    );
    assert!(ended.stdout.contains("  32 shards on the CPUs 32-63\n"));
    assert!(
        ended.stdout.contains("  router      CPUs 96-127\n")
            || ended.stdout.contains("  router      CPUs 0-31,64-95\n")
    );
}

#[test]
fn programs_read_the_whole_plan() {
    let ended = topology("quota", &["--output", "json"]);
    let whole: Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!(whole["machine"]["cgroup"]["quota_millicpus"], 2500);
    assert_eq!(whole["plan"]["shards"].as_array().map(Vec::len), Some(2));
    assert!(whole["plan"]["shards"][0]["cpu"].is_null());
    let ended = topology("two-sockets", &["--output", "yaml"]);
    assert!(
        ended.stdout.contains("memory_node: 1\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn cores_that_are_not_there_are_refused_with_what_is() {
    let ended = topology("offline-cpus", &["--override", "shard.cores=3,8"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .stderr
            .contains("shard.cores: CPU 3 is offline; these are online: 0-2,6-15"),
        "{}",
        ended.stderr
    );
    let ended = topology("one-node", &["--override", "shard.cores=nodes:1"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("NUMA node 1 does not exist"),
        "{}",
        ended.stderr
    );
}

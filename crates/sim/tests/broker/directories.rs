//! Requests about log directories.

use std::collections::BTreeMap;
use std::io::{Error, Result};

use protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};
use types::ErrorCode;

use crate::client::{Client, TOPIC};
use crate::node::paths;

const ALTER_VERSION: i16 = 2;
const DESCRIBE_VERSION: i16 = 4;

/// Where the log of each partition is.
pub(crate) type Places = BTreeMap<i32, String>;

/// Wishes a log into another directory. What Kafka answers while a log is not there is no error of the broker's.
pub(crate) async fn move_log(client: &mut Client, target: usize, partition: i32) -> Result<()> {
    let request = AlterReplicaLogDirsRequest {
        dirs: vec![AlterReplicaLogDir {
            path: path(target).into(),
            topics: vec![AlterReplicaLogDirTopic {
                name: TOPIC.into(),
                partitions: vec![partition],
            }],
        }],
    };
    let response = client.call(ALTER_VERSION, &request).await?;
    let code = response.results[0].partitions[0].error_code;
    if code == ErrorCode::None.code() {
        Ok(())
    } else {
        Err(Error::other(format!("error {code}")))
    }
}

fn path(index: usize) -> String {
    let mut all = paths(u8::MAX);
    all.nth(index).expect("few directories")
}

/// Where the logs are now, and whether each is named once.
pub(crate) async fn logs(client: &mut Client) -> Result<std::result::Result<Places, String>> {
    let request = DescribeLogDirsRequest { topics: None };
    let response = client.call(DESCRIBE_VERSION, &request).await?;
    let mut places = Places::new();
    for directory in response.results {
        let topics = directory.topics.iter().filter(|it| it.name == *TOPIC);
        for log in topics.flat_map(|topic| &topic.partitions) {
            let place = directory.log_dir.as_str().to_owned();
            if !log.is_future_key && places.insert(log.partition_index, place).is_some() {
                return Ok(twice(log.partition_index));
            }
        }
    }
    Ok(Ok(places))
}

fn twice(partition: i32) -> std::result::Result<Places, String> {
    Err(format!("the log of partition {partition} is named twice"))
}

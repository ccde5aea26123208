//! DescribeCluster (key 60, versions 0 to 2).
//!
//! Source: KIP-700, KIP-919, KIP-1073.

use io::Io;
use protocol::messages::describe_cluster_response::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use types::ErrorCode;

use super::metadata_api::NO_AUTHORIZED_OPERATIONS;
use super::{Call, Outcome};

/// The endpoint type "brokers"; the other one, controllers, is asked of controllers only.
const BROKERS: i8 = 1;

pub(super) async fn handle<I: Io>(
    call: Call<I>,
    request: DescribeClusterRequest,
) -> Outcome<DescribeClusterResponse> {
    if request.endpoint_type != BROKERS {
        let is_known = request.endpoint_type == 2;
        let code = if is_known {
            ErrorCode::MismatchedEndpointType
        } else {
            ErrorCode::UnsupportedEndpointType
        };
        return Outcome::Answer(DescribeClusterResponse {
            error_code: code.code(),
            error_message: Some("The request was sent to an endpoint of type BROKER.".into()),
            endpoint_type: BROKERS,
            ..DescribeClusterResponse::default()
        });
    }
    let shard = &call.shard;
    let nodes = shard
        .advertise()
        .nodes(call.connection.listener, call.connection.audience.get());
    let broker = |node: crate::advertise::AdvertisedNode| DescribeClusterBroker {
        broker_id: node.id.0,
        host: node.host,
        port: node.port,
        rack: node.rack,
        is_fenced: false,
    };
    Outcome::Answer(DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: shard.view().cluster_id(),
        controller_id: shard.advertise().machine().0,
        brokers: nodes.into_iter().map(broker).collect(),
        cluster_authorized_operations: NO_AUTHORIZED_OPERATIONS,
        ..DescribeClusterResponse::default()
    })
}

//! Connections against a peer that answers what the test says.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;

use protocol::encode_response_frame;
use protocol::messages::api_versions_response::ApiVersion;
use protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse,
};

use super::*;

const METADATA_VERSION: i16 = 12;

/// What the peer does with the next request.
enum Step {
    /// Answers with a well-formed frame of what the function makes of version and correlation id.
    Answer(fn(i16, i32) -> Vec<u8>),
    /// Sends these bytes.
    Raw(&'static [u8]),
    /// Reads the request and leaves it at that.
    Ignore,
}

fn read_request(stream: &mut TcpStream) -> Option<(i16, i32)> {
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("a length")];
    stream.read_exact(&mut frame).ok()?;
    let prefix = protocol::RequestPrefix::peek(&frame).expect("a request");
    Some((prefix.api_version, prefix.correlation_id))
}

fn versions_answer(version: i16, correlation_id: i32) -> Vec<u8> {
    let response = ApiVersionsResponse {
        api_keys: vec![
            ApiVersion {
                api_key: ApiKey::Metadata as i16,
                min_version: 0,
                max_version: METADATA_VERSION,
            },
            ApiVersion {
                api_key: ApiKey::ApiVersions as i16,
                min_version: 0,
                max_version: 3,
            },
        ],
        ..ApiVersionsResponse::default()
    };
    frame(ApiKey::ApiVersions, version, correlation_id, &response)
}

fn metadata_answer(version: i16, correlation_id: i32) -> Vec<u8> {
    let response = MetadataResponse {
        controller_id: correlation_id,
        ..MetadataResponse::default()
    };
    frame(ApiKey::Metadata, version, correlation_id, &response)
}

fn frame<M: protocol::Message>(key: ApiKey, version: i16, id: i32, message: &M) -> Vec<u8> {
    let frame = encode_response_frame(key, version, id, message).expect("it can be said");
    frame.to_bytes().to_vec()
}

/// Follows the script on one connection, then closes it when the client does.
fn peer(script: Vec<Step>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client connects");
        for step in script {
            let Some((version, id)) = read_request(&mut stream) else {
                return;
            };
            match step {
                Step::Answer(make) => stream.write_all(&make(version, id)).expect("it is read"),
                Step::Raw(bytes) => {
                    stream.write_all(bytes).expect("it is read");
                    // The client may have had enough already.
                    drop(stream.shutdown(Shutdown::Write));
                }
                Step::Ignore => {}
            }
        }
        // Ends with the client.
        drop(stream.read(&mut [0; 1]));
    });
    (address, thread)
}

fn config() -> ClientConfig {
    ClientConfig {
        request_timeout: Duration::from_millis(300),
        response_max_bytes: 1000,
        ..ClientConfig::default()
    }
}

/// The error of a metadata request that is answered with `bytes`.
fn error_of(bytes: &'static [u8]) -> ClientError {
    let (address, thread) = peer(vec![Step::Answer(versions_answer), Step::Raw(bytes)]);
    let mut connection = Connection::open(&address, &config()).expect("a good handshake");
    let error = connection
        .call(&MetadataRequest::default())
        .expect_err("the answer is bad");
    assert!(connection.is_broken());
    let again = connection.call(&MetadataRequest::default());
    assert!(matches!(again, Err(ClientError::ConnectionLost { .. })));
    drop(connection);
    thread.join().expect("the peer is well");
    error
}

fn fault_of(bytes: &'static [u8]) -> ResponseFault {
    match error_of(bytes) {
        ClientError::BadResponse { fault, .. } => fault,
        other => unreachable!("{other}"),
    }
}

#[test]
fn responses_to_pipelined_requests_reach_their_tickets() {
    let (address, thread) = peer(vec![
        Step::Answer(versions_answer),
        Step::Answer(metadata_answer),
        Step::Answer(metadata_answer),
        Step::Answer(metadata_answer),
    ]);
    let mut connection = Connection::open(&address, &config()).expect("a good handshake");
    let request = MetadataRequest::default();
    let mut submit = || {
        connection
            .submit(&request, SubmitOptions::default())
            .expect("it is sent")
    };
    let (first, second, third) = (submit(), submit(), submit());
    let answered = connection.complete(first).expect("the first response");
    assert_eq!(answered.controller_id, 1);
    // The second response is passed over, and lost.
    let answered = connection.complete(third).expect("the third response");
    assert_eq!(answered.controller_id, 3);
    let lost = connection.complete(second).expect_err("it was passed over");
    assert!(matches!(
        lost,
        ClientError::BadResponse {
            fault: ResponseFault::PassedOver,
            ..
        }
    ));
    assert!(!connection.is_broken());
    drop(connection);
    thread.join().expect("the peer is well");
}

#[test]
fn an_old_broker_is_asked_again_in_a_version_that_it_knows() {
    fn refusal(_: i16, correlation_id: i32) -> Vec<u8> {
        let response = ApiVersionsResponse {
            error_code: 35,
            api_keys: vec![ApiVersion {
                api_key: ApiKey::ApiVersions as i16,
                min_version: 0,
                max_version: 2,
            }],
            ..ApiVersionsResponse::default()
        };
        frame(ApiKey::ApiVersions, 0, correlation_id, &response)
    }
    fn second(version: i16, correlation_id: i32) -> Vec<u8> {
        assert_eq!(version, 2);
        versions_answer(version, correlation_id)
    }
    let (address, thread) = peer(vec![Step::Answer(refusal), Step::Answer(second)]);
    let connection = Connection::open(&address, &config()).expect("a good handshake");
    let version = connection.version_of(ApiKey::Metadata, i16::MAX);
    assert_eq!(version.expect("both know it"), METADATA_VERSION);
    assert_eq!(
        connection
            .version_of(ApiKey::Metadata, 4)
            .expect("older ones too"),
        4
    );
    drop(connection);
    thread.join().expect("the peer is well");
}

#[test]
fn an_api_that_the_broker_does_not_offer_is_refused_before_it_is_sent() {
    let (address, thread) = peer(vec![Step::Answer(versions_answer)]);
    let mut connection = Connection::open(&address, &config()).expect("a good handshake");
    let refused: Result<ListOffsetsResponse, _> = connection.call(&ListOffsetsRequest::default());
    assert!(matches!(refused, Err(ClientError::Unsupported { .. })));
    assert!(!connection.is_broken());
    drop(connection);
    thread.join().expect("the peer is well");
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_anything_is_read() {
    let fault = fault_of(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1]);
    assert!(matches!(
        fault,
        ResponseFault::Length {
            length: i32::MAX,
            max: 1000
        }
    ));
}

#[test]
fn negative_and_tiny_lengths_are_refused() {
    assert!(matches!(
        fault_of(&[0xff, 0xff, 0xff, 0xff]),
        ResponseFault::Length { length: -1, .. }
    ));
    assert!(matches!(
        fault_of(&[0, 0, 0, 3, 0, 0, 0]),
        ResponseFault::Length { length: 3, .. }
    ));
}

#[test]
fn a_response_to_another_request_is_refused() {
    let fault = fault_of(&[0, 0, 0, 4, 0, 0, 0, 9]);
    assert_eq!(
        fault,
        ResponseFault::Correlation {
            expected: 1,
            found: 9
        }
    );
}

#[test]
fn a_body_that_is_cut_or_forged_is_refused() {
    // A header and nothing else; then an array of 2^32 - 2 brokers.
    for bytes in [
        &[0, 0, 0, 5, 0, 0, 0, 1, 0][..],
        &[
            0, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f,
        ],
    ] {
        let fault = fault_of(bytes);
        assert!(
            matches!(
                fault,
                ResponseFault::Decode {
                    version: METADATA_VERSION,
                    ..
                }
            ),
            "{fault:?}"
        );
    }
}

#[test]
fn a_frame_that_ends_early_is_a_lost_connection() {
    let error = error_of(&[0, 0, 0, 100, 0, 0, 0, 1]);
    assert!(
        matches!(error, ClientError::ConnectionLost { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with("the broker closed the connection"),
        "{error}"
    );
}

#[test]
fn a_silent_broker_is_a_timeout() {
    let (address, thread) = peer(vec![Step::Answer(versions_answer), Step::Ignore]);
    let mut connection = Connection::open(&address, &config()).expect("a good handshake");
    let error = connection
        .call(&MetadataRequest::default())
        .expect_err("nothing comes");
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    assert!(connection.is_broken());
    drop(connection);
    thread.join().expect("the peer is well");
}

#[test]
fn a_closed_port_is_a_connect_error_that_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let error = Connection::open(&address, &config()).expect_err("nobody listens");
    assert!(error.to_string().contains(&address), "{error}");
}

//! Identities of idempotent producers.

use protocol::messages::InitProducerIdRequest;
use types::{ProducerEpoch, ProducerId};

use crate::{Client, ClientError};

impl Client {
    /// Asks for the identity of an idempotent producer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn init_producer_id(&mut self) -> Result<(ProducerId, ProducerEpoch), ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            // Kafka's clients without a transactional id send the greatest number, too.
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        self.with_retries(|client| {
            let response = client.call_once(&request)?;
            ClientError::check("InitProducerId", response.error_code, None, String::new)?;
            Ok((
                ProducerId(response.producer_id),
                ProducerEpoch(response.producer_epoch),
            ))
        })
    }
}

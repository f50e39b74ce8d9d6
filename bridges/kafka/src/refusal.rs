//! Whether brokers that answered say no for good, and to what. It decides nothing about what follows.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

/// It was asked, and will say the same again unless somebody does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// One record, for what it is. What was sent with it in one request is refused with it.
    Record,
    /// All of a topic.
    Topic,
    /// To be of the group.
    Group,
}

impl Refusal {
    pub(crate) fn of(error: &KafkaError) -> Option<Refusal> {
        use RDKafkaErrorCode::{
            ClusterAuthorizationFailed, GroupAuthorizationFailed, GroupMaxSizeReached,
            InconsistentGroupProtocol, InvalidGroupId, InvalidRecord, InvalidSessionTimeout, InvalidTopic,
            MessageSizeTooLarge, PolicyViolation, TopicAuthorizationFailed, UnknownPartition, UnknownTopic,
            UnknownTopicOrPartition,
        };
        match error.rdkafka_error_code()? {
            MessageSizeTooLarge | InvalidRecord => Some(Refusal::Record),
            UnknownTopic
            | UnknownTopicOrPartition
            | UnknownPartition
            | TopicAuthorizationFailed
            | ClusterAuthorizationFailed
            | InvalidTopic
            | PolicyViolation => Some(Refusal::Topic),
            GroupAuthorizationFailed
            | GroupMaxSizeReached
            | InconsistentGroupProtocol
            | InvalidGroupId
            | InvalidSessionTimeout => Some(Refusal::Group),
            _ => None,
        }
    }
}

//! What a STUN server says to a datagram: plain functions, no socket.

use std::net::SocketAddr;

use stun_types::attribute::{
    Attribute, AttributeStaticType, AttributeType, ErrorCode, Fingerprint, MessageIntegrity,
    MessageIntegritySha256, Nonce, PasswordAlgorithm, Realm, UnknownAttributes, Userhash, Username,
    XorMappedAddress,
};
use stun_types::message::{
    BINDING, Message, MessageHeader, MessageWrite, MessageWriteExt, MessageWriteVec, StunWriteError,
};
use tracing::dispatcher::{Dispatch, with_default};

/// Bytes of a question at most. Real ones have a fifth of it; it is what a datagram may have where nothing is
/// known of the path (RFC 8489 §6.1).
const QUESTION_BYTES: usize = 548;

/// Attributes that RFC 8489 §14 defines with a type below 0x8000. This server has use for none of them in a
/// question, and ignores those that it knows and did not expect (§6.3).
const KNOWN: [AttributeType; 11] = [
    AttributeType::new(0x0001), // MAPPED-ADDRESS
    Username::TYPE,
    MessageIntegrity::TYPE,
    ErrorCode::TYPE,
    UnknownAttributes::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegritySha256::TYPE,
    PasswordAlgorithm::TYPE,
    Userhash::TYPE,
    XorMappedAddress::TYPE,
];

/// What becomes of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// The asker's address.
    Address(Vec<u8>),
    /// 420: the question needs something that this server doesn't know.
    UnknownAttribute(Vec<u8>),
    /// Nothing is sent, and nothing is wrong: an indication, say.
    Silence,
    /// Nothing is sent: this is no STUN.
    Malformed,
}

/// Replies to a datagram from an address. The reply has at most 32 bytes more than the question.
pub(super) fn reply(datagram: &[u8], from: SocketAddr) -> Reply {
    // The library logs what strangers send. They are to have no hand in the log.
    with_default(&Dispatch::none(), || {
        let Some(question) = parse(datagram) else { return Reply::Malformed };
        if !question.has_class(stun_types::message::MessageClass::Request)
            || !question.has_method(BINDING)
        {
            return Reply::Silence;
        }
        let mut unknown: Vec<AttributeType> = question
            .iter_attributes()
            .map(|(_, attribute)| attribute.get_type())
            .filter(|kind| kind.comprehension_required() && !KNOWN.contains(kind))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        let made = if unknown.is_empty() {
            address(&question, from).map(Reply::Address)
        } else {
            refusal(&question, &unknown).map(Reply::UnknownAttribute)
        };
        // Both fit, whatever the question was.
        made.unwrap_or(Reply::Silence)
    })
}

/// A whole message and nothing else, with a right fingerprint if any.
fn parse(datagram: &[u8]) -> Option<Message<'_>> {
    if datagram.len() > QUESTION_BYTES {
        return None;
    }
    let header = MessageHeader::from_bytes(datagram).ok()?;
    let length = usize::from(header.data_length());
    if !length.is_multiple_of(4) || datagram.len() != MessageHeader::LENGTH + length {
        return None;
    }
    Message::from_bytes(datagram).ok()
}

fn address(question: &Message<'_>, from: SocketAddr) -> Result<Vec<u8>, StunWriteError> {
    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
    let mut answer = Message::builder_success(question, MessageWriteVec::with_capacity(52));
    answer.add_attribute(&XorMappedAddress::new(from, question.transaction_id()))?;
    finished(question, answer)
}

fn refusal(question: &Message<'_>, unknown: &[AttributeType]) -> Result<Vec<u8>, StunWriteError> {
    let mut answer = Message::builder_error(question, MessageWriteVec::with_capacity(64));
    if let Ok(code) = ErrorCode::new(420, "Unknown Attribute") {
        answer.add_attribute(&code)?;
    }
    answer.add_attribute(&UnknownAttributes::new(unknown))?;
    finished(question, answer)
}

/// Who puts a fingerprint into the question expects one in the answer (RFC 8489 §7).
fn finished(
    question: &Message<'_>,
    mut answer: MessageWriteVec,
) -> Result<Vec<u8>, StunWriteError> {
    if question.has_attribute(Fingerprint::TYPE) {
        answer.add_fingerprint()?;
    }
    Ok(answer.finish())
}

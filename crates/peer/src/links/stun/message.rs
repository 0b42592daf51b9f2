//! STUN messages (RFC 8489), read and written with the crate `stun-types`.

use std::net::SocketAddr;

use stun_types::attribute::{
    AttributeStaticType, AttributeType, ErrorCode, MappedSocketAddr, XorMappedAddress,
};
use stun_types::message::{
    BINDING, Message, MessageClass, MessageHeader, MessageWrite, MessageWriteExt, MessageWriteVec,
    TransactionId,
};
use tracing::dispatcher::{Dispatch, with_default};

/// MAPPED-ADDRESS, for servers from before RFC 5389.
const MAPPED_ADDRESS: AttributeType = AttributeType::new(0x0001);
/// Characters of a server's words that are shown.
const WORDS_CHARS: usize = 100;

/// What a server answered to a binding request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The asker's address.
    Address(SocketAddr),
    /// An error, as the server words it.
    Refused {
        /// 300 to 699.
        code: u16,
        /// For people.
        words: String,
    },
}

/// Runs something of the library without its logging: it logs what strangers send, and they are to have no hand in the
/// log.
pub(in crate::links) fn silently<T>(run: impl FnOnce() -> T) -> T {
    with_default(&Dispatch::none(), run)
}

/// The transaction id of a datagram that may be a STUN message. Nothing else of it has been looked at.
pub(in crate::links) fn transaction(datagram: &[u8]) -> Option<TransactionId> {
    let header = datagram.get(..MessageHeader::LENGTH)?;
    let (id, cookie) = (header.get(4..)?, [0x21, 0x12, 0xa4, 0x42]);
    if header[0] & 0xc0 != 0 || !id.starts_with(&cookie) {
        return None;
    }
    Some(u128::from_be_bytes(id.try_into().ok()?).into())
}

/// A whole message and nothing else, with a right fingerprint if any. To be called [`silently`].
pub(in crate::links) fn parse(datagram: &[u8]) -> Option<Message<'_>> {
    let header = MessageHeader::from_bytes(datagram).ok()?;
    let length = usize::from(header.data_length());
    if !length.is_multiple_of(4) || datagram.len() != MessageHeader::LENGTH + length {
        return None;
    }
    Message::from_bytes(datagram).ok()
}

/// An error's code and words; the words are cut, and have no control characters.
pub(in crate::links) fn error(message: &Message<'_>) -> Option<(u16, String)> {
    let error = message.attribute::<ErrorCode>().ok()?;
    let words = error.reason().chars().filter(|c| !c.is_control()).take(WORDS_CHARS).collect();
    Some((error.code(), words))
}

/// XOR-MAPPED-ADDRESS, or else MAPPED-ADDRESS.
pub(in crate::links) fn mapped(message: &Message<'_>) -> Option<SocketAddr> {
    let addr = if message.has_attribute(XorMappedAddress::TYPE) {
        message.attribute::<XorMappedAddress>().ok()?.addr(message.transaction_id())
    } else {
        MappedSocketAddr::from_raw(&message.raw_attribute(MAPPED_ADDRESS)?).ok()?.addr()
    };
    Some(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
}

/// A binding request. Its fingerprint asks for one in the answer (RFC 8489 §7).
pub(super) fn binding() -> (TransactionId, Vec<u8>) {
    silently(|| {
        let mut request = Message::builder_request(BINDING, MessageWriteVec::with_capacity(28));
        // A request that has nothing else can't have one yet.
        let _ = request.add_fingerprint();
        (request.transaction_id(), request.finish())
    })
}

/// The answer in a datagram. To be called [`silently`].
pub(super) fn answer(datagram: &[u8]) -> Option<Answer> {
    let message = parse(datagram)?;
    if !message.has_method(BINDING) {
        return None;
    }
    match message.class() {
        MessageClass::Success => mapped(&message).map(Answer::Address),
        MessageClass::Error => error(&message).map(|(code, words)| Answer::Refused { code, words }),
        MessageClass::Request | MessageClass::Indication => None,
    }
}

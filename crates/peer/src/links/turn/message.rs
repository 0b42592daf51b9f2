//! TURN's messages (RFC 8656 §17 to §19), read and written with the crate `stun-types`.
//!
//! Requests are signed with MESSAGE-INTEGRITY, which every server takes that gives out ephemeral credentials. What
//! calls the library is to be called [`silently`](crate::links::stun::message::silently).

use std::net::{IpAddr, SocketAddr};

use stun_types::attribute::{
    Attribute, AttributeStaticType, AttributeType, MessageIntegrity, MessageIntegritySha256, Nonce,
    RawAttribute, Realm, Username, XorSocketAddr,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermCredentials, Message, MessageClass, MessageType,
    MessageWrite, MessageWriteExt, MessageWriteVec, Method, TransactionId,
};

use crate::links::stun::message::{error, mapped, parse};

/// The lifetime that is asked for, in seconds: the standard's own. A program that ends without a word holds its address
/// for so long.
pub(super) const LIFETIME: u32 = 600;

const ALLOCATE: Method = Method::new(0x003);
const REFRESH: Method = Method::new(0x004);
const SEND: Method = Method::new(0x006);
const DATA: Method = Method::new(0x007);
const CREATE_PERMISSION: Method = Method::new(0x008);
const CHANNEL_BIND: Method = Method::new(0x009);

const CHANNEL_NUMBER: AttributeType = AttributeType::new(0x000c);
const LIFETIME_SECONDS: AttributeType = AttributeType::new(0x000d);
const XOR_PEER_ADDRESS: AttributeType = AttributeType::new(0x0012);
const DATA_BYTES: AttributeType = AttributeType::new(0x0013);
const XOR_RELAYED_ADDRESS: AttributeType = AttributeType::new(0x0016);
const REQUESTED_ADDRESS_FAMILY: AttributeType = AttributeType::new(0x0017);
const REQUESTED_TRANSPORT: AttributeType = AttributeType::new(0x0019);

/// UDP's number, and three bytes without a meaning.
const UDP: [u8; 4] = [17, 0, 0, 0];
/// IPv6's number, and three bytes without a meaning.
const V6: [u8; 4] = [2, 0, 0, 0];
/// A channel's datagram begins with its number and its length.
const CHANNEL_HEADER: usize = 4;

/// What is asked of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// An address.
    Allocate,
    /// To keep it.
    Refresh,
    /// To take it back.
    Free,
    /// To let datagrams of this address through.
    Permission(IpAddr),
    /// To have a channel.
    Channel { number: u16, peer: SocketAddr },
}

/// A user name and its password.
pub(super) struct Credentials(LongTermCredentials);

impl Credentials {
    pub(super) fn new(username: &str, password: &str) -> Self {
        Self(LongTermCredentials::new(username.to_owned(), password.to_owned()))
    }
}

/// With what requests are signed: credentials and what the server said they go with (RFC 8489 §9.2).
pub(super) struct Auth {
    username: String,
    realm: String,
    nonce: String,
    key: IntegrityKey,
}

impl Auth {
    pub(super) fn new(credentials: &Credentials, realm: String, nonce: String) -> Self {
        let Credentials(credentials) = credentials;
        let key = credentials.to_key(realm.clone()).make_key(IntegrityAlgorithm::Sha1);
        Self { username: credentials.username().to_owned(), realm, nonce, key }
    }
}

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes. What there is of addresses and seconds.
    Done { relayed: Option<SocketAddr>, mapped: Option<SocketAddr>, lifetime: Option<u32> },
    /// It wants credentials, or (`stale`) those with another nonce.
    Challenge { stale: bool, realm: String, nonce: String },
    /// No.
    Refused { code: u16, words: String },
}

/// A request; `None` when the credentials don't fit into one.
pub(super) fn request(
    kind: &Kind,
    v6: bool,
    auth: Option<&Auth>,
) -> Option<(TransactionId, Vec<u8>)> {
    let method = match kind {
        Kind::Allocate => ALLOCATE,
        Kind::Refresh | Kind::Free => REFRESH,
        Kind::Permission(_) => CREATE_PERMISSION,
        Kind::Channel { .. } => CHANNEL_BIND,
    };
    let mut message = Message::builder_request(method, MessageWriteVec::with_capacity(256));
    let id = message.transaction_id();
    let mut add = |kind, value: &[u8]| message.add_attribute(&RawAttribute::new(kind, value)).ok();
    match kind {
        Kind::Allocate => {
            add(REQUESTED_TRANSPORT, &UDP)?;
            add(LIFETIME_SECONDS, &LIFETIME.to_be_bytes())?;
            if v6 {
                add(REQUESTED_ADDRESS_FAMILY, &V6)?;
            }
        }
        Kind::Refresh => add(LIFETIME_SECONDS, &LIFETIME.to_be_bytes())?,
        Kind::Free => add(LIFETIME_SECONDS, &0_u32.to_be_bytes())?,
        Kind::Permission(ip) => add_peer(&mut message, SocketAddr::new(*ip, 0), id)?,
        Kind::Channel { number, peer } => {
            let [high, low] = number.to_be_bytes();
            add(CHANNEL_NUMBER, &[high, low, 0, 0])?;
            add_peer(&mut message, *peer, id)?;
        }
    }
    if let Some(auth) = auth {
        message.add_attribute(&Username::new(&auth.username).ok()?).ok()?;
        message.add_attribute(&Realm::new(&auth.realm).ok()?).ok()?;
        message.add_attribute(&Nonce::new(&auth.nonce).ok()?).ok()?;
        message.add_message_integrity_with_key(&auth.key, IntegrityAlgorithm::Sha1).ok()?;
    }
    Some((id, message.finish()))
}

fn add_peer(message: &mut MessageWriteVec, peer: SocketAddr, id: TransactionId) -> Option<()> {
    let peer = XorSocketAddr::new(peer, id);
    message.add_attribute(&peer.to_raw(XOR_PEER_ADDRESS)).ok()
}

/// The answer to a request, which was signed with `auth`. `None` for what answers nothing, or is not the server's.
///
/// An error may come without a signature: a server that knows no such user has no key to make one. Whoever could make
/// one up has seen the request's transaction id, and could as well have stopped the request.
pub(super) fn answer(datagram: &[u8], auth: Option<&Auth>) -> Option<Answer> {
    let message = parse(datagram)?;
    if let Some(auth) = auth {
        let signed = message.has_attribute(MessageIntegrity::TYPE)
            || message.has_attribute(MessageIntegritySha256::TYPE);
        if message.has_class(MessageClass::Success) || signed {
            message.validate_integrity_with_key(&auth.key).ok()?;
        }
    }
    match message.class() {
        MessageClass::Success => {
            let lifetime = message.raw_attribute(LIFETIME_SECONDS);
            let lifetime = lifetime.and_then(|raw| Some(u32::from_be_bytes(value(&raw)?)));
            let relayed = address(&message, XOR_RELAYED_ADDRESS);
            Some(Answer::Done { relayed, mapped: mapped(&message), lifetime })
        }
        MessageClass::Error => {
            let (code, words) = error(&message)?;
            let realm = message.attribute::<Realm>().ok().map(|realm| realm.realm().to_owned());
            let nonce = message.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned());
            Some(match (code, realm.zip(nonce)) {
                (401 | 438, Some((realm, nonce))) => {
                    Answer::Challenge { stale: code == 438, realm, nonce }
                }
                _ => Answer::Refused { code, words },
            })
        }
        MessageClass::Request | MessageClass::Indication => None,
    }
}

/// A datagram for a peer, wrapped for the server.
pub(super) fn send(to: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
    let room = MessageWriteVec::with_capacity(56 + datagram.len());
    let mut message = Message::builder_indication(SEND, room);
    let id = message.transaction_id();
    add_peer(&mut message, to, id)?;
    message.add_attribute(&RawAttribute::new(DATA_BYTES, datagram)).ok()?;
    Some(message.finish())
}

/// The same, over a channel.
pub(super) fn channel_data(number: u16, datagram: &[u8]) -> Vec<u8> {
    // Whoever calls this has a limit far below 64 KiB.
    let length = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
    let mut wrapped = Vec::with_capacity(CHANNEL_HEADER + datagram.len());
    wrapped.extend_from_slice(&number.to_be_bytes());
    wrapped.extend_from_slice(&length.to_be_bytes());
    wrapped.extend_from_slice(datagram);
    wrapped
}

/// A peer's datagram that came over a channel; what follows it is padding.
pub(super) fn read_channel_data(datagram: &[u8]) -> Option<(u16, &[u8])> {
    let (header, rest) = datagram.split_first_chunk::<CHANNEL_HEADER>()?;
    let [high, low, length @ ..] = *header;
    let number = u16::from_be_bytes([high, low]);
    if !super::peers::NUMBERS.contains(&number) {
        return None;
    }
    Some((number, rest.get(..usize::from(u16::from_be_bytes(length)))?))
}

/// A peer's datagram that came in an indication.
pub(super) fn read_data(datagram: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let expected = MessageType::from_class_method(MessageClass::Indication, DATA);
    if !datagram.starts_with(&expected.to_bytes()) {
        return None;
    }
    let message = parse(datagram)?;
    let peer = address(&message, XOR_PEER_ADDRESS)?;
    let (at, data) = message.raw_attribute_and_offset(DATA_BYTES)?;
    // After the attribute's type and length.
    let start = at.checked_add(4)?;
    Some((peer, datagram.get(start..start.checked_add(usize::from(data.length()))?)?))
}

fn address(message: &Message<'_>, kind: AttributeType) -> Option<SocketAddr> {
    let addr = XorSocketAddr::from_raw(&message.raw_attribute(kind)?).ok()?;
    let addr = addr.addr(message.transaction_id());
    Some(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
}

fn value<const N: usize>(raw: &RawAttribute<'_>) -> Option<[u8; N]> {
    raw.value.as_ref().try_into().ok()
}

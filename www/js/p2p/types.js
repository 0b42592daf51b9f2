/**
 * What the parts of the page that talk to other devices share: who is at the other end, what a link looks like
 * from outside, and the frames of `docs/p2p.md`. This module has no code.
 *
 * @typedef {object} Remote             One device of one peer.
 * @property {string} peer              Folded.
 * @property {string} device            32 hex digits.
 *
 * @typedef {'direct'|'relayed'} Way    `relayed`: by a TURN server, which can't read it.
 *
 * @typedef {object} LinkInfo
 * @property {Remote} remote
 * @property {Way} way
 *
 * What `chat.p2p` offers to the rest of the page, file transfer included. An EventTarget with these events (CustomEvents
 * with the named `detail`): `up` {remote, way}, `down` {remote}, `way` {remote, way}: the way of a link changed, `frame`
 * {remote, frame}: a frame whose `t` begins with `file_`, `filechannel` {remote, file, channel}: the other side opened a
 * file's channel, `leader` {isLeader}.
 * @typedef {object} Peers
 * @property {string} me                The account's peer id.
 * @property {string} device            This browser's device id; empty until it is known.
 * @property {boolean} isLeader         Whether this tab holds the links. The others have none.
 * @property {(peer: string) => LinkInfo[]} links   The links to a peer that are up in this tab.
 * @property {(peer: string) => void} connect       Wants links to all live devices of a peer.
 * @property {(remote: Remote, frame: Frame) => Promise<void>} send   Resolves once less than 1 MiB waits to go out; rejects when there is no link.
 * @property {(remote: Remote, fileId: string) => Promise<FileChannel>} openFile   Resolves once the channel is open.
 * @property {(peer: string) => () => void} hold    Keeps the links to a peer from idling out; gives back the release.
 *
 * @typedef {{t: string} & Record<string, any>} Frame
 *
 * @typedef {object} FileChannel        The data channel `file:<id>`. Messages that come before `onmessage` is set wait, up to 16 MiB of them.
 * @property {(message: Uint8Array<ArrayBuffer>|object) => Promise<void>} send   Bytes as a binary message, an object as JSON text; resolves once less than 1 MiB waits to go out, rejects when the channel is closed.
 * @property {((message: ArrayBuffer|object) => void)|null} onmessage
 * @property {(() => void)|null} onclose            Once, whoever closed it.
 * @property {() => void} close
 *
 * @typedef {{t: 'text', id: string, to: string, message: string, timestamp: string}} TextFrame
 * @typedef {{t: 'post', id: string, channel: string, message: string, timestamp: string}} PostFrame
 * @typedef {'too_large'|'not_for_me'|'unstorable'} RefuseCode
 *
 * @typedef {object} Description        An SDP with the proof of who made it.
 * @property {string} sdp
 * @property {string} public_key
 * @property {string} signature
 *
 * @typedef {{kind: 'call'}|({kind: 'offer'} & Description)|({kind: 'answer'} & Description)
 *   |{kind: 'candidate', candidate: string}|{kind: 'bye'}} Signal
 *
 * @typedef {object} Signalling         A signal as it arrives on the live stream.
 * @property {string} from
 * @property {string} from_device
 * @property {string} to
 * @property {string} to_device
 * @property {number} session
 * @property {Signal} signal
 */

export {};

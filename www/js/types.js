/**
 * The JSON that the services speak (the Rust crate `wire` is the original), as types for the checker.
 * This module has no code.
 *
 * @typedef {object} Account            Answer of `GET /me`, `POST /login`, `POST /register`.
 * @property {string} username
 * @property {string} user_id
 * @property {string[]} roles           `admin`, `member`, `bot`
 * @property {string} created_at
 *
 * @typedef {object} Info               Answer of `GET /auth/info`.
 * @property {'open'|'invite'|'closed'} registration
 * @property {boolean} first_run        No account exists yet: the first one administers.
 * @property {number} password_min
 * @property {boolean} passkeys         Passkeys work here.
 * @property {{name: string, register: boolean}} [oidc]  A provider by which one may sign in (OpenID Connect).
 *
 * @typedef {object} Addresses          Answer of `GET /auth/addresses`.
 * @property {string[]} addresses
 *
 * @typedef {object} Invite             Answer of `POST /invites`.
 * @property {string} code
 * @property {string} path              `/register#invite=CODE`
 * @property {string} expires_at
 * @property {number} uses
 *
 * @typedef {object} Strength           Answer of `POST /auth/password/strength`.
 * @property {number} score             0 to 4; 3 is needed.
 * @property {boolean} acceptable
 * @property {string} [code]
 *
 * @typedef {object} Session            Where an account is signed in.
 * @property {string} id
 * @property {boolean} current          The one that asks.
 * @property {string} device            `Firefox on Linux`
 * @property {string} ip
 * @property {string} created_at
 * @property {string} last_seen
 * @property {string} ends_at
 * @property {boolean} remember
 *
 * @typedef {object} Sessions           Answer of `GET /auth/sessions`.
 * @property {Session[]} sessions
 *
 * @typedef {object} Token              A personal access token, without its secret.
 * @property {string} id
 * @property {string} name
 * @property {string[]} scopes
 * @property {string} created_at
 * @property {string} expires_at
 * @property {string} [last_used]
 *
 * @typedef {Token & {token: string}} NewToken   Answer to making one: the only time that it is told.
 *
 * @typedef {object} Tokens             Answer of `GET /auth/tokens` and `GET /auth/admin/tokens`.
 * @property {Token[]} tokens
 *
 * @typedef {object} Factors            Answer of `GET /auth/factors`.
 * @property {{since: string}} [totp]   An authenticator app.
 * @property {number} recovery_codes    How many are left.
 * @property {Passkey[]} passkeys       The oldest first.
 * @property {string} [passkeys_unavailable]  Why none can be added at this server, in English.
 * @property {boolean} password         The account has one.
 * @property {string} [oidc]            What the provider is called by which one may sign in (OpenID Connect), where there is one.
 * @property {Linked[]} linked          The oldest first.
 *
 * @typedef {object} Linked             Who the account's owner is at a provider.
 * @property {string} id
 * @property {string} issuer
 * @property {string} name              What the provider calls the person; may be empty.
 * @property {string} created_at
 * @property {string} [last_used]
 * @property {boolean} current          It is the provider that is asked today.
 *
 * @typedef {object} Passkey
 * @property {string} id
 * @property {string} name              What its owner calls it.
 * @property {string} created_at
 * @property {string} [last_used]
 * @property {string} [host]            The host name at which it works, if that is known.
 *
 * @typedef {object} PasskeyOptions     Answer to what begins an exchange with an authenticator.
 * @property {{publicKey: Record<string, any>}} options
 *
 * @typedef {object} TotpEnrolment      Answer of `POST /auth/totp`: the only time that the secret is told.
 * @property {string} secret            In base 32.
 * @property {string} uri               `otpauth://totp/…`
 * @property {string} qr_svg
 *
 * @typedef {object} RecoveryCodes      Answer to what adds a factor, and of `POST /auth/recovery-codes`.
 * @property {string[]} recovery_codes  Empty when the account has some from before.
 *
 * @typedef {object} SecondFactorNeeded Refusal of `POST /login`: the password is right, and that isn't enough.
 * @property {string[]} factors         `totp`, `passkey`, `recovery_code`
 * @property {number} expires_in
 *
 * @typedef {object} User               An account as an administrator sees it.
 * @property {string} user_id
 * @property {string} username
 * @property {'admin'|'member'|'bot'} role
 * @property {boolean} disabled
 * @property {string} created_at
 * @property {number} sessions
 * @property {boolean} linked           It can be signed in to by OpenID Connect.
 * @property {boolean} factors          It has an authenticator app or a passkey.
 * @property {string} [last_seen]
 *
 * @typedef {object} Users              Answer of `GET /auth/admin/users`.
 * @property {User[]} users
 * @property {string} [next]
 *
 * @typedef {object} ChangedUser        Answer to a change of an account.
 * @property {string} user_id
 * @property {'admin'|'member'|'bot'} role
 * @property {boolean} disabled
 * @property {number} ended_sessions
 *
 * @typedef {object} ResetLink          Answer of `POST /auth/admin/users/reset-link`.
 * @property {string} username
 * @property {string} path              `/reset#code=CODE`
 * @property {string} expires_at
 *
 * @typedef {object} OpenInvite         An invite that still lets someone in.
 * @property {string} id
 * @property {string} created_by
 * @property {string} created_at
 * @property {string} expires_at
 * @property {number} uses
 * @property {number} uses_left
 *
 * @typedef {object} AuditEntry
 * @property {number} n
 * @property {string} at
 * @property {string} event
 * @property {string} result
 * @property {string} who
 * @property {string} about
 * @property {string} detail
 * @property {string} ip
 * @property {string} user_agent
 * @property {string} request_id
 *
 * @typedef {object} AuditPage          Answer of `GET /auth/admin/audit`, newest first.
 * @property {AuditEntry[]} entries
 * @property {number} [next]
 *
 * @typedef {object} Channel            A channel as the caller sees it.
 * @property {string} channel
 * @property {boolean} private
 * @property {boolean} joined
 * @property {number} members_count
 * @property {number} head_seq          The newest message's `seq`; 0 when empty.
 * @property {number} read_seq
 * @property {number} unread
 *
 * @typedef {object} Channels
 * @property {Channel[]} channels
 * @property {number} count
 *
 * @typedef {object} Membership         Answer to creating, joining and leaving.
 * @property {string} channel
 * @property {string} peer_id
 * @property {boolean} joined
 * @property {number} members_count
 *
 * @typedef {object} Presence
 * @property {string} peer_id
 * @property {boolean} active           Heard from lately.
 * @property {boolean} online           Holds a live stream right now.
 * @property {string|null} last_seen
 * @property {string[]} [devices]       Those of its devices that hold a live stream right now.
 *
 * @typedef {object} Members
 * @property {string} channel
 * @property {Presence[]} members
 * @property {number} count
 *
 * @typedef {object} Peers
 * @property {Presence[]} peers
 * @property {number} count
 *
 * @typedef {object} StoredMessage      One message of a channel.
 * @property {string} from
 * @property {string} message
 * @property {string} timestamp         RFC 3339, UTC
 * @property {number} seq               1, 2, 3, … in its channel, without gaps.
 * @property {string} id
 *
 * @typedef {object} Messages           A page of history, oldest first.
 * @property {string} channel
 * @property {StoredMessage[]} messages
 * @property {number} count
 * @property {number} head_seq
 *
 * @typedef {object} Broadcasted        Answer of `POST /broadcast-peer`, after the message is on disk.
 * @property {string} channel
 * @property {string} id
 * @property {number} seq
 * @property {string} timestamp
 * @property {boolean} [duplicate]
 *
 * @typedef {'queued'|'delivered'|'unknown'} Delivery
 *
 * @typedef {object} Sent               Answer of `POST /send-peer`, after the message is on disk.
 * @property {string} id
 * @property {string} timestamp
 * @property {Delivery} delivery
 * @property {boolean} [duplicate]
 *
 * @typedef {object} DirectMessage
 * @property {string} id
 * @property {string} from
 * @property {string} to
 * @property {string} message
 * @property {string} timestamp
 *
 * @typedef {object} DirectRef
 * @property {string} from
 * @property {string} id
 *
 * @typedef {object} Mailbox
 * @property {DirectMessage[]} messages
 * @property {number} count
 * @property {boolean} more
 *
 * @typedef {object} Deliveries
 * @property {{id: string, delivery: Delivery}[]} deliveries
 *
 * @typedef {object} Device             A registered device.
 * @property {string} device            Its id: half of its key's hash, in hex.
 * @property {string} public_key        Base64url.
 * @property {string} label
 * @property {boolean} live
 * @property {string} registered_at
 * @property {string} last_seen
 *
 * @typedef {object} Devices            Answer of `GET /chat/devices`.
 * @property {string} peer_id
 * @property {Device[]} devices
 *
 * @typedef {object} Ice                Answer of `GET /chat/ice`.
 * @property {number|null} stun_port    On the host under which the caller reached the tracker.
 * @property {string[]} stun
 * @property {{urls: string[], username: string, credential: string, expires_at: string}|null} turn
 *
 * @typedef {object} ReadMarker
 * @property {string} channel
 * @property {number} read_seq
 * @property {number} unread
 *
 * What a live stream carries; `cursor` is on each of them over WebSocket.
 * @typedef {{type: 'hello', peer_id: string, heartbeat: number}} HelloEvent
 * @typedef {{type: 'message', channel: string} & StoredMessage} MessageEvent
 * @typedef {{type: 'direct'} & DirectMessage} DirectEvent
 * @typedef {{type: 'delivered', id: string, to: string}} DeliveredEvent
 * @typedef {{type: 'presence'} & Presence} PresenceEvent
 * @typedef {{type: 'membership', channel: string, peer_id: string, joined: boolean, members_count: number}} MembershipEvent
 * @typedef {{type: 'channel', channel: string}} ChannelEvent
 * @typedef {{type: 'read', channel: string, read_seq: number}} ReadEvent
 * @typedef {{type: 'signal'} & import('./p2p/types.js').Signalling} SignalEvent
 * @typedef {{type: 'reset', reason: 'too_old'|'restarted'|'slow_reader'}} ResetEvent
 * @typedef {{type: 'heartbeat'}|{type: 'pong'}} QuietEvent
 * @typedef {HelloEvent|MessageEvent|DirectEvent|DeliveredEvent|PresenceEvent|MembershipEvent
 *   |ChannelEvent|ReadEvent|SignalEvent|ResetEvent|QuietEvent} LiveEvent
 */

export {};

//! The flags, and what they come to.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Flags, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use service::args::{self, AdminArgs, LogArgs};
use service::http::HttpLimits;
use wire::limits;

use crate::http_client::BaseUrl;
use crate::{hub, ice, presence, store};

mod links;

pub use links::{LinkArgs, Secret, Switch};

const EXAMPLES: &str = "Examples:
  chat-tracker                                            guests too, on 127.0.0.1:8001
  chat-tracker --server-ip 0.0.0.0 --auth required        accounts only
  chat-tracker --data-dir /var/lib/chat --admin 127.0.0.1:9101
  chat-tracker health";

/// The tracker of hybrid chat: peers, channels, durable messages, live events, and the
/// introductions for direct links.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Args {
    /// Where it listens.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// The tracker itself.
    #[command(flatten)]
    pub tracker: TrackerArgs,
    /// Limits of connections.
    #[command(flatten, next_help_heading = "Connections")]
    pub http: HttpLimits,
    /// Metrics.
    #[command(flatten, next_help_heading = "Operation")]
    pub admin: AdminArgs,
    /// The log.
    #[command(flatten)]
    pub log: LogArgs,
    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does when it doesn't serve.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Asks the tracker at --server-ip and --server-port whether it is alive.
    Health,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// Guests too: they may act as any peer id that no account owns.
    Open,
    /// Accounts only: each call needs an identity.
    Required,
}

/// The flags of the tracker itself.
#[derive(Debug, Clone, Flags)]
pub struct TrackerArgs {
    /// The folder of the database.
    #[arg(long, env = "DATA_DIR", default_value = "data", value_name = "FOLDER")]
    pub data_dir: PathBuf,
    /// Who may call: `open` lets guests in, `required` asks each call for an identity.
    #[arg(long, env = "AUTH_MODE", value_enum, default_value_t = AuthMode::Open)]
    pub auth: AuthMode,
    /// Where backend-auth answers: for the keys that verify identities, and for POST /login.
    #[arg(long, env = "AUTH_URL", default_value = "http://127.0.0.1:9000", value_name = "URL")]
    pub auth_url: BaseUrl,
    /// How often backend-auth is asked which sessions ended: their live streams end with them, and their tokens.
    #[arg(long, env = "REVOCATIONS_EVERY", default_value = "10s", value_name = "TIME", value_parser = args::duration)]
    pub revocations_every: Duration,
    /// Limits of calls and of storage.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Limits of live streams.
    #[command(flatten)]
    pub streams: StreamArgs,
    /// Direct links between peers.
    #[command(flatten)]
    pub links: LinkArgs,
}

/// Limits of calls and of storage.
#[derive(Debug, Clone, Flags)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Bytes of a message's text.
    #[arg(long, env = "MESSAGE_BYTES", default_value_t = limits::MESSAGE_BYTES)]
    pub message_bytes: usize,
    /// Bytes of a request's body.
    #[arg(long, env = "BODY_BYTES", default_value_t = limits::BODY_BYTES)]
    pub body_bytes: usize,
    /// Messages in one page of history.
    #[arg(long, env = "PAGE_MESSAGES", default_value_t = limits::PAGE_MESSAGES, value_parser = clap::value_parser!(u32).range(1..))]
    pub page_messages: u32,
    /// Peers that guests and accounts may register, all in all; accounts' own names always find room.
    #[arg(long, env = "PEERS_MAX", default_value_t = 100_000)]
    pub peers_max: usize,
    /// Channels, all in all.
    #[arg(long, env = "CHANNELS_MAX", default_value_t = 10_000)]
    pub channels_max: usize,
    /// Calls a second that one peer may make on average; 0 for no limit.
    #[arg(long, env = "RATE", default_value_t = 500)]
    pub rate: u32,
    /// Calls that one peer may make at once, after a pause.
    #[arg(long, env = "RATE_BURST", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate_burst: u32,
    /// Messages that wait in one mailbox.
    #[arg(long, env = "MAILBOX_MESSAGES", default_value_t = 2_000)]
    pub mailbox_messages: u64,
    /// Bytes of text that wait in one mailbox.
    #[arg(long, env = "MAILBOX_BYTES", default_value_t = 8 << 20)]
    pub mailbox_bytes: u64,
    /// Days that a direct message waits, and that its receipt is kept.
    #[arg(long, env = "MAILBOX_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub mailbox_days: u32,
    /// Changes in one durable commit.
    #[arg(long, env = "GROUP_COMMIT", default_value_t = 256)]
    pub group_commit: usize,
    /// Changes that may wait for the disk; further callers wait for a place.
    #[arg(long, env = "STORE_QUEUE", default_value_t = 4_096)]
    pub store_queue: usize,
    /// Database connections that read.
    #[arg(long, env = "STORE_READERS", default_value_t = 4)]
    pub store_readers: usize,
}

/// Limits of live streams.
#[derive(Debug, Clone, Flags)]
#[command(next_help_heading = "Live streams")]
pub struct StreamArgs {
    /// Seconds between heartbeats on a live stream.
    #[arg(long, env = "HEARTBEAT", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub heartbeat: u32,
    /// Seconds that a peer without a live stream stays active after a call.
    #[arg(long, env = "ACTIVE_AFTER_CALL", default_value_t = 600)]
    pub active_after_call: u64,
    /// Seconds that a peer stays active after its last live stream ended.
    #[arg(long, env = "ACTIVE_AFTER_STREAM", default_value_t = 60)]
    pub active_after_stream: u64,
    /// Seconds that an account's stream lives before it has to come back with a fresh identity, which
    /// costs it nothing: it resumes. 0 for no limit.
    #[arg(long, env = "STREAM_LIFETIME", default_value_t = 900)]
    pub stream_lifetime: u64,
    /// Channels with more members are not told who comes and goes; GET /chat/members shows it.
    #[arg(long, env = "PRESENCE_CROWD", default_value_t = 500)]
    pub presence_crowd: usize,
    /// Presence events handed to readers in a second; a crowd that comes at once is told of later.
    #[arg(long, env = "PRESENCE_BUDGET", default_value_t = 20_000)]
    pub presence_budget: usize,
    /// Live streams of one peer.
    #[arg(long, env = "STREAMS_PER_PEER", default_value_t = 64)]
    pub streams_per_peer: usize,
    /// Live streams of all peers.
    #[arg(long, env = "STREAMS", default_value_t = 16_384)]
    pub streams: usize,
    /// Events that may wait for one slow reader before it is cut off.
    #[arg(long, env = "STREAM_QUEUE", default_value_t = 8_192)]
    pub stream_queue: usize,
    /// Bytes of events that may wait for one slow reader before it is cut off.
    #[arg(long, env = "STREAM_QUEUE_BYTES", default_value_t = 4 << 20)]
    pub stream_queue_bytes: usize,
    /// Events kept for streams that come back.
    #[arg(long, env = "RESUME_EVENTS", default_value_t = 65_536)]
    pub resume_events: usize,
    /// Bytes of events kept for streams that come back.
    #[arg(long, env = "RESUME_BYTES", default_value_t = 64 << 20)]
    pub resume_bytes: usize,
}

impl StreamArgs {
    pub(crate) fn hub(&self) -> hub::Limits {
        hub::Limits {
            log_events: self.resume_events,
            log_bytes: self.resume_bytes,
            queue_events: self.stream_queue,
            queue_bytes: self.stream_queue_bytes,
            streams_per_peer: self.streams_per_peer,
            streams: self.streams,
            heartbeat: self.heartbeat,
            lifetime: Duration::from_secs(self.stream_lifetime),
        }
    }

    pub(crate) fn patience(&self) -> presence::Patience {
        presence::Patience {
            after_call: Duration::from_secs(self.active_after_call),
            after_stream: Duration::from_secs(self.active_after_stream),
            crowd: self.presence_crowd,
            budget: self.presence_budget,
            ..presence::Patience::default()
        }
    }
}

impl TrackerArgs {
    /// Looks at what flags mean together, before anything is bound.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn check(&self) -> Result<(), ice::NoSecret> {
        ice::Servers::new(&self.links).map(|_| ())
    }

    pub(crate) fn store(&self) -> store::Settings {
        store::Settings {
            data_dir: self.data_dir.clone(),
            group: self.limits.group_commit,
            queue: self.limits.store_queue,
            readers: self.limits.store_readers,
        }
    }
}

/// Limits that the calls look at.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a message's text.
    pub message_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Messages in one page.
    pub page_messages: u32,
    /// Known peers.
    pub peers_max: usize,
    /// Channels.
    pub channels_max: usize,
    /// Devices of one peer.
    pub devices_per_peer: usize,
    pub(crate) mailbox: store::Room,
    pub(crate) mailbox_keep: SignedDuration,
}

impl Limits {
    pub(crate) fn new(args: &LimitArgs, links: &LinkArgs) -> Self {
        Self {
            message_bytes: args.message_bytes,
            body_bytes: args.body_bytes,
            page_messages: args.page_messages,
            peers_max: args.peers_max,
            channels_max: args.channels_max,
            devices_per_peer: links.devices_per_peer as usize,
            mailbox: store::Room { messages: args.mailbox_messages, bytes: args.mailbox_bytes },
            mailbox_keep: SignedDuration::from_hours(i64::from(args.mailbox_days) * 24),
        }
    }
}

/// Where the tracker listens.
#[derive(Debug, Clone, Flags)]
pub struct ListenArgs {
    /// The address to listen on; 0.0.0.0 for all.
    #[arg(long, env = "SERVER_IP", default_value = "127.0.0.1", global = true)]
    pub server_ip: IpAddr,
    /// The port to listen on.
    #[arg(long, env = "SERVER_PORT", default_value_t = 8001, global = true)]
    pub server_port: u16,
}

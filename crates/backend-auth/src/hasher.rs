//! Password hashes (argon2id, RFC 9106) on threads of their own.
//!
//! A hash takes tens of milliseconds and megabytes, by intent. More threads than cores only add
//! latency, and tokio's blocking pool would take gigabytes in a flood; so the threads are few, the queue
//! is bounded, waiting ends, and then the caller hears "busy". A job belongs to the queue, not to the
//! request: a client that hangs up frees nothing that still runs.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::oneshot;

/// How much less important than an answer a hash is, from 0 to 19.
const NICENESS: i32 = 10;

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

/// The pool.
#[derive(Debug, Clone)]
pub struct HasherConfig {
    /// What a hash costs.
    pub cost: HashCost,
    /// Threads.
    pub threads: usize,
    /// Hashes that wait, at most.
    pub queue: usize,
    /// How long one waits for its turn, at most.
    pub wait: Duration,
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many wait already, or it took too long to get a turn.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The algorithm failed: a stored hash that can't be read, or no memory.
    #[error("password hash: {0}")]
    Failed(String),
}

/// Whether the caller signed in on this device before; half of the queue is kept for those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The device has a mark of this account.
    Known,
    /// Anyone.
    Unknown,
}

/// The answer to "is this the password?".
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It isn't.
    Wrong,
    /// It is.
    Right {
        /// The hash under today's parameters, when the stored one has others.
        rehashed: Option<String>,
    },
}

/// Handle to the pool; cheap to clone. The threads end with the last handle.
#[derive(Clone)]
pub struct Hasher {
    pool: Arc<Pool>,
}

struct Pool {
    queue: Arc<Queue>,
    config: HasherConfig,
    algorithm: Argon2<'static>,
    /// A hash of nobody's password, so that an unknown user costs what a known one costs.
    dummy: Arc<str>,
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl HashCost {
    /// Whether argon2 takes these numbers.
    ///
    /// # Errors
    /// Why it doesn't.
    pub fn check(self) -> Result<(), String> {
        self.params().map(drop)
    }

    fn params(self) -> Result<Params, String> {
        Params::new(self.memory_kib, self.passes, 1, None).map_err(|error| error.to_string())
    }
}

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the parameters, the system's randomness or its threads don't do.
    pub fn start(config: HasherConfig) -> Result<Self, HashError> {
        let params = config.cost.params().map_err(HashError::Failed)?;
        let algorithm = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = crate::secret::public_id().map_err(failed)?;
        let dummy = hash(&algorithm, &nobody)?.into();
        let queue = Arc::new(Queue::default());
        for number in 0..config.threads {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || {
                    give_way();
                    queue.work();
                })
                .map_err(failed)?;
        }
        Ok(Self { pool: Arc::new(Pool { queue, config, algorithm, dummy }) })
    }

    /// Hashes a new password to a PHC string.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(&self, password: String, standing: Standing) -> Result<String, HashError> {
        let algorithm = self.pool.algorithm.clone();
        self.run(standing, move || hash(&algorithm, &password)).await?
    }

    /// Compares a password with a stored hash; without one (nobody has that name) it does the same
    /// work and says [`Verdict::Wrong`].
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn verify(
        &self,
        password: String,
        stored: Option<String>,
        standing: Standing,
    ) -> Result<Verdict, HashError> {
        let algorithm = self.pool.algorithm.clone();
        let dummy = self.pool.dummy.clone();
        self.run(standing, move || match stored {
            Some(stored) => verify(&algorithm, &password, &stored),
            None => verify(&algorithm, &password, &dummy).map(|_| Verdict::Wrong),
        })
        .await?
    }

    /// Hashes that wait.
    pub fn waiting(&self) -> usize {
        self.pool.queue.lock().jobs.len()
    }

    async fn run<T: Send + 'static>(
        &self,
        standing: Standing,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (start, started) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody waits any more: don't do the work.
            if start.send(()).is_ok() {
                let _ = finish.send(work());
            }
        });
        let places = match standing {
            Standing::Known => self.pool.config.queue,
            Standing::Unknown => self.pool.config.queue - self.pool.config.queue / 2,
        };
        self.pool.queue.push(job, places)?;
        match tokio::time::timeout(self.pool.config.wait, started).await {
            Ok(Ok(())) => {
                finished.await.map_err(|_| HashError::Failed("a hash thread broke".into()))
            }
            Ok(Err(_)) | Err(_) => Err(HashError::Busy),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.filled.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A deque of boxed jobs is valid after any panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job, places: usize) -> Result<(), HashError> {
        let mut state = self.lock();
        if state.jobs.len() >= places {
            return Err(HashError::Busy);
        }
        state.jobs.push_back(job);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    fn work(&self) {
        loop {
            let mut state = self.lock();
            let job = loop {
                if let Some(job) = state.jobs.pop_front() {
                    break job;
                }
                if state.closed {
                    return;
                }
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            // One job that panics must not take its thread, and with it a share of all logins, along.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                tracing::error!("a password hash panicked");
            }
        }
    }
}

/// Lets everyone else go first: a thread that hashes never keeps one that answers from its core. On Linux this is about
/// the calling thread alone; where it can't be had, hashes are as important as the rest.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "password hashes run at the usual priority");
    }
}

fn hash(algorithm: &Argon2<'_>, password: &str) -> Result<String, HashError> {
    let hash: PasswordHash = algorithm.hash_password(password.as_bytes()).map_err(failed)?;
    Ok(hash.to_string())
}

fn verify(algorithm: &Argon2<'_>, password: &str, stored: &str) -> Result<Verdict, HashError> {
    let parsed = PasswordHash::new(stored).map_err(failed)?;
    match algorithm.verify_password(password.as_bytes(), &parsed) {
        Ok(()) => {
            let rehashed = if is_current(algorithm, &parsed) {
                None
            } else {
                Some(hash(algorithm, password)?)
            };
            Ok(Verdict::Right { rehashed })
        }
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(failed(error)),
    }
}

fn is_current(algorithm: &Argon2<'_>, stored: &PasswordHash) -> bool {
    let today = algorithm.params();
    stored.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && Params::try_from(stored).is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost())
                == (today.m_cost(), today.t_cost(), today.p_cost())
        })
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    fn hasher(passes: u32, queue: usize) -> Hasher {
        Hasher::start(HasherConfig {
            cost: HashCost { memory_kib: 8, passes },
            threads: 1,
            queue,
            wait: Duration::from_secs(5),
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_hash_names_its_parameters_and_knows_its_password() {
        let hasher = hasher(1, 4);
        let stored = hasher.hash("open sesame".into(), Standing::Unknown).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
        let right = hasher.verify("open sesame".into(), Some(stored.clone()), Standing::Unknown);
        assert_eq!(right.await.unwrap(), Verdict::Right { rehashed: None });
        let wrong = hasher.verify("open sesame ".into(), Some(stored), Standing::Unknown);
        assert_eq!(wrong.await.unwrap(), Verdict::Wrong);
        let nobody = hasher.verify("open sesame".into(), None, Standing::Unknown);
        assert_eq!(nobody.await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_with_old_parameters_is_made_anew() {
        let stored = hasher(1, 4).hash("open sesame".into(), Standing::Unknown).await.unwrap();
        let today = hasher(2, 4);
        let verdict = today.verify("open sesame".into(), Some(stored), Standing::Unknown).await;
        let Verdict::Right { rehashed: Some(fresh) } = verdict.unwrap() else {
            panic!("not rehashed")
        };
        assert!(fresh.contains("t=2"), "{fresh}");
    }

    /// Keeps the one thread busy until what it gives is dropped.
    async fn occupied(hasher: &Hasher) -> std::sync::mpsc::Sender<()> {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (running, is_running) = oneshot::channel();
        let hasher = hasher.clone();
        tokio::spawn(async move {
            let work = move || {
                let _ = running.send(());
                let _ = held.recv();
            };
            hasher.run(Standing::Known, work).await
        });
        is_running.await.unwrap();
        release
    }

    /// Callers who wait for a hash each; returns once they are in the queue.
    async fn callers(hasher: &Hasher, count: usize, standing: Standing) -> JoinSet<bool> {
        let (mut callers, there) = (JoinSet::new(), hasher.waiting());
        for _ in 0..count {
            let hasher = hasher.clone();
            callers.spawn(async move { hasher.hash("x".into(), standing).await.is_ok() });
        }
        while hasher.waiting() < there + count {
            tokio::task::yield_now().await;
        }
        callers
    }

    #[tokio::test]
    async fn a_full_queue_says_busy_but_keeps_half_of_its_places_for_known_devices() {
        let hasher = hasher(1, 4);
        let release = occupied(&hasher).await;
        let strangers = callers(&hasher, 2, Standing::Unknown).await;
        let stranger = hasher.hash("x".into(), Standing::Unknown).await;
        assert!(matches!(stranger, Err(HashError::Busy)));
        let owners = callers(&hasher, 2, Standing::Known).await;
        let owner = hasher.hash("x".into(), Standing::Known).await;
        assert!(matches!(owner, Err(HashError::Busy)));
        drop(release);
        assert!(strangers.join_all().await.into_iter().all(|hashed| hashed));
        assert!(owners.join_all().await.into_iter().all(|hashed| hashed));
    }

    #[tokio::test]
    async fn a_class_of_thirty_strangers_finds_room_in_the_queue_as_it_comes() {
        let hasher = hasher(1, crate::Flags::defaults().hash_queue);
        let release = occupied(&hasher).await;
        let class = callers(&hasher, 30, Standing::Unknown).await;
        drop(release);
        assert!(class.join_all().await.into_iter().all(|hashed| hashed));
    }

    #[tokio::test]
    async fn a_queue_of_one_has_room_for_anyone() {
        let hasher = hasher(1, 1);
        let release = occupied(&hasher).await;
        let stranger = callers(&hasher, 1, Standing::Unknown).await;
        drop(release);
        assert_eq!(stranger.join_all().await, [true]);
    }
}

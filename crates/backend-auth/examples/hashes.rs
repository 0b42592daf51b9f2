//! Password hashes a second with nothing around them, on as many threads as the server would use: the bound of its logins.
//!
//!     cargo run --release -p backend-auth --example hashes [SECONDS]

use std::io::Write;
use std::time::{Duration, Instant};

use backend_auth::hasher::{Hasher, Standing};
use backend_auth::{Config, Flags};

// The server's own: one that gives a hash's memory back to the system each time costs half as much again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(3), |text| text.parse())?;
    let folder = std::env::temp_dir();
    let config = Config::try_from(Flags { www: folder, ..Flags::defaults() })?.hasher;
    let threads = config.threads;
    let hasher = Hasher::start(config)?;
    let stored = hasher.hash("seven violins at dusk".into(), Standing::Known).await?;
    let (begun, ends) = (Instant::now(), Duration::from_secs(seconds));
    let mut workers = Vec::new();
    // One more than there are threads, so that none waits for its next.
    for _ in 0..=threads {
        let (hasher, stored) = (hasher.clone(), stored.clone());
        workers.push(tokio::spawn(async move {
            let mut count = 0_u64;
            while begun.elapsed() < ends {
                let typed = "seven violins at dusk".to_owned();
                if hasher.verify(typed, Some(stored.clone()), Standing::Known).await.is_ok() {
                    count += 1;
                }
            }
            count
        }));
    }
    let mut count = 0;
    for worker in workers {
        count += worker.await?;
    }
    let per_second = count as f64 / begun.elapsed().as_secs_f64();
    writeln!(std::io::stdout(), "{{\"threads\": {threads}, \"per_second\": {per_second:.2}}}")?;
    Ok(())
}

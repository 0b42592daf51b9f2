//! Something that was asked for, kept for a while, and not asked for too often.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is kept.
pub(super) struct Kept<T> {
    value: Option<(Arc<T>, Instant)>,
    /// When it was last asked for, whatever came of it.
    asked: Option<Instant>,
}

impl<T> Kept<T> {
    /// Nothing yet.
    pub(super) const fn nothing() -> Self {
        Self { value: None, asked: None }
    }

    /// What is kept, unless it is older.
    pub(super) fn not_older(&self, than: Duration, now: Instant) -> Option<Arc<T>> {
        let (value, since) = self.value.as_ref()?;
        (now.saturating_duration_since(*since) < than).then(|| value.clone())
    }

    /// Whether it may be asked for again; counts as asking.
    pub(super) fn ask(&mut self, pause: Duration, now: Instant) -> bool {
        let may = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= pause);
        if may {
            self.asked = Some(now);
        }
        may
    }

    /// Keeps what came.
    pub(super) fn keep(&mut self, value: Arc<T>, now: Instant) {
        self.value = Some((value, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_kept_for_a_while_and_asked_for_now_and_then() {
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        let mut kept = Kept::nothing();
        assert!(kept.not_older(hour, now).is_none());
        assert!(kept.ask(hour, now));
        kept.keep(Arc::new(7), now);
        assert_eq!(kept.not_older(hour, now + hour / 2).as_deref(), Some(&7));
        assert!(kept.not_older(hour, now + hour).is_none());
        assert!(!kept.ask(hour, now + hour / 2) && kept.ask(hour, now + hour));
        assert!(!kept.ask(hour, now + hour), "it was asked for just now");
    }
}

//! Something that was asked for, kept for a while, and not asked for too often.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is kept.
pub(super) struct Kept<T> {
    value: Option<(Arc<T>, Instant)>,
    /// When it was last asked for, whatever came of that.
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

    /// Whether it may be asked for again.
    pub(super) fn may_ask(&self, pause: Duration, now: Instant) -> bool {
        self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= pause)
    }

    /// Notes what came of asking for it, and keeps it if it came. Only what came to an end counts: whoever asks and goes away meanwhile
    /// makes nobody wait.
    pub(super) fn asked<E>(&mut self, came: Result<T, E>, now: Instant) -> Result<Arc<T>, E> {
        self.asked = Some(now);
        let value = Arc::new(came?);
        self.value = Some((value.clone(), now));
        Ok(value)
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
        assert!(kept.not_older(hour, now).is_none() && kept.may_ask(hour, now));
        assert_eq!(kept.asked(Ok::<_, ()>(7), now).as_deref(), Ok(&7));
        assert_eq!(kept.not_older(hour, now + hour / 2).as_deref(), Some(&7));
        assert!(kept.not_older(hour, now + hour).is_none());
        assert!(!kept.may_ask(hour, now + hour / 2) && kept.may_ask(hour, now + hour));
        assert_eq!(kept.asked(Err("down"), now + hour), Err("down"));
        assert!(!kept.may_ask(hour, now + hour), "it was asked for just now");
        assert!(kept.not_older(2 * hour, now + hour).is_some(), "what was there stays");
    }
}

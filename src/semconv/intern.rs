//! Texts that many requests share: routes.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

/// How many texts a thread remembers. A program with more routes allocates for the others.
const CAPACITY: usize = 1_024;

thread_local! {
    /// One set for each thread, so that no request waits for another.
    static SEEN: RefCell<HashSet<Arc<str>>> = RefCell::new(HashSet::new());
}

/// The text, without allocating it anew for each request.
pub(crate) fn intern(text: &str) -> Arc<str> {
    let seen = SEEN.try_with(|seen| {
        let mut seen = seen.borrow_mut();
        if let Some(known) = seen.get(text) {
            return known.clone();
        }
        let new = Arc::<str>::from(text);
        if seen.len() < CAPACITY {
            seen.insert(new.clone());
        }
        new
    });
    // A thread that is ending has nothing to remember it in.
    seen.unwrap_or_else(|_| Arc::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_only_so_many_are() {
        assert!(Arc::ptr_eq(&intern("/users/{id}"), &intern("/users/{id}")));
        for text in 0..2 * CAPACITY {
            assert_eq!(&*intern(&text.to_string()), text.to_string());
        }
        assert_eq!(SEEN.with_borrow(HashSet::len), CAPACITY);
        assert!(!Arc::ptr_eq(&intern("one too many"), &intern("one too many")));
    }
}

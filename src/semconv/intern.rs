//! Texts that many requests share: routes, hosts, user agents, and the names of spans.
//!
//! Each thread has tables of its own, so that no request waits for another. A table has a fixed number
//! of places and never grows, whatever is sent. A text that finds its place taken takes it over, so
//! that what is common finds its way back in; a name leaves it, since it can never be freed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places of a thread's table of texts, and of that of names.
const PLACES: usize = 256;
/// Longer ones are not kept, so that a table is at most 64 KiB large.
const MAX_LENGTH: usize = 256;
/// How many names the process keeps for ever. A program with more allocates for the others.
const MAX_NAMES: usize = 4_096;

thread_local! {
    static TEXTS: RefCell<Vec<Option<Arc<str>>>> = RefCell::new(vec![None; PLACES]);
    static NAMES: RefCell<Vec<Option<(&'static str, usize)>>> = RefCell::new(vec![None; PLACES]);
}

static KEPT_NAMES: AtomicUsize = AtomicUsize::new(0);

/// The text, without allocating it anew for each request.
pub(crate) fn text(text: &str) -> Arc<str> {
    if text.len() > MAX_LENGTH {
        return Arc::from(text);
    }
    let shared = TEXTS.try_with(|texts| {
        let place = &mut texts.borrow_mut()[place(hash(FIRST, text))];
        match place {
            Some(known) if **known == *text => known.clone(),
            _ => place.insert(Arc::from(text)).clone(),
        }
    });
    // A thread that is ending has no table any more.
    shared.unwrap_or_else(|_| Arc::from(text))
}

/// `{method} {target}`. A name must be static or owned, so those that are kept are never freed.
pub(crate) fn name(method: &str, target: &str) -> Cow<'static, str> {
    let owned = || [method, " ", target].concat();
    if method.len() + target.len() > MAX_LENGTH {
        return Cow::Owned(owned());
    }
    let known = NAMES.try_with(|names| {
        let place = &mut names.borrow_mut()[place(hash(hash(FIRST, method), target))];
        match place {
            Some((name, split)) => {
                (name[..*split] == *method && name[*split + 1..] == *target).then_some(*name)
            }
            None if KEPT_NAMES.fetch_add(1, Ordering::Relaxed) < MAX_NAMES => {
                Some(place.insert((Box::leak(owned().into_boxed_str()), method.len())).0)
            }
            None => None,
        }
    });
    known.ok().flatten().map_or_else(|| Cow::Owned(owned()), Cow::Borrowed)
}

/// Where a hash begins.
pub(crate) const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// Good enough to spread texts over places; who makes them collide only makes them allocate.
pub(crate) fn hash(seed: u64, text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(seed, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    mix(rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte))), text.len() as u64)
}

pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// The upper bits are the well-mixed ones.
fn place(hash: u64) -> usize {
    (hash >> 32) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shared() {
        assert!(Arc::ptr_eq(&text("/users/{id}"), &text("/users/{id}")));
        let long = "x".repeat(MAX_LENGTH + 1);
        assert_eq!(*text(&long), *long);
        assert!(!Arc::ptr_eq(&text(&long), &text(&long)));
    }

    #[test]
    fn a_name_is_kept() {
        assert!(matches!(name("GET", "/users/{id}"), Cow::Borrowed("GET /users/{id}")));
        assert_eq!(name("GE", "T /users/{id}"), "GE T /users/{id}");
        let long = "x".repeat(MAX_LENGTH);
        assert_eq!(name("GET", &long), format!("GET {long}"));
    }

    #[test]
    fn many_texts_find_their_way_and_a_table_never_grows() {
        for number in 0..4 * PLACES {
            let number = number.to_string();
            assert_eq!(*text(&number), *number);
            assert_eq!(name("GET", &number), format!("GET {number}"));
        }
        assert_eq!(TEXTS.with_borrow(Vec::len), PLACES);
        assert!(TEXTS.with_borrow(|texts| texts.iter().flatten().count() > PLACES / 2), "they spread");
    }
}

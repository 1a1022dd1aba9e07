//! Texts that many requests share: routes, hosts, paths, user agents, and the names of spans.
//!
//! Without the tables each text would be an allocation of each request (and some 250 instructions). Each thread has tables of its own,
//! so that no request waits for another. A table has a fixed number of places and never grows, whatever
//! is sent. A text that finds its place taken takes it over, so
//! that what is common finds its way back in; a name leaves it, since it can never be freed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::LocalKey;

use crate::address::HostPort;

/// The places of each of a thread's tables.
const PLACES: usize = 256;
/// Longer ones are not kept, so that the texts of a table are at most 64 KiB.
const MAX_LENGTH: usize = 256;
/// How many names the process keeps for ever. A program with more allocates for the others.
const MAX_NAMES: usize = 4_096;

type Table<T> = RefCell<Vec<Option<T>>>;

thread_local! {
    static TEXTS: Table<Arc<str>> = RefCell::new(vec![None; PLACES]);
    /// Apart, since there may be so many that nothing else would find its place.
    static PATHS: Table<Arc<str>> = RefCell::new(vec![None; PLACES]);
    static HOSTS: Table<(Arc<str>, Option<HostPort>)> = RefCell::new(vec![None; PLACES]);
    static NAMES: Table<Name> = RefCell::new(vec![None; PLACES]);
}

/// The names that all threads share, which are never freed.
static KEPT: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

/// The same name for ever, as long as there are not too many.
fn keep(name: &str) -> Option<&'static str> {
    let kept = KEPT.read().unwrap_or_else(PoisonError::into_inner);
    if kept.contains(name) || kept.len() >= MAX_NAMES {
        return kept.get(name).copied();
    }
    drop(kept);
    let mut kept = KEPT.write().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have been faster.
    if kept.contains(name) || kept.len() >= MAX_NAMES {
        return kept.get(name).copied();
    }
    let name: &'static str = Box::leak(name.into());
    kept.insert(name);
    Some(name)
}

/// Runs with the place of a thread's table in which the text belongs. Nothing if the text is too long,
/// or if the thread is ending and has no table any more.
fn in_place<T: 'static, R>(
    table: &'static LocalKey<Table<T>>,
    length: usize,
    hash: u64,
    run: impl FnOnce(&mut Option<T>) -> R,
) -> Option<R> {
    let in_table = |table: &Table<T>| run(&mut table.borrow_mut()[place(hash)]);
    (length <= MAX_LENGTH).then(|| table.try_with(in_table).ok())?
}

/// The text, without allocating it anew for each request.
pub(crate) fn text(text: &str) -> Arc<str> {
    shared(&TEXTS, text)
}

/// The same for the path of a request.
pub(crate) fn path(path: &str) -> Arc<str> {
    shared(&PATHS, path)
}

/// The value of a header. What is not UTF-8 in it is replaced, and then it is not kept: it would not be
/// found again.
pub(crate) fn lossy(value: &[u8]) -> Arc<str> {
    let known = |place: &mut Option<Arc<str>>| place.clone().filter(|known| *known.as_bytes() == *value);
    let known = in_place(&TEXTS, value.len(), hash(FIRST, value), known).flatten();
    known.unwrap_or_else(|| match String::from_utf8_lossy(value) {
        Cow::Borrowed(valid) => text(valid),
        Cow::Owned(replaced) => Arc::from(replaced),
    })
}

fn shared(table: &'static LocalKey<Table<Arc<str>>>, text: &str) -> Arc<str> {
    let shared = in_place(table, text.len(), hash(FIRST, text.as_bytes()), |place| match place {
        Some(known) if **known == *text => known.clone(),
        _ => place.insert(Arc::from(text)).clone(),
    });
    shared.unwrap_or_else(|| Arc::from(text))
}

/// What `parse` makes of a host, kept: to parse it each time takes a request 490 instructions more.
pub(crate) fn host(text: &str, parse: impl Fn(&str) -> Option<HostPort>) -> Option<HostPort> {
    let shared = in_place(&HOSTS, text.len(), hash(FIRST, text.as_bytes()), |place| match place {
        Some((known, host)) if **known == *text => host.clone(),
        _ => place.insert((Arc::from(text), parse(text))).1.clone(),
    });
    shared.unwrap_or_else(|| parse(text))
}

/// A name of spans, and the target that is its second part.
#[derive(Clone)]
struct Name {
    name: &'static str,
    target: Arc<str>,
}

/// `{method} {target}`, and the target. A name must be static or owned, so those that are kept are never
/// freed.
pub(crate) fn name(method: &str, target: &str) -> (Cow<'static, str>, Arc<str>) {
    let owned = || [method, " ", target].concat();
    let is = |known: &Name| {
        known.target.len() + method.len() + 1 == known.name.len()
            && *known.target == *target
            && known.name.starts_with(method)
    };
    let hash = hash(hash(FIRST, method.as_bytes()), target.as_bytes());
    let known = in_place(&NAMES, method.len() + target.len(), hash, |place| {
        if place.is_none() {
            *place = keep(&owned()).map(|name| Name { name, target: Arc::from(target) });
        }
        let known = place.as_ref().filter(|known| is(known))?;
        Some((Cow::Borrowed(known.name), known.target.clone()))
    });
    known.flatten().unwrap_or_else(|| (Cow::Owned(owned()), text(target)))
}

/// Where a hash begins.
pub(crate) const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// Good enough to spread texts over places; who makes them collide only makes them allocate.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let seed = mix(seed, bytes.len() as u64);
    let Some(last) = bytes.last_chunk::<8>() else {
        return mix(seed, bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    };
    let (words, _rest) = bytes.as_chunks::<8>();
    // The last word overlaps the one before it, or is that one.
    words.iter().chain([last]).fold(seed, |hash, word| mix(hash, u64::from_le_bytes(*word)))
}

pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// The upper bits are the well-mixed ones.
fn place(hash: u64) -> usize {
    (hash >> (64 - PLACES.ilog2())) as usize
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
        let (kept, target) = name("GET", "/users/{id}");
        assert!(matches!(kept, Cow::Borrowed("GET /users/{id}")));
        assert!(Arc::ptr_eq(&target, &name("GET", "/users/{id}").1));
        for (method, target) in [("GE", "T /users/{id}"), ("GET", &*"x".repeat(MAX_LENGTH)), ("", "")] {
            assert_eq!(name(method, target), (Cow::Owned(format!("{method} {target}")), Arc::from(target)));
        }
    }

    #[test]
    fn texts_that_differ_in_their_last_letters_spread() {
        let spread = |text: &dyn Fn(usize) -> String| {
            let places = (0..1_000).map(|number| place(hash(FIRST, text(number).as_bytes())));
            places.collect::<BTreeSet<_>>().len()
        };
        assert!(spread(&|number| format!("/users/{number:08}")) > PLACES / 2);
        assert!(spread(&|number| format!("/users/{number}")) > PLACES / 2);
        assert!(spread(&|number| format!("192.168.{}.{}", number / 256, number % 256)) > PLACES / 2);
    }

    #[test]
    fn a_name_is_the_same_one_in_all_threads() {
        let here = name("GET", "/of/all/threads").0;
        let there = std::thread::spawn(|| name("GET", "/of/all/threads").0).join().unwrap();
        let (Cow::Borrowed(here), Cow::Borrowed(there)) = (here, there) else { panic!("they are kept") };
        assert!(std::ptr::eq(here, there));
    }

    #[test]
    fn many_texts_find_their_way_and_a_table_never_grows() {
        for number in 0..4 * PLACES {
            let number = number.to_string();
            assert_eq!(*text(&number), *number);
            assert_eq!(name("GET", &number).0, format!("GET {number}"));
            let host = host(&number, |text| Some(HostPort { host: text.into(), port: None }));
            assert_eq!(host.map(|host| host.host), Some(number.into()));
        }
        assert_eq!(TEXTS.with_borrow(Vec::len), PLACES);
        assert_eq!(HOSTS.with_borrow(Vec::len), PLACES);
        assert_eq!(NAMES.with_borrow(Vec::len), PLACES);
        assert!(TEXTS.with_borrow(|texts| texts.iter().flatten().count() > PLACES / 2), "they spread");
    }
}

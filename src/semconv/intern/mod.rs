//! Texts that many requests share: hosts, paths, user agents, and in `names` the names of spans with their routes.
//!
//! Without the tables each text would be an allocation of each request (and some 250 instructions). Each thread has tables of its own,
//! so that no request waits for another. A table has a fixed number of places and never grows, whatever
//! is sent. A text that finds its place taken takes it over, so that what is common finds its way back in.

mod names;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::thread::LocalKey;

use opentelemetry::Value;

pub(crate) use names::{for_ever, name};

use crate::address::HostPort;

/// The places of each of a thread's tables.
const PLACES: usize = 256;
/// Longer ones are not kept, so that the texts of a table are at most 64 KiB.
const MAX_LENGTH: usize = 256;

/// A shared text with its hash, by which a series of a metric is found without hashing its labels anew.
#[derive(Clone)]
pub(crate) struct Text {
    text: Arc<str>,
    hash: u64,
}

impl Text {
    pub(crate) fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { hash: hash(text.as_bytes()), text }
    }

    /// As the value of an attribute.
    pub(crate) fn value(&self) -> Value {
        Value::from(self.text.clone())
    }

    #[cfg(feature = "bound-instruments")]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

/// Most are one and the same text, which is seen without reading it.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text) || (self.hash == other.hash && self.text == other.text)
    }
}

impl Eq for Text {}

impl From<Text> for Arc<str> {
    fn from(text: Text) -> Self {
        text.text
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::from(text.text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

type Table<T> = RefCell<Vec<Option<T>>>;

thread_local! {
    static TEXTS: Table<Text> = RefCell::new(vec![None; PLACES]);
    /// Apart, since there may be so many that nothing else would find its place.
    static PATHS: Table<Text> = RefCell::new(vec![None; PLACES]);
    static HOSTS: Table<(Box<[u8]>, HostPort)> = RefCell::new(vec![None; PLACES]);
}

/// Runs with the place of a thread's table in which the text belongs. Nothing if the text is too long,
/// or if the thread is ending and has no table any more.
fn in_place<T: 'static, R>(
    table: &'static LocalKey<Table<T>>,
    length: usize,
    hash: u64,
    run: impl FnOnce(&mut Option<T>) -> R,
) -> Option<R> {
    let in_table = |table: &Table<T>| table.borrow_mut().get_mut(place(hash)).map(run);
    (length <= MAX_LENGTH).then(|| table.try_with(in_table).ok())??
}

/// The text, without allocating it anew for each request.
pub(crate) fn text(text: &str) -> Text {
    shared(&TEXTS, text)
}

/// The same for the path of a request.
pub(crate) fn path(path: &str) -> Arc<str> {
    shared(&PATHS, path).text
}

/// The value of a header. What is not UTF-8 in it is replaced, and then it is not kept: it would not be
/// found again.
pub(crate) fn lossy(value: &[u8]) -> Arc<str> {
    let known = |place: &mut Option<Text>| place.clone().filter(|known| *known.as_bytes() == *value);
    let known = in_place(&TEXTS, value.len(), hash(value), known).flatten();
    let known = known.unwrap_or_else(|| match String::from_utf8_lossy(value) {
        Cow::Borrowed(valid) => text(valid),
        Cow::Owned(replaced) => Text::new(replaced),
    });
    known.text
}

fn shared(table: &'static LocalKey<Table<Text>>, text: &str) -> Text {
    let hash = hash(text.as_bytes());
    let shared = in_place(table, text.len(), hash, |place| match place {
        Some(known) if **known == *text => known.clone(),
        _ => place.insert(Text { text: Arc::from(text), hash }).clone(),
    });
    shared.unwrap_or_else(|| Text { text: Arc::from(text), hash })
}

/// What was made of a host before: to read it each time takes a request 490 instructions more.
pub(crate) fn known_host(text: &[u8]) -> Option<HostPort> {
    let known = |place: &mut Option<(Box<[u8]>, HostPort)>| {
        place.as_ref().filter(|(known, _)| **known == *text).map(|(_, host)| host.clone())
    };
    in_place(&HOSTS, text.len(), hash(text), known).flatten()
}

pub(crate) fn keep_host(text: &[u8], host: HostPort) {
    in_place(&HOSTS, text.len(), hash(text), |place| *place = Some((text.into(), host)));
}

/// Where a hash begins.
pub(crate) const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// Good enough to spread texts over places; who makes them collide only makes them allocate.
fn hash(bytes: &[u8]) -> u64 {
    let seed = mix(FIRST, bytes.len() as u64);
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
    use std::collections::BTreeSet;

    use super::*;

    fn same(one: &Text, other: &Text) -> bool {
        std::ptr::eq(&**one, &**other)
    }

    #[test]
    fn a_text_is_shared() {
        assert!(same(&text("/users/{id}"), &text("/users/{id}")));
        let long = "x".repeat(MAX_LENGTH + 1);
        assert_eq!(*text(&long), *long);
        assert!(!same(&text(&long), &text(&long)));
        assert_eq!(text(&long), text(&long));
    }

    #[test]
    fn texts_that_differ_in_their_last_letters_spread() {
        let spread = |text: &dyn Fn(usize) -> String| {
            let places = (0..1_000).map(|number| place(hash(text(number).as_bytes())));
            places.collect::<BTreeSet<_>>().len()
        };
        assert!(spread(&|number| format!("/users/{number:08}")) > PLACES / 2);
        assert!(spread(&|number| format!("/users/{number}")) > PLACES / 2);
        assert!(spread(&|number| format!("192.168.{}.{}", number / 256, number % 256)) > PLACES / 2);
    }

    #[test]
    fn many_texts_find_their_way_and_a_table_never_grows() {
        for number in 0..4 * PLACES {
            let number = number.to_string();
            assert_eq!(*text(&number), *number);
            keep_host(number.as_bytes(), HostPort { host: Text::new(&*number), port: None });
            let host = known_host(number.as_bytes());
            assert_eq!(host.map(|host| host.host), Some(Text::new(number)));
        }
        assert_eq!(TEXTS.with_borrow(Vec::len), PLACES);
        assert_eq!(HOSTS.with_borrow(Vec::len), PLACES);
        assert!(TEXTS.with_borrow(|texts| texts.iter().flatten().count() > PLACES / 2), "they spread");
    }
}

//! Names of spans, each with the route or template that is in it.
//!
//! A name must be static or owned. So those of a program are kept for ever, up to a number that no program's routes reach, and then
//! neither the name nor its route is allocated in a request.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::{MAX_LENGTH, Text, hash, mix, text};

/// How many names the process keeps. A program with more allocates for the others.
const MAX_NAMES: usize = 4_096;
/// A thread's table has so many places at first,
const FIRST_PLACES: usize = 256;
/// and so many at most: twice the names, so that nearly all of them find one.
const MAX_PLACES: usize = 2 * MAX_NAMES;
/// How many places a name may take.
const CHOICES: usize = 8;

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
    Some(leak(&mut kept, name))
}

/// The same text for ever. Only for what the program itself names, such as its methods.
pub(crate) fn for_ever(text: &str) -> &'static str {
    let mut kept = KEPT.write().unwrap_or_else(PoisonError::into_inner);
    let known = kept.get(text).copied();
    known.unwrap_or_else(|| leak(&mut kept, text))
}

fn leak(kept: &mut BTreeSet<&'static str>, text: &str) -> &'static str {
    let text: &'static str = Box::leak(text.into());
    kept.insert(text);
    text
}

/// `{method} {target}`, and the target.
pub(crate) fn name(method: &str, target: &str) -> (Cow<'static, str>, Text) {
    let known = NAMES.try_with(|names| names.borrow_mut().get_or_keep(method, target));
    known.ok().flatten().unwrap_or_else(|| (Cow::Owned(written(method, target)), text(target)))
}

fn written(method: &str, target: &str) -> String {
    [method, " ", target].concat()
}

thread_local! {
    /// Each thread has its own, so that no request waits for another.
    static NAMES: RefCell<Names> = RefCell::new(Names(vec![None; FIRST_PLACES]));
}

#[derive(Clone)]
struct Name {
    name: &'static str,
    target: Text,
}

impl Name {
    fn is(&self, method: &str, target: &str) -> bool {
        self.name.len() == method.len() + 1 + target.len()
            && *self.target == *target
            && self.name.starts_with(method)
    }

    fn both(&self) -> (Cow<'static, str>, Text) {
        (Cow::Borrowed(self.name), self.target.clone())
    }

    fn hash(&self) -> u64 {
        both_hashed(self.name.len() - 1 - self.target.len(), self.target.hash)
    }
}

/// Methods mostly differ in length.
fn both_hashed(method_length: usize, target: u64) -> u64 {
    mix(target, method_length as u64)
}

/// A table that grows with the program's routes, and with nothing else. A name stays in its place.
struct Names(Vec<Option<Name>>);

impl Names {
    fn get_or_keep(&mut self, method: &str, target: &str) -> Option<(Cow<'static, str>, Text)> {
        if method.len() + target.len() > MAX_LENGTH {
            return None;
        }
        let hash = hash(target.as_bytes());
        match &self.0[self.place(both_hashed(method.len(), hash))] {
            Some(name) if name.is(method, target) => Some(name.both()),
            _ => self.search(method, target, hash),
        }
    }

    #[cold]
    fn search(&mut self, method: &str, target: &str, hash: u64) -> Option<(Cow<'static, str>, Text)> {
        let mut choices = self.choices(both_hashed(method.len(), hash));
        let taken = |place: usize| self.0[place].as_ref();
        if let Some(known) = choices.clone().filter_map(taken).find(|name| name.is(method, target)) {
            return Some(known.both());
        }
        let full = choices.all(|place| self.0[place].is_some());
        // To ask what all threads share takes a lock, so a name that finds no place does not ask each time.
        if full && self.0.len() == MAX_PLACES {
            return None;
        }
        let name = keep(&written(method, target))?;
        let name = Name { name, target: Text { text: Arc::from(target), hash } };
        if full {
            self.grow();
        }
        let both = name.both();
        self.put(name);
        Some(both)
    }

    fn grow(&mut self) {
        let places = vec![None; 2 * self.0.len()];
        let names = std::mem::replace(&mut self.0, places);
        names.into_iter().flatten().for_each(|name| self.put(name));
    }

    /// Where all places are taken it is left out, and comes back when it is asked for.
    fn put(&mut self, name: Name) {
        let free = self.choices(name.hash()).find(|place| self.0[*place].is_none());
        if let Some(place) = free {
            self.0[place] = Some(name);
        }
    }

    /// The upper bits are the well-mixed ones.
    fn place(&self, hash: u64) -> usize {
        (hash >> (64 - self.0.len().ilog2())) as usize
    }

    fn choices(&self, hash: u64) -> impl Iterator<Item = usize> + Clone + use<> {
        let (first, places) = (self.place(hash), self.0.len());
        (first..first + CHOICES).map(move |place| place % places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept() {
        let (kept, target) = name("GET", "/users/{id}");
        assert!(matches!(kept, Cow::Borrowed("GET /users/{id}")));
        assert!(std::ptr::eq(&*target, &*name("GET", "/users/{id}").1));
        for (method, target) in
            [("GE", "T /users/{id}"), ("GET ", "/users/{id}"), ("GET", &*"x".repeat(MAX_LENGTH)), ("", "")]
        {
            assert_eq!(name(method, target), (Cow::Owned(format!("{method} {target}")), Text::new(target)));
        }
    }

    #[test]
    fn a_name_is_the_same_one_in_all_threads() {
        let here = name("GET", "/of/all/threads").0;
        let there = std::thread::spawn(|| name("GET", "/of/all/threads").0).join().unwrap();
        let (Cow::Borrowed(here), Cow::Borrowed(there)) = (here, there) else { panic!("they are kept") };
        assert!(std::ptr::eq(here, there));
    }

    /// As many as a large program has, asked for in turn.
    #[test]
    fn a_thousand_names_find_a_place_each_and_the_table_stays_small() {
        let routes: Vec<_> = (0..1_000).map(|number| format!("/shop-{number}/users/{{id}}")).collect();
        let table = || NAMES.with_borrow(|names| (names.0.len(), names.0.iter().flatten().count()));
        let ask = || routes.iter().all(|route| matches!(name("GET", route).0, Cow::Borrowed(_)));
        assert!(ask());
        let (places, names) = table();
        assert!(names >= 1_000 && places <= 4_096, "{names} names in {places} places");
        assert!(ask());
        assert_eq!(table(), (places, names), "all were there");
    }
}

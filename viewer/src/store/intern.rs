use std::collections::HashSet;
use std::sync::Arc;

use super::size;
use crate::model::{Attributes, Resource, Scope, Text};

/// A longer text is seldom said twice.
const LONGEST: usize = 256;
/// How many resources and scopes are shared.
const SOURCES: usize = 256;
const LARGEST_SOURCE: usize = 4_096;

/// Texts, resources and scopes that many spans share. What is shared is counted here, and what finds no room is counted
/// with whom it belongs to.
#[derive(Debug)]
pub(crate) struct Interner {
    texts: HashSet<Text>,
    /// Of the texts themselves.
    bytes: usize,
    limit: usize,
    /// So many texts find no room before it is looked again which of the others are no longer used.
    patience: usize,
    resources: Vec<Arc<Resource>>,
    scopes: Vec<Arc<Scope>>,
    /// Of the resources and scopes.
    sources: usize,
    /// So many of them find no room before it is looked again which of the others are no longer used.
    source_patience: usize,
}

impl Interner {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            texts: HashSet::new(),
            bytes: 0,
            limit,
            patience: 0,
            resources: Vec::new(),
            scopes: Vec::new(),
            sources: 0,
            source_patience: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let tables = size::vec::<Arc<Resource>>(self.resources.capacity() + self.scopes.capacity());
        size::table::<Text>(self.texts.capacity()) + self.bytes + self.sources + tables
    }

    /// Forgets what nobody uses any more.
    pub(super) fn sweep(&mut self) {
        self.sweep_sources();
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.texts.shrink_to(self.texts.len() * 2);
        self.bytes = self.texts.iter().map(|text| size::text(text)).sum();
    }

    fn sweep_sources(&mut self) {
        self.resources.retain(|resource| Arc::strong_count(resource) > 1);
        self.scopes.retain(|scope| Arc::strong_count(scope) > 1);
        let resources: usize = self.resources.iter().map(|resource| size::resource(resource)).sum();
        let scopes: usize = self.scopes.iter().map(|scope| size::scope(scope)).sum();
        self.sources = resources + scopes;
    }

    /// Whether one more resource or scope may be shared, after a look for what is no longer used, if that may be worth it.
    fn shares(&mut self, cost: usize) -> bool {
        let is_full = |interner: &Self| interner.resources.len().max(interner.scopes.len()) >= SOURCES;
        if cost > LARGEST_SOURCE {
            return false;
        }
        if is_full(self) {
            if self.source_patience > 0 {
                self.source_patience -= 1;
                return false;
            }
            self.sweep_sources();
            self.source_patience = self.resources.len().max(self.scopes.len());
        }
        let shares = !is_full(self);
        self.sources += if shares { cost } else { 0 };
        shares
    }

    /// Room for one more of these bytes, after a look for what is no longer used, if that may be worth it.
    fn has_room(&mut self, bytes: usize) -> bool {
        let grown = size::table::<Text>(self.texts.len() + 1);
        if self.bytes + bytes + grown <= self.limit {
            return true;
        }
        if self.patience > 0 {
            self.patience -= 1;
            return false;
        }
        self.sweep();
        self.patience = self.texts.len();
        self.bytes + bytes + grown <= self.limit
    }
}

/// Something that is about to be kept: shares what can be shared, and counts the rest.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    interner: &'a mut Interner,
    cost: usize,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(interner: &'a mut Interner) -> Self {
        Self { interner, cost: 0 }
    }

    /// Bytes on the heap that are not shared, since the last time.
    pub(crate) fn cost(&mut self) -> usize {
        std::mem::take(&mut self.cost)
    }

    pub(crate) fn owns(&mut self, bytes: usize) {
        self.cost += bytes;
    }

    pub(crate) fn text(&mut self, text: &str) -> Text {
        if text.len() <= LONGEST {
            if let Some(shared) = self.interner.texts.get(text) {
                return shared.clone();
            }
            if self.interner.has_room(size::text(text)) {
                let shared = Text::from(text);
                self.interner.bytes += size::text(text);
                self.interner.texts.insert(shared.clone());
                return shared;
            }
        }
        self.cost += size::text(text);
        text.into()
    }

    pub(crate) fn resource(&mut self, service: Text, attributes: Attributes) -> Arc<Resource> {
        let resource = Resource { service, attributes };
        let shared = self.interner.resources.iter().find(|shared| ***shared == resource);
        if let Some(shared) = shared {
            return shared.clone();
        }
        let resource = Arc::new(resource);
        let cost = size::resource(&resource);
        if self.interner.shares(cost) {
            self.interner.resources.push(resource.clone());
        } else {
            self.cost += cost;
        }
        resource
    }

    /// The scope of this name, version and schema, if one without attributes is known.
    pub(crate) fn known_scope(&self, name: &str, version: &str, schema_url: &str) -> Option<Arc<Scope>> {
        let is_it = |scope: &&Arc<Scope>| {
            (&*scope.name, &*scope.version, &*scope.schema_url) == (name, version, schema_url)
                && scope.attributes.is_empty()
        };
        self.interner.scopes.iter().find(is_it).cloned()
    }

    pub(crate) fn scope(&mut self, scope: Scope) -> Arc<Scope> {
        if let Some(shared) = self.interner.scopes.iter().find(|shared| ***shared == scope) {
            return shared.clone();
        }
        let scope = Arc::new(scope);
        let cost = size::scope(&scope);
        if self.interner.shares(cost) {
            self.interner.scopes.push(scope.clone());
        } else {
            self.cost += cost;
        }
        scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once() {
        let mut interner = Interner::new(10_000);
        let mut draft = Draft::new(&mut interner);
        let (one, other) = (draft.text("http.route"), draft.text("http.route"));
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(draft.cost(), 0);
    }

    #[test]
    fn what_finds_no_room_is_counted_with_its_owner() {
        let mut interner = Interner::new(2_000);
        let texts: Vec<Text> =
            (0..1_000).map(|n| Draft::new(&mut interner).text(&format!("text {n:06}"))).collect();
        assert!(interner.bytes() <= 2_000, "{} bytes", interner.bytes());
        let mut draft = Draft::new(&mut interner);
        let text = draft.text("one more");
        assert_eq!(draft.cost(), size::text(&text));
        drop(texts);
    }

    #[test]
    fn texts_that_nobody_uses_make_room() {
        let mut interner = Interner::new(2_000);
        for n in 0..10_000 {
            Draft::new(&mut interner).text(&format!("text {n:06}"));
        }
        let mut draft = Draft::new(&mut interner);
        // After as many misses as there are texts it is looked again.
        let shared = (0..100).any(|_| {
            draft.text("wanted");
            draft.cost() == 0
        });
        assert!(shared);
    }

    #[test]
    fn what_nobody_uses_is_not_counted_any_more() {
        let mut interner = Interner::new(1 << 20);
        let mut draft = Draft::new(&mut interner);
        let kept = draft.text("kept");
        (0..100).for_each(|n| drop(draft.text(&format!("text {n:06}"))));
        (0..10).for_each(|n| drop(draft.resource(format!("{n}").into(), [].into())));
        interner.sweep();
        let tables = size::table::<Text>(interner.texts.capacity())
            + size::vec::<Arc<Resource>>(interner.resources.capacity() + interner.scopes.capacity());
        assert!(interner.texts.capacity() < 10, "{} places", interner.texts.capacity());
        assert_eq!(interner.bytes(), size::text(&kept) + tables);
    }

    #[test]
    fn a_long_text_is_not_shared() {
        let mut interner = Interner::new(1 << 20);
        let mut draft = Draft::new(&mut interner);
        draft.text(&"x".repeat(LONGEST + 1));
        assert_eq!(draft.cost(), size::text(&"x".repeat(LONGEST + 1)));
    }

    #[test]
    fn so_many_resources_are_shared_and_no_more() {
        let mut interner = Interner::new(1 << 20);
        let mut draft = Draft::new(&mut interner);
        let kept: Vec<_> =
            (0..SOURCES + 10).map(|n| draft.resource(format!("{n}").into(), [].into())).collect();
        assert_eq!(draft.interner.resources.len(), SOURCES);
        drop(kept);
        // After as many misses as there are resources it is looked again.
        (0..=SOURCES).for_each(|n| drop(draft.resource(format!("later {n}").into(), [].into())));
        assert!(draft.interner.resources.len() < SOURCES);
    }

    /// A look for what is no longer used costs as much as there is, so it must not come with each resource.
    #[test]
    fn it_is_seldom_looked_for_room() {
        let mut interner = Interner::new(1 << 20);
        let mut draft = Draft::new(&mut interner);
        let kept: Vec<_> = (1..SOURCES).map(|n| draft.resource(format!("{n}").into(), [].into())).collect();
        // Each of these would find the place of the one before.
        let is_shared = |n: &usize| {
            drop(draft.resource(format!("passing {n}").into(), [].into()));
            draft.cost() == 0
        };
        let shared = (0..10_000).filter(is_shared).count();
        assert!(shared <= 2 + 10_000 / (SOURCES - 1), "{shared} looks");
        drop(kept);
    }
}

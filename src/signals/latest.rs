use std::sync::OnceLock;

/// The last value of a list that only grows, and is read without a lock.
pub(crate) struct Latest<T>(OnceLock<Box<Node<T>>>);

pub(crate) struct Node<T> {
    pub(super) value: T,
    pub(super) next: Latest<T>,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Latest<T> {
    pub(super) fn get(&self) -> Option<&Node<T>> {
        let mut last = self.0.get()?;
        while let Some(next) = last.next.0.get() {
            last = next;
        }
        Some(last)
    }

    /// The value that was added after so many others.
    pub(super) fn nth(&self, number: usize) -> Option<&Node<T>> {
        let first = self.0.get().map(|first| &**first);
        std::iter::successors(first, |node| node.next.0.get().map(|next| &**next)).nth(number)
    }

    /// The value in this place. Another request may have been faster; its value is as good.
    pub(super) fn get_or_add(&self, make: impl FnOnce() -> T) -> &Node<T> {
        self.0.get_or_init(|| Box::new(Node { value: make(), next: Self::default() }))
    }
}

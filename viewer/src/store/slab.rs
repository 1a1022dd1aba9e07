use std::mem;

const CHUNK: usize = 128;

/// Places that keep their number. It grows by chunks, so that nothing is ever moved and there is never a second copy of it.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Box<[Option<T>]>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if self.free.is_empty() {
            let first = self.chunks.len() * CHUNK;
            self.chunks.push((0..CHUNK).map(|_| None).collect());
            self.free.extend((first..first + CHUNK).rev().map(|place| place as u32));
        }
        let place = self.free.pop().expect("a chunk has just been added");
        *self.at(place) = Some(value);
        place
    }

    fn at(&mut self, place: u32) -> &mut Option<T> {
        &mut self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }

    pub(super) fn get(&self, place: u32) -> Option<&T> {
        self.chunks.get(place as usize / CHUNK)?[place as usize % CHUNK].as_ref()
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.chunks.get_mut(place as usize / CHUNK)?[place as usize % CHUNK].as_mut()
    }

    pub(super) fn remove(&mut self, place: u32) -> Option<T> {
        let removed = mem::take(self.at(place));
        if removed.is_some() {
            self.free.push(place);
        }
        removed
    }

    pub(super) fn bytes(&self) -> usize {
        let chunks = self.chunks.capacity() * size_of::<Box<[Option<T>]>>();
        chunks + self.chunks.len() * CHUNK * size_of::<Option<T>>() + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again() {
        let mut slab = Slab::new();
        let places: Vec<u32> = (0..1_000).map(|n| slab.insert(n)).collect();
        assert_eq!(places[999], 999);
        assert_eq!(slab.remove(7), Some(7));
        assert_eq!(slab.remove(7), None);
        assert_eq!(slab.insert(-1), 7);
        assert_eq!((slab.get(7), slab.get(8), slab.get(5_000)), (Some(&-1), Some(&8), None));
    }
}

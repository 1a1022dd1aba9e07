use super::Unsound;

/// What is left of what may be taken.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    most: usize,
    left: usize,
    /// What was left when most was taken.
    least: usize,
    /// What is taken for a while only.
    kept: usize,
    /// The longest of the texts that may be copied on their way.
    longest: usize,
}

/// What serde makes room for before it reads a list of which it knows how long it is.
const AHEAD: usize = 1 << 20;

impl Budget {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, left: most, least: most, kept: 0, longest: 0 }
    }

    /// What was taken when it was most.
    pub(super) fn weight(&self) -> usize {
        self.most - self.least
    }

    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Unsound> {
        self.left = self.left.checked_sub(bytes).ok_or(Unsound::TooMuch(self.most))?;
        self.least = self.least.min(self.left);
        Ok(())
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        self.left += bytes;
    }

    /// One more comes into a list that has so many. It has room for four, or for one that is large, and then for twice as many as
    /// before; while it is copied there are both.
    pub(super) fn grow(&mut self, size: usize, count: usize) -> Result<(), Unsound> {
        self.grow_all(1, size, count)
    }

    /// The same of several lists that grow together.
    pub(super) fn grow_all(&mut self, lists: usize, size: usize, count: usize) -> Result<(), Unsound> {
        let first = if size > 1_024 { 1 } else { 4 };
        match count {
            0 => self.spend(lists * first * size),
            _ => self.double(lists * size, count, first),
        }
    }

    /// The same of a list of which it is known how long it is.
    pub(super) fn fill(&mut self, size: usize, count: usize) -> Result<(), Unsound> {
        let first = AHEAD / size;
        if count < first { self.spend(size) } else { self.double(size, count, first) }
    }

    fn double(&mut self, size: usize, count: usize, first: usize) -> Result<(), Unsound> {
        if count.is_multiple_of(first) && (count / first).is_power_of_two() {
            self.spend(2 * count * size)?;
            self.give_back(count * size);
        }
        Ok(())
    }

    /// Spends for a while only.
    pub(super) fn keep(
        &mut self,
        spend: impl FnOnce(&mut Self) -> Result<(), Unsound>,
    ) -> Result<(), Unsound> {
        let before = self.left;
        spend(self)?;
        self.kept += before - self.left;
        Ok(())
    }

    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// Gives back what is kept since so much was.
    pub(super) fn release(&mut self, before: usize) {
        self.give_back(self.kept - before);
        self.kept = before;
    }

    /// A text is copied on its way: unescaped, in a buffer that doubles and stays, and once more before it is what it is. So the
    /// longest of them is paid for.
    pub(super) fn copy(&mut self, length: usize) -> Result<(), Unsound> {
        let more = length.saturating_sub(self.longest);
        self.longest += more;
        self.spend(4 * more)
    }
}

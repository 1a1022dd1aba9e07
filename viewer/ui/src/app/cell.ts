/** One value that several components watch. */

import { useLayoutEffect, useState } from 'preact/hooks';

export class Cell<T> {
  readonly #watchers = new Set<(value: T) => void>();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const watcher of [...this.#watchers]) watcher(value);
  }

  /** Returns what ends the watch. */
  watch(watcher: (value: T) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

export function useCell<T>(cell: Cell<T>): T {
  const [value, set] = useState(cell.value);
  useLayoutEffect(() => {
    set(() => cell.value);
    return cell.watch((next) => set(() => next));
  }, [cell]);
  return value;
}

/** A list, page after page; the first page follows what comes as long as it is looked at. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { type ApiError, read } from '../api/client';
import { useAnswer } from './ask';

export interface Paged<T> {
  readonly items: readonly T[];
  readonly error: ApiError | undefined;
  /** The answer to this question has come. */
  readonly settled: boolean;
  readonly more: () => void;
}

interface Page {
  readonly next: string | null;
}

interface Later<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** No list is longer: nobody reads on, and a search is better. */
const MOST = 5000;

export function usePages<P extends Page, T>(url: string, live: boolean, itemsOf: (page: P) => readonly T[]): Paged<T> {
  const first = useAnswer<P>(url, { live });
  const [later, setLater] = useState<Later<T>>();
  const loading = useRef(false);
  // While the first page moves, what follows it is not known.
  useEffect(() => setLater(undefined), [url, live ? first.data : undefined]);
  const next = later ? later.next : (first.data?.next ?? null);
  const items = [...(first.data ? itemsOf(first.data) : []), ...(later?.items ?? [])];
  const more = (): void => {
    if (next === null || loading.current || live || items.length >= MOST) return;
    loading.current = true;
    read<P>(`${url}&before=${encodeURIComponent(next)}`)
      .then((page) => setLater({ items: [...(later?.items ?? []), ...itemsOf(page)], next: page.next }))
      .catch(() => setLater({ items: later?.items ?? [], next: null }))
      .finally(() => (loading.current = false));
  };
  return { items, error: first.error, settled: !first.pending, more };
}

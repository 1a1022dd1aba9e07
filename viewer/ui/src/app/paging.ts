/** A list, page after page; the first page follows what comes as long as it is looked at. */

import { useRef, useState } from 'preact/hooks';
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

interface Later<P, T> {
  /** The first page. When it has moved, or is that of another list, what follows it is not known. */
  readonly after: P;
  readonly items: readonly T[];
  readonly next: string | null;
}

/** No list is longer: nobody reads on, and a search is better. */
const MOST = 5000;

export function usePages<P extends Page, T>(url: string, live: boolean, itemsOf: (page: P) => readonly T[]): Paged<T> {
  const first = useAnswer<P>(url, { live });
  const [loaded, setLoaded] = useState<Later<P, T>>();
  const loading = useRef(false);
  const after = first.data;
  const later = loaded?.after === after ? loaded : undefined;
  const next = later ? later.next : (after?.next ?? null);
  const items = [...(after ? itemsOf(after) : []), ...(later?.items ?? [])];
  const more = (): void => {
    if (!after || next === null || first.pending || loading.current || live || items.length >= MOST) return;
    loading.current = true;
    const known = later?.items ?? [];
    read<P>(`${url}&before=${encodeURIComponent(next)}`)
      .then((page) => setLoaded({ after, items: [...known, ...itemsOf(page)], next: page.next }))
      .catch(() => setLoaded({ after, items: known, next: null }))
      .finally(() => (loading.current = false));
  };
  return { items, error: first.error, settled: !first.pending, more };
}

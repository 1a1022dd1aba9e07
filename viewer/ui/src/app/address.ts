/** The address of the page holds its whole state, so that it can be shared, kept and gone back to. */

import type { Kind } from '../trace/model';
import { Cell, useCell } from './cell';

export const PAGES = ['traces', 'map', 'operations', 'live', 'metrics', 'logs'] as const;
export type Page = (typeof PAGES)[number];

export interface Address {
  readonly path: readonly string[];
  readonly params: URLSearchParams;
  readonly fragment: string;
}

export type Changes = Readonly<Record<string, string | number | null | undefined>>;

function current(): Address {
  const path = location.pathname.split('/').filter((part) => part !== '').map(decoded);
  return { path: path.length > 0 ? path : ['traces'], params: new URLSearchParams(location.search), fragment: location.hash.slice(1) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const here = new Cell<Address>(current());

export function useAddress(): Address {
  return useCell(here);
}

/** Goes to another page of this application. */
export function go(url: string): void {
  history.pushState(null, '', url);
  here.value = current();
}

/** Changes some parameters of this page; `null` takes one away. Little changes make no entry in the history. */
export function change(changes: Changes, { entry = false } = {}): void {
  const url = `${location.pathname}${search(changes, new URLSearchParams(location.search))}${location.hash}`;
  if (entry) history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  here.value = current();
}

/** The address of a page, with the parameters that pages have in common. */
export function to(path: string, changes: Changes = {}): string {
  const kept = new URLSearchParams();
  for (const key of ['service', 'last', 'from', 'to']) {
    const value = here.value.params.get(key);
    if (value !== null) kept.set(key, value);
  }
  return `${path}${search(changes, kept)}`;
}

/** The address of a span. Where a call and what served it have one id, that alone means what served, so the kind is said too. */
export function toSpan(trace: string, span: string, kind: Kind): string {
  return `/trace/${encodeURIComponent(trace)}?span=${encodeURIComponent(`${span}-${kind}`)}`;
}

function search(changes: Changes, params: URLSearchParams): string {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === '') params.delete(key);
    else params.set(key, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/** Lets links of this application change the page without loading it again. */
export function followLinks(): void {
  addEventListener('popstate', () => (here.value = current()));
  addEventListener('hashchange', () => (here.value = current()));
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
    if (!link || link.hasAttribute('target') || link.hasAttribute('download')) return;
    const url = new URL(link.getAttribute('href') ?? '', location.href);
    if (url.origin !== location.origin) return;
    event.preventDefault();
    go(url.href);
  });
}

/** Which part of what is kept a page is about: service and time, from its address. */

import type { Parameters } from '../api/client';
import { day } from '../format/time';

export const LASTS: readonly (readonly [seconds: string, words: string])[] = [
  ['60', 'last minute'],
  ['300', 'last 5 min'],
  ['900', 'last 15 min'],
  ['3600', 'last hour'],
  ['21600', 'last 6 hours'],
  ['all', 'all that is kept'],
];

const DEFAULT = '900';

/** The choice of the range's menu. */
export function lastOf(params: URLSearchParams): string {
  return params.get('last') ?? DEFAULT;
}

/** Parameters of the API for the address of a page. */
export function scope(params: URLSearchParams, { search = true } = {}): Parameters {
  const q = search ? (params.get('q') ?? '') : '';
  const service = params.get('service') ?? '';
  const [from, to] = [params.get('from') ?? '', params.get('to') ?? ''];
  if (from !== '' || to !== '') return { q, service, from, to };
  const last = lastOf(params);
  return last === 'all' ? { q, service } : { q, service, last };
}

/** The range in words. */
export function rangeWords(params: URLSearchParams): string {
  const [from, to] = [params.get('from'), params.get('to')];
  if (from !== null && to !== null) return `${day(Number(from) / 1000)} – ${day(Number(to) / 1000).split(', ')[1] ?? ''}`;
  return LASTS.find(([seconds]) => seconds === lastOf(params))?.[1] ?? `last ${lastOf(params)} s`;
}

/** Asks the viewer it came from, and nobody else. */

import { decodeTrace } from '../trace/decode';
import type { Trace } from '../trace/model';
import type { Imported } from './types';

export type Parameters = Readonly<Record<string, string | number | undefined>>;

/** An answer that says what was wrong. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** The place in the search, for a search that is none. */
    readonly at: number | undefined,
  ) {
    super(message);
  }
}

export function address(path: string, parameters: Parameters = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) if (value !== undefined && value !== '') search.set(key, String(value));
  const query = search.toString();
  return `/api/v1${path}${query === '' ? '' : `?${query}`}`;
}

export async function read<T>(url: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(url, init);
  if (!response.ok) throw await failure(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export function post<T>(path: string, body?: BodyInit): Promise<T> {
  const headers = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
  return read(address(path), { method: 'POST', headers, body: body ?? null });
}

/** Sends a file of traces to be taken in. What is in it shows by its name only where that must be said. */
export function upload(file: File): Promise<Imported> {
  const headers: Record<string, string> = { 'content-type': /\.(pb|bin|binpb)(\.gz)?$/.test(file.name) ? 'application/x-protobuf' : 'application/json' };
  if (file.name.endsWith('.gz')) headers['content-encoding'] = 'gzip';
  return read(address('/import'), { method: 'POST', headers, body: file });
}

export async function readTrace(id: string, signal?: AbortSignal): Promise<Trace> {
  return decodeTrace(await read<unknown>(address(`/traces/${encodeURIComponent(id)}`), signal ? { signal } : {}));
}

async function failure(response: Response): Promise<ApiError> {
  const { error } = ((await response.json().catch(() => ({}))) ?? {}) as { error?: { message?: string; at?: number } };
  return new ApiError(error?.message ?? `The viewer answered ${response.status}.`, response.status, error?.at);
}

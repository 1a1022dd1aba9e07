/** A whole trace in the fragment of an address. A browser sends no fragment anywhere, so it opens in any viewer. */

import { decodeTrace } from './decode';
import type { Trace } from './model';

interface Bounds {
  readonly bytes: number;
  readonly values: number;
  readonly spans: number;
}

/**
 * So much may come out of a fragment; a little link must not fill the memory. Bytes alone are no bound: a span of two characters
 * takes four hundred bytes when it is read. So many spans a viewer keeps of a trace.
 */
const MOST: Bounds = { bytes: 64 * 1024 * 1024, values: 4_000_000, spans: 50_000 };

export async function pack(trace: Trace): Promise<string> {
  const packed = new Blob([JSON.stringify(trace)]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  return toBase64Url(await gather(packed, Infinity));
}

/** The trace of a fragment, or an error that says why there is none. */
export async function unpack(fragment: string, most = MOST): Promise<Trace> {
  const unpacked = new Blob([fromBase64Url(fragment)]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const bytes = await gather(unpacked, most.bytes).catch((error: unknown) => {
    throw error instanceof RangeError ? error : new Error('This link is damaged: what it carries cannot be unpacked.');
  });
  if (valuesIn(bytes) > most.values) throw new RangeError(`This link carries more than ${most.values} values.`);
  const json = JSON.parse(new TextDecoder().decode(bytes)) as { spans?: unknown } | null;
  if (Array.isArray(json?.spans) && json.spans.length > most.spans) throw new RangeError(`This link carries more than ${most.spans} spans.`);
  return decodeTrace(json);
}

/** At most: a comma, a bracket or a brace begins each, and texts may have some too. */
function valuesIn(bytes: Uint8Array): number {
  let values = 0;
  for (const byte of bytes) if (byte === 0x2c || byte === 0x5b || byte === 0x7b) values++;
  return values;
}

async function gather(stream: ReadableStream<Uint8Array<ArrayBuffer>>, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (const reader = stream.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw new RangeError(`This link carries more than ${most / 1024 / 1024} MB.`);
    }
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function toBase64Url(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[\w-]+$/.test(text)) throw new Error('This link carries no trace.');
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Values of attributes as text. */

import type { Value } from './model';

/** As one line; strings without quotes. */
export function plain(value: Value): string {
  return typeof value === 'string' ? value : quoted(value);
}

function quoted(value: Value): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(quoted).join(', ')}]`;
  if ('int' in value) return value.int;
  if ('double' in value) return value.double;
  if ('bytes' in value) return value.bytes;
  return `{${value.map.map(([key, inner]) => `${JSON.stringify(key)}: ${quoted(inner)}`).join(', ')}}`;
}

/** `Array.isArray` does not know of lists that are only read. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

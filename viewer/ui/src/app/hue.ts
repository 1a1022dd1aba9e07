/** Each service has a hue: by its name, and another one only if a service before it in the alphabet has that already. */

export const HUES = 8;

let taken: ReadonlyMap<string, number> = new Map();

/** Tells which services there are. */
export function assignHues(services: readonly string[]): void {
  taken = hues(services);
}

export function hues(services: readonly string[]): ReadonlyMap<string, number> {
  const assigned = new Map<string, number>();
  const used = new Set<number>();
  for (const service of [...new Set(services)].sort()) {
    let hue = hash(service) % HUES;
    if (used.size < HUES) while (used.has(hue)) hue = (hue + 1) % HUES;
    used.add(hue);
    assigned.set(service, hue);
  }
  return assigned;
}

export function hueOf(service: string): number {
  return taken.get(service) ?? hash(service) % HUES;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return value;
}

/** The stream of what happens, one for the whole page: it ends while nobody looks, and says when there is news. */

import type { Failure, History, Tick } from '../api/types';
import { Cell } from './cell';

const TICKS = 300;
const FAILURES = 50;

export const ticks = new Cell<readonly Tick[]>([]);
export const failures = new Cell<readonly Failure[]>([]);
/** Grows when the store has changed; pages ask again. */
export const revision = new Cell(0);
/** Grows now and then though nothing changes: what was told of the last minutes grows old by itself. */
export const age = new Cell(0);
export const connected = new Cell(true);
/** What is shown stands still; what comes is taken in all the same. */
export const held = new Cell(false);

/** A browser tries again by itself where nobody answers, but not after an answer that is no stream, as when many look already: ms. */
const AGAIN = 3000;

/** So old an answer may be: µs. */
const OLD = 10e6;

let stream: EventSource | undefined;
let later: ReturnType<typeof setTimeout> | undefined;

export function followEvents(): void {
  document.addEventListener('visibilitychange', listen);
  listen();
}

/** From the beginning: first comes what is past. */
function listen(): void {
  clearTimeout(later);
  stream?.close();
  stream = document.hidden ? undefined : open();
}

function open(): EventSource {
  const source = new EventSource('/api/v1/live');
  source.addEventListener('open', () => (connected.value = true));
  source.addEventListener('error', () => {
    connected.value = false;
    if (source.readyState === EventSource.CLOSED) later = setTimeout(listen, AGAIN);
  });
  source.addEventListener('history', ({ data }: MessageEvent<string>) => {
    const history = JSON.parse(data) as History;
    ticks.value = history.ticks.slice(-TICKS);
    failures.value = history.failures.slice(0, FAILURES);
    see(history.ticks.at(-1));
  });
  source.addEventListener('tick', ({ data }: MessageEvent<string>) => {
    const tick = JSON.parse(data) as Tick;
    ticks.value = ticked(ticks.value, tick);
    see(tick);
  });
  source.addEventListener('failure', ({ data }: MessageEvent<string>) => {
    failures.value = told(failures.value, JSON.parse(data) as Failure);
  });
  return source;
}

/** Spans of other processes come late: a second may be told once more. */
export function ticked(before: readonly Tick[], tick: Tick): readonly Tick[] {
  const known = before.findLastIndex(({ time }) => time === tick.time);
  return known >= 0 ? before.with(known, tick) : [...before.slice(1 - TICKS), tick];
}

/** And so may a failure. */
export function told(before: readonly Failure[], failure: Failure): readonly Failure[] {
  const others = before.filter(({ trace, span, kind }) => trace !== failure.trace || span !== failure.span || kind !== failure.kind);
  return [failure, ...others].slice(0, FAILURES);
}

function see(tick: Tick | undefined): void {
  if (!tick || held.value) return;
  revision.value = tick.revision;
  age.value = Math.floor(tick.time / OLD);
}

import { expect, it } from 'vitest';
import type { Failure, Tick } from '../api/types';
import { ticked, told } from './live';

const tick = (time: number, requests: number): Tick => ({ time, requests, failures: 0, p50: null, p95: null, calls: 0, callFailures: 0, inFlight: null, cpu: null, memory: null, busy: null, spans: 0, revision: 0 });
const failure = (span: string, message = '', kind: Failure['kind'] = 'server'): Failure => ({ why: 'error', time: 0, service: '', name: '', duration: 0, trace: 't', span, kind, message });

it('replaces a second that is told again, and keeps five minutes', () => {
  expect(ticked([tick(1, 5), tick(2, 6)], tick(1, 7)).map(({ requests }) => requests)).toEqual([7, 6]);
  const full = Array.from({ length: 300 }, (_, time) => tick(time, 0));
  expect(ticked(full, tick(300, 1)).map(({ time }) => time)).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
});

it('tells a failure once, the newest first', () => {
  expect(told([failure('a'), failure('b')], failure('b', 'again')).map(({ span, message }) => span + message)).toEqual(['bagain', 'a']);
  expect(told([failure('a', 'served')], failure('a', 'called', 'client')).map(({ message }) => message)).toEqual(['called', 'served']);
});

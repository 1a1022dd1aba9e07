import { expect, it } from 'vitest';
import { inUnit } from '../../format/unit';
import { aligned, perSecond } from './columns';

it('brings series to common times, with gaps', () => {
  const { times, columns } = aligned([{ times: [1e6, 2e6], values: [1, 2] }, { times: [1_100_000, 3e6], values: [5, null] }]);
  expect(times).toEqual([1e6, 2e6, 3e6]);
  expect(columns).toEqual([[1, 2, null], [5, null, null]]);
});

it('tells the rate of a count, and nothing where it began anew', () => {
  const counts = { times: [0, 2e6, 3e6, 4e6], count: [10, 20, 5, null] };
  expect(perSecond({ ...counts, temporality: 'cumulative' })).toEqual([null, 5, null, null]);
  expect(perSecond({ ...counts, temporality: 'delta' })).toEqual([null, 10, 5, null]);
});

it('tells values in units that people use', () => {
  const plain = (value: number, unit: string): string => inUnit(value, unit).replaceAll('\u202f', ' ');
  expect([plain(0.312, 's'), plain(2048, 'By'), plain(0.5, '1'), plain(7, '{request}'), plain(7, '')]).toEqual(['312 ms', '2.00 KiB', '50.0 %', '7.00 request', '7.00']);
});

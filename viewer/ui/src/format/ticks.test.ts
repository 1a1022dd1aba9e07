import { expect, it } from 'vitest';
import { decades, linear, moments, rounds } from './ticks';

it('marks round values', () => {
  expect(linear(0, 196, 4)).toEqual([0, 50, 100, 150]);
  expect(linear(3, 9, 3)).toEqual([4, 6, 8]);
  expect(linear(5, 5, 3)).toEqual([]);
});

it('marks round times, and thousandths where a second is long', () => {
  const noon = Date.UTC(2026, 2, 2, 12);
  expect(moments(noon + 1, noon + 600_000, 5)).toEqual([2, 4, 6, 8, 10].map((minutes) => noon + minutes * 60_000));
  expect(moments(noon, noon + 1000, 2)).toEqual([noon, noon + 500, noon + 1000]);
});

it('comes to an end where doubles are too coarse for its steps', () => {
  expect(linear(1.7e18, 1.7e18 + 256, 6).length).toBeLessThan(10);
  expect(linear(-1e300, 1e300, 6).length).toBeLessThan(10);
});

it('has no marks below every power of ten', () => {
  expect(decades(0, 100)).toEqual([]);
  expect(rounds(0, 100)).toEqual([]);
});

it('marks a logarithmic axis', () => {
  expect(decades(150, 2e5)).toEqual([1000, 1e4, 1e5]);
  expect(decades(1000, 1000)).toEqual([1000]);
  expect(rounds(15, 600)).toEqual([20, 50, 100, 200, 500]);
});

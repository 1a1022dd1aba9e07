import { describe, expect, it } from 'vitest';
import { bytes, compact, count, duration, percent, rate, round, significant } from './number';
import { ago, clock, day, iso } from './time';

const plain = (text: string): string => text.replaceAll('\u202f', ' ');

describe('numbers', () => {
  it.each([
    [0, '0'], [1, '1.00'], [9.994, '9.99'], [9.996, '10.0'], [99.95, '100'], [312.4, '312'], [999.6, '1,000'],
    [18204, '18,200'], [0.01234, '0.0123'], [-1.5, '-1.50'], [Number.NaN, '–'], [Infinity, '–'],
  ])('%d has three significant digits: %s', (value, expected) => expect(significant(value)).toBe(expected));

  it.each([
    [0, '0 ms'], [950, '950 ns'], [48_300, '48.3 µs'], [999_900, '1.00 ms'], [312e6, '312 ms'], [1.2404e9, '1.24 s'],
    [59.97e9, '1.00 min'], [123e9, '2.05 min'], [4428e9, '1.23 h'], [-88e6, '-88.0 ms'],
  ])('%d ns is %s', (value, expected) => expect(plain(duration(value))).toBe(expected));

  it('tells sizes, counts, rates and shares with their units', () => {
    expect(plain(bytes(64 * 1024 * 1024))).toBe('64.0 MiB');
    expect(count(18_204)).toBe('18,204');
    expect(count(1_250_000)).toBe('1.25M');
    expect(compact(1200)).toBe('1.20k');
    expect([0.5, 0.05, 0.005, 0.0001, 0].map((value) => plain(rate(value)))).toEqual(['0.500 /s', '0.0500 /s', '0.300 /min', '0.360 /h', '0 /s']);
    expect(['50.0\u202fms', '1.50\u202fs', '100\u202fms', '0', '1,000', '0.400 /s'].map(round)).toEqual(['50\u202fms', '1.5\u202fs', '100\u202fms', '0', '1,000', '0.4 /s']);
    expect(plain(percent(0.0031))).toBe('0.310 %');
  });
});

describe('times', () => {
  it('keeps every nanosecond in ISO', () => {
    expect(iso(1_772_454_667_482_193_004n)).toBe('2026-03-02T12:31:07.482193004Z');
  });

  it('tells what is no time of a calendar as such, as an address may ask for anything', () => {
    expect([Number.NaN, Infinity, 9e15, -9e15].map((moment) => [clock(moment), day(moment)])).toEqual(new Array(4).fill(['–', '–']));
    expect(iso(10n ** 23n)).toBe('–');
  });

  it.each([[0, 'just now'], [8e3, '8 s ago'], [180e3, '3 min ago'], [7200e3, '2 h ago'], [-5e3, 'just now']])(
    '%d ms is %s',
    (elapsed, expected) => expect(ago(1e12 - elapsed, 1e12)).toBe(expected),
  );
});

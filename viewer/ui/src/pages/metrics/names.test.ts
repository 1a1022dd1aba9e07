import { expect, it } from 'vitest';
import type { MetricSeries } from '../../api/types';
import { namesOf } from './names';

type Pairs = MetricSeries['attributes'];
const one = { service: 'shop', scope: 'hyper', temporality: 'cumulative' as const, attributes: [['http.route', '/home'], ['method', 'GET']] as Pairs };
const of = (...attributes: Pairs): typeof one => ({ ...one, attributes });

it('names one by all that is known of it', () => {
  expect(namesOf([one])).toEqual(['/home GET']);
  expect(namesOf([of()])).toEqual(['shop']);
  expect(namesOf([])).toEqual([]);
});

it('names many by what tells them apart', () => {
  expect(namesOf([one, of(['http.route', '/db'], ['method', 'GET'])])).toEqual(['/home', '/db']);
  expect(namesOf([one, { ...one, scope: 'axum' }])).toEqual(['hyper', 'axum']);
  expect(namesOf([one, { ...one, temporality: 'delta' }])).toEqual(['cumulative', 'delta']);
  expect(namesOf([one, one])).toEqual(['/home GET', '/home GET']);
});

it('always says whose they are, and nothing that follows from the rest', () => {
  const other = { ...one, service: 'stock', scope: 'axum', temporality: 'delta' as const };
  expect(namesOf([one, other])).toEqual(['shop', 'stock']);
  const [well, failed] = [of(['error.type', ''], ['route', '/a'], ['status', 200]), of(['error.type', '502'], ['route', '/a'], ['status', 502])];
  expect(namesOf([well, failed, of(['route', '/b'], ['status', 200])])).toEqual(['/a status=200', '/a status=502', '/b status=200']);
});

it('leaves out what only some have, where it says nothing more', () => {
  expect(namesOf([of(['route', '/a'], ['version', '1.1']), of(['route', '/b'], ['version', '1.1']), of(['route', '/c'])])).toEqual(['/a', '/b', '/c']);
  expect(namesOf([of(['route', '/a'], ['cached', true]), of(['route', '/a'])])).toEqual(['cached=true', 'shop']);
});

import { expect, it } from 'vitest';
import { HUES, hues } from './hue';

it('gives each service a hue of its own while there are enough', () => {
  const names = ['shop', 'db', 'mail', 'user', 'cart', 'auth', 'search', 'edge'];
  expect(new Set(hues(names).values()).size).toBe(HUES);
  expect([...hues([...names, 'more', 'and more']).values()].every((hue) => hue < HUES)).toBe(true);
});

it('does not depend on the order in which services came', () => {
  expect([...hues(['b', 'a', 'c'])]).toEqual([...hues(['c', 'b', 'a', 'a'])]);
});

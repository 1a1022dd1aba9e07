/** Names of series: the fewest words that tell each from the others. */

import type { MetricSeries } from '../../api/types';
import { plain } from '../../trace/value';

type Named = Pick<MetricSeries, 'service' | 'scope' | 'temporality' | 'attributes'>;

/** No attribute begins with a blank. */
const SERVICE = ' service';

export function namesOf(all: readonly Named[]): string[] {
  const facets = all.map(facetsOf);
  const keys = telling(facets);
  return facets.map((each, at) => {
    const own = keys.length > 0 ? keys : [...each.keys()].filter((key) => !key.startsWith(' ')).sort();
    const words = own.flatMap((key) => wordOf(key, each.get(key) ?? ''));
    return words.join(' ') || (all[at]?.service ?? '');
  });
}

function facetsOf({ service, scope, temporality, attributes }: Named): Map<string, string> {
  const own = attributes.map(([key, value]) => [key, plain(value).slice(0, 60)] as const);
  return new Map([[SERVICE, service], [' scope', scope], [' temporality', temporality ?? ''], ...own]);
}

/** Whose they are is always said; of the rest, what says least is left out first, as long as what is left says all. */
function telling(facets: readonly ReadonlyMap<string, string>[]): string[] {
  const told = (...keys: readonly string[]): number => new Set(facets.map((each) => JSON.stringify(keys.map((key) => each.get(key))))).size;
  const differing = [...new Set(facets.flatMap((each) => [...each.keys()]))].filter((key) => told(key) > 1).sort();
  const all = told(...differing);
  const values = (key: string): number => new Set(facets.flatMap((each) => each.get(key) ?? [])).size;
  let kept = differing;
  for (const key of differing.filter((key) => key !== SERVICE).sort((one, other) => values(one) - values(other))) {
    const fewer = kept.filter((other) => other !== key);
    if (told(...fewer) === all) kept = fewer;
  }
  return kept;
}

/** A number says nothing without its name. */
function wordOf(key: string, value: string): string[] {
  if (value === '') return [];
  const isBare = !key.startsWith(' ') && /^([\d.+-]+|true|false)$/.test(value);
  return [isBare ? `${key.slice(key.lastIndexOf('.') + 1)}=${value}` : value];
}

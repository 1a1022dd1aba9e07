/** Tables that can be put in another order by a click on a column's head; the order is in the address. */

import { useMemo } from 'preact/hooks';
import { change, useAddress } from '../app/address';

export interface Order<T> {
  readonly name: string;
  readonly of: (item: T) => number | string;
  readonly number?: boolean;
  /** Said of the column on hover. */
  readonly title?: string;
}

export interface Sorted<T> {
  readonly items: readonly T[];
  readonly by: string;
  readonly ascending: boolean;
}

/** Numbers begin with the largest, names with the first. */
export function useSorted<T>(items: readonly T[], orders: readonly Order<T>[], initial: string): Sorted<T> {
  const asked = useAddress().params.get('sort') ?? initial;
  const turned = asked.startsWith('-');
  const name = turned ? asked.slice(1) : asked;
  const order = orders.find((each) => each.name === name) ?? orders[0];
  return useMemo(() => {
    if (!order) return { items, by: '', ascending: true };
    const ascending = turned === (order.number === true);
    const sign = ascending ? 1 : -1;
    const sorted = items.toSorted((one, other) => {
      const [first, second] = [order.of(one), order.of(other)];
      return first === second ? 0 : first < second ? -sign : sign;
    });
    return { items: sorted, by: order.name, ascending };
  }, [items, order, turned]);
}

export function SortableHead<T>({ orders, sorted }: { readonly orders: readonly Order<T>[]; readonly sorted: Sorted<T> }) {
  return (
    <thead>
      <tr>
        {orders.map(({ name, number, title }) => {
          const here = name === sorted.by;
          const firstWay = sorted.ascending !== (number === true);
          return (
            <th key={name} scope="col" class={number ? 'number' : ''} title={title} aria-sort={here ? (sorted.ascending ? 'ascending' : 'descending') : undefined}>
              <button class="link" onClick={() => change({ sort: here && firstWay ? `-${name}` : name })}>
                {name}
                <span aria-hidden="true">{here ? (sorted.ascending ? ' ▴' : ' ▾') : ''}</span>
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

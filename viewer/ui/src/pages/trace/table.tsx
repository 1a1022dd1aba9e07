/** The operations of one trace, and what each of them took. */

import { change } from '../../app/address';
import { count, duration, percent } from '../../format/number';
import { Service } from '../../parts/service';
import { type Order, SortableHead, useSorted } from '../../parts/sorted';
import { quote } from '../../query/parse';
import type { Analysis, Row } from '../../trace/analysis';
import { type Line, lines } from '../../trace/table';
import { useMemo } from 'preact/hooks';

export interface TableProps {
  readonly analysis: Analysis;
  readonly onOpen: (row: Row) => void;
}

const ORDERS: readonly Order<Line>[] = [
  { name: 'operation', of: ({ service, name }) => `${service} ${name}` },
  { name: 'spans', of: ({ count }) => count, number: true },
  { name: 'errors', of: ({ errors }) => errors, number: true },
  { name: 'self', of: ({ self }) => self, number: true },
  { name: 'total', of: ({ total }) => total, number: true },
  { name: 'mean', of: ({ mean }) => mean, number: true },
  { name: 'longest', of: ({ longest }) => longest, number: true },
  { name: 'critical path', of: ({ critical }) => critical, number: true },
];

export function Table({ analysis, onOpen }: TableProps) {
  const all = useMemo(() => lines(analysis), [analysis]);
  const sorted = useSorted(all, ORDERS, 'self');
  return (
    <div class="scroll">
      <table class="list">
        <SortableHead orders={ORDERS} sorted={sorted} />
        <tbody>
          {sorted.items.slice(0, 500).map((line) => (
            <tr key={`${line.kind} ${line.service} ${line.name}`}>
              <td>
                <Service name={line.service} />{' '}
                <button class="link" onClick={() => change({ view: null, find: `service=${quote(line.service)} name=${quote(line.name)} kind=${line.kind}` }, { entry: true })}>
                  {line.name || '(no name)'}
                </button>{' '}
                <span class="muted">{line.kind}</span>
              </td>
              <td class="number">{count(line.count)}</td>
              <td class={line.errors > 0 ? 'number failed' : 'number'}>{count(line.errors)}</td>
              <td class="number">{duration(line.self)}</td>
              <td class="number">{duration(line.total)}</td>
              <td class="number">{duration(line.mean)}</td>
              <td class="number">
                <button class="link" onClick={() => onOpen(line.sample)}>
                  {duration(line.longest)}
                </button>
              </td>
              <td class="number">{percent(line.critical)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Chooses a second trace to be set beside this one: one of the same kind, or any by its id. */

import { address } from '../../api/client';
import type { TraceList } from '../../api/types';
import { go } from '../../app/address';
import { useAnswer } from '../../app/ask';
import { duration } from '../../format/number';
import { clock } from '../../format/time';
import { Icon } from '../../parts/icon';
import { Menu } from '../../parts/menu';
import { quote } from '../../query/parse';

export interface CompareWithProps {
  readonly id: string;
  readonly name: string;
}

export function CompareWith(props: CompareWithProps) {
  return (
    <Menu label={<><Icon shape="compare" /> compare</>} title="Compare with another trace">
      <Candidates {...props} />
    </Menu>
  );
}

function Candidates({ id, name }: CompareWithProps) {
  const { data } = useAnswer<TraceList>(address('/traces', { q: `root name=${quote(name)}`, limit: 12 }));
  const others = data?.traces.filter((trace) => trace.id !== id).slice(0, 10) ?? [];
  const typed = (event: SubmitEvent): void => {
    event.preventDefault();
    const other = event.target instanceof HTMLFormElement ? String(new FormData(event.target).get('other')).trim() : '';
    if (/^[0-9a-f]{32}$/.test(other)) go(`/compare/${id}/${other}`);
  };
  return (
    <>
      {data && others.length === 0 && <p class="muted">No other trace begins with {name}.</p>}
      {others.map((other) => (
        <a key={other.id} href={`/compare/${id}/${other.id}`}>
          <span class="number muted">{clock(other.start / 1000)}</span> <span class="number">{duration(other.duration)}</span>{' '}
          {other.errors > 0 && <span class="failed">× failed</span>}
        </a>
      ))}
      <form onSubmit={typed}>
        <label>
          any other, by its id <input name="other" type="text" pattern="[0-9a-f]{32}" placeholder="32 digits" autocomplete="off" required />
        </label>
        <button>compare</button>
      </form>
    </>
  );
}

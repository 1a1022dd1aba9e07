/** What the keys do, and how to search. */

import { useLayoutEffect, useRef } from 'preact/hooks';
import { Cell, useCell } from './cell';

export const helpOpen = new Cell(false);

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['j k', 'next, previous row'],
  ['h l', 'fold, unfold'],
  ['Enter', 'open what the row is about'],
  ['Esc', 'close, go back'],
  ['/', 'search; in a trace: find'],
  ['n N', 'next, previous error of a trace'],
  ['c', 'critical path'],
  ['[ ]', 'zoom out, in'],
  ['{ }', 'earlier, later'],
  ['1 … 6', 'the pages'],
  ['p', 'hold and go on'],
  ['?', 'this help'],
];

const SEARCHES: readonly (readonly [query: string, finds: string])[] = [
  ['home', 'names of spans and services with that word'],
  ['http.route=/db error', 'failed spans of a route'],
  ['duration>200ms -service=shop', 'slow, in another service'],
  ['http.response.status_code>=500', 'by number'],
  ['name="GET /home"', 'a value with blanks'],
  ['message~timeout', 'a text that contains it'],
  ['user.id=*', 'the attribute is there'],
  ['trace.spans>50 running', 'whole traces; what still runs'],
];

export function Help() {
  const open = useCell(helpOpen);
  const dialog = useRef<HTMLDialogElement>(null);
  // At once: the next key is the dialog's.
  useLayoutEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-label="Help" onClose={() => (helpOpen.value = false)}>
      <div class="help-columns">
        <Lines title="Keys" lines={KEYS} />
        <Lines title="Search" lines={SEARCHES} />
      </div>
      <form method="dialog" class="toolbar">
        <button>close</button> <a href="/licenses.txt" target="_blank">licences of what this page is made of</a>
      </form>
    </dialog>
  );
}

function Lines({ title, lines }: { readonly title: string; readonly lines: typeof KEYS }) {
  return (
    <section>
      <h2>{title}</h2>
      <dl>
        {lines.map(([term, meaning]) => (
          <div key={term}>
            <dt>
              <kbd>{term}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

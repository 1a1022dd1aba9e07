/** Many rows of one height, of which only those in view are in the page. */

import type { ComponentChildren, HTMLAttributes, TargetedEvent } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useSize } from './size';

/** Rows beyond the edges, so that fast scrolling shows no holes. */
const SPARE = 12;

export interface RowsProps<T> {
  readonly items: readonly T[];
  readonly height: number;
  readonly label: string;
  readonly role: 'grid' | 'treegrid' | 'listbox';
  readonly keyOf: (item: T) => string;
  readonly render: (item: T, index: number) => ComponentChildren;
  /** Attributes of the row itself. */
  readonly row?: (item: T, index: number) => HTMLAttributes<HTMLDivElement>;
  readonly active: number;
  readonly onActive: (index: number) => void;
  readonly onOpen?: (item: T) => void;
  readonly onKey?: (event: KeyboardEvent) => void;
  /** Called when the last rows come into view. */
  readonly onEnd?: () => void;
  /** Called when the list leaves its top, and when it comes back. */
  readonly onTop?: (top: boolean) => void;
  readonly autoFocus?: boolean;
}

export function Rows<T>(props: RowsProps<T>) {
  const { items, height, label, role, keyOf, render, active, onEnd, onTop } = props;
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const [top, setTop] = useState(0);
  const first = Math.max(0, Math.floor(top / height) - SPARE);
  const last = Math.min(items.length, Math.ceil((top + size.height) / height) + SPARE);
  useReveal(box, active, height, items.length);
  useEffect(() => {
    if (items.length > 0 && last === items.length) onEnd?.();
  }, [last, items.length]);
  useEffect(() => {
    // Not from somebody who is typing already.
    if (props.autoFocus && document.activeElement === document.body) box.current?.focus({ preventScroll: true });
  }, []);
  const scrolled = (event: TargetedEvent<HTMLDivElement>): void => {
    const at = event.currentTarget.scrollTop;
    if ((at === 0) !== (top === 0)) onTop?.(at === 0);
    setTop(at);
  };
  const id = (item: T): string => `row-${keyOf(item)}`;
  const current = items[active];
  return (
    <div
      class="rows"
      ref={box}
      role={role}
      aria-label={label}
      aria-rowcount={role === 'listbox' ? undefined : items.length}
      aria-activedescendant={current === undefined ? undefined : id(current)}
      tabIndex={0}
      onScroll={scrolled}
      onKeyDown={(event) => keys(event, props)}
    >
      <div class="rows-all" role="presentation" style={{ height: `${items.length * height}px` }}>
        {items.slice(first, last).map((item, at) => (
          <div
            key={keyOf(item)}
            id={id(item)}
            {...props.row?.(item, first + at)}
            class={`row ${first + at === active ? 'active' : ''} ${props.row?.(item, first + at).class ?? ''}`}
            role={role === 'listbox' ? 'option' : 'row'}
            aria-rowindex={role === 'listbox' ? undefined : first + at + 1}
            aria-selected={first + at === active}
            style={{ height: `${height}px`, transform: `translateY(${(first + at) * height}px)` }}
            onClick={(event) => clicked(event, item, first + at, props)}
          >
            {render(item, first + at)}
          </div>
        ))}
      </div>
    </div>
  );
}

function clicked<T>(event: MouseEvent, item: T, index: number, { onActive, onOpen }: RowsProps<T>): void {
  if (event.target instanceof Element && event.target.closest('a, button')) return;
  onActive(index);
  onOpen?.(item);
}

function keys<T>(event: KeyboardEvent, { items, active, onActive, onOpen, onKey, height }: RowsProps<T>): void {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
  const page = event.currentTarget instanceof Element ? Math.max(1, Math.floor(event.currentTarget.clientHeight / height) - 1) : 1;
  const moves: Readonly<Record<string, number>> = {
    ArrowDown: active + 1, j: active + 1, ArrowUp: active - 1, k: active - 1,
    PageDown: active + page, PageUp: active - page, Home: 0, End: items.length - 1,
  };
  const move = moves[event.key];
  const item = items[active];
  if (move !== undefined) onActive(Math.max(0, Math.min(items.length - 1, move)));
  else if (event.key === 'Enter' && item !== undefined && onOpen) onOpen(item);
  else return onKey?.(event);
  event.preventDefault();
  event.stopPropagation();
}

/** Scrolls just so far that the active row is in view. */
function useReveal(box: { readonly current: HTMLDivElement | null }, active: number, height: number, count: number): void {
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || active < 0 || active >= count) return;
    const [from, to] = [active * height, (active + 1) * height];
    if (from < element.scrollTop) element.scrollTop = from;
    else if (to > element.scrollTop + element.clientHeight) element.scrollTop = to - element.clientHeight;
  }, [active, height, count > active]);
}

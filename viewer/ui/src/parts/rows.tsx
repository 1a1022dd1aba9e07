/** Many rows of one height, of which only those in view are in the page. */

import type { ComponentChildren, TargetedEvent } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useSize } from './size';

/** Rows beyond the edges, so that fast scrolling shows no holes. */
const SPARE = 12;

export interface RowAttributes {
  readonly class: string;
  readonly 'aria-level'?: number;
  readonly 'aria-expanded'?: boolean;
}

export interface RowsProps<T> {
  readonly items: readonly T[];
  readonly height: number;
  readonly label: string;
  readonly role: 'grid' | 'treegrid';
  readonly keyOf: (item: T) => string;
  readonly render: (item: T) => ComponentChildren;
  /** Attributes of the row itself. */
  readonly row: (item: T) => RowAttributes;
  readonly active: number;
  readonly onActive: (index: number) => void;
  readonly onOpen?: (item: T) => void;
  /** Called when the last rows come into view. */
  readonly onEnd?: () => void;
  /** Called when the list leaves its top, and when it comes back. */
  readonly onTop?: (top: boolean) => void;
  readonly autoFocus?: boolean;
}

export function Rows<T>(props: RowsProps<T>) {
  const { items, height, label, role, keyOf, active, onEnd, onTop } = props;
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const [top, setTop] = useState(0);
  const first = Math.max(0, Math.floor(top / height) - SPARE);
  const last = Math.min(items.length, Math.ceil((top + size.height) / height) + SPARE);
  useReveal(box, active, height, items.length);
  useEffect(() => {
    if (items.length > 0 && last === items.length) onEnd?.();
  }, [last, items.length]);
  useLayoutEffect(() => {
    // Not from somebody who is typing already.
    if (props.autoFocus && document.activeElement === document.body) box.current?.focus({ preventScroll: true });
  }, []);
  const scrolled = (event: TargetedEvent<HTMLDivElement>): void => {
    const at = event.currentTarget.scrollTop;
    if ((at === 0) !== (top === 0)) onTop?.(at === 0);
    setTop(at);
  };
  const current = items[active];
  return (
    <div
      class="rows"
      ref={box}
      role={role}
      aria-label={label}
      aria-rowcount={items.length}
      aria-activedescendant={current === undefined ? undefined : idOf(keyOf(current))}
      tabIndex={0}
      onScroll={scrolled}
      onKeyDown={(event) => keys(event, props)}
    >
      <div class="rows-all" role="presentation" style={{ height: `${items.length * height}px` }}>
        {items.slice(first, last).map((item, at) => (
          <Row key={keyOf(item)} item={item} index={first + at} of={props} />
        ))}
      </div>
    </div>
  );
}

function Row<T>({ item, index, of }: { readonly item: T; readonly index: number; readonly of: RowsProps<T> }) {
  const { keyOf, height, active, render } = of;
  const { class: kind, ...more } = of.row(item);
  return (
    <div
      {...more}
      id={idOf(keyOf(item))}
      class={`row ${index === active ? 'active ' : ''}${kind}`}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={index === active}
      style={{ height: `${height}px`, transform: `translateY(${index * height}px)` }}
      onClick={(event) => clicked(event, item, index, of)}
    >
      {render(item)}
    </div>
  );
}

function idOf(key: string): string {
  return `row-${key}`;
}

function clicked<T>(event: MouseEvent, item: T, index: number, { onActive, onOpen }: RowsProps<T>): void {
  if (event.target instanceof Element && event.target.closest('a, button')) return;
  onActive(index);
  onOpen?.(item);
}

function keys<T>(event: KeyboardEvent, { items, active, onActive, onOpen, height }: RowsProps<T>): void {
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
  else return;
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

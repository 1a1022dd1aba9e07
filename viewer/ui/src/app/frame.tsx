/** What is around every page: where one can go, what is looked at, and how full the store is. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { post } from '../api/client';
import type { Stats } from '../api/types';
import { Icon } from '../parts/icon';
import { type Address, change, PAGES, type Page, to } from './address';
import { useCell } from './cell';
import { dropProblem } from './files';
import { Help, helpOpen } from './help';
import { connected, held, revision } from './live';
import { LASTS, lastOf, rangeWords } from './scope';
import { StoreMenu } from './store';
import { THEMES, theme } from './theme';

const TITLES: Readonly<Record<Page, string>> = {
  traces: 'Traces', map: 'Map', operations: 'Operations', live: 'Live', metrics: 'Metrics', logs: 'Logs',
};

export interface FrameProps {
  readonly address: Address;
  readonly stats: Stats | undefined;
  readonly search: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Frame({ address, stats, search, children }: FrameProps) {
  return (
    <>
      <a class="skip" href="#page" onClick={focusPage}>
        to the page
      </a>
      <header class="frame">
        <a class="brand" href="/">
          otelhttp
        </a>
        <nav aria-label="Pages">
          {PAGES.map((page) => (
            <a key={page} href={to(`/${page}`)} aria-current={isOn(address, page) ? 'page' : undefined}>
              {TITLES[page]}
            </a>
          ))}
        </nav>
        <div class="controls">
          <ServiceChoice params={address.params} services={stats?.services.map(({ name }) => name) ?? []} />
          <RangeChoice params={address.params} />
          <HoldButton />
          <ClearButton />
          <ThemeButton />
          <button type="button" class="quiet" title="keys and searches (?)" aria-label="Help" onClick={() => (helpOpen.value = true)}>
            <Icon shape="help" />
          </button>
        </div>
        {search}
        <StoreMenu stats={stats} />
      </header>
      <Disconnected />
      <NotTaken />
      <main id="page" tabIndex={-1}>
        {children}
      </main>
      <Help />
    </>
  );
}

function isOn({ path: [first] }: Address, page: Page): boolean {
  return first === page || (page === 'traces' && (first === 'trace' || first === 'compare' || first === 'open'));
}

function focusPage(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById('page')?.focus();
}

function ServiceChoice({ params, services }: { readonly params: URLSearchParams; readonly services: readonly string[] }) {
  const value = params.get('service') ?? '';
  const names = value === '' || services.includes(value) ? services : [value, ...services];
  return (
    <select aria-label="Service" value={value} onChange={({ currentTarget }) => change({ service: currentTarget.value }, { entry: true })}>
      <option value="">all services</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function RangeChoice({ params }: { readonly params: URLSearchParams }) {
  const exact = params.has('from') || params.has('to');
  const value = exact ? 'exact' : lastOf(params);
  const known = exact || LASTS.some(([seconds]) => seconds === value);
  return (
    <select
      aria-label="Time"
      value={value}
      onChange={({ currentTarget }) => change({ last: currentTarget.value === '900' ? null : currentTarget.value, from: null, to: null }, { entry: true })}
    >
      {(exact || !known) && <option value={value}>{rangeWords(params)}</option>}
      {LASTS.map(([seconds, words]) => (
        <option key={seconds} value={seconds}>
          {words}
        </option>
      ))}
    </select>
  );
}

function HoldButton() {
  const on = useCell(held);
  return (
    <button type="button" class="quiet" aria-pressed={on} title="hold what is shown; nothing is lost (p)" onClick={() => (held.value = !on)}>
      <Icon shape={on ? 'play' : 'pause'} />
      <span>{on ? 'go on' : 'pause'}</span>
    </button>
  );
}

/** Asks once more, in its own place. */
function ClearButton() {
  const [asked, setAsked] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const clicked = (): void => {
    clearTimeout(timer.current);
    setAsked(!asked);
    if (asked) void post('/clear').then(() => revision.value++);
    else timer.current = setTimeout(() => setAsked(false), 4000);
  };
  return (
    <button type="button" class={asked ? 'quiet failed' : 'quiet'} title="forget everything that was received" onClick={clicked}>
      <Icon shape="clear" />
      <span>{asked ? 'really?' : 'clear'}</span>
    </button>
  );
}

function ThemeButton() {
  const value = useCell(theme);
  const next = THEMES[(THEMES.indexOf(value) + 1) % THEMES.length] ?? 'system';
  return (
    <button type="button" class="quiet" title={`colours: ${value}`} aria-label={`Colours: ${value}. Change to ${next}`} onClick={() => (theme.value = next)}>
      <Icon shape="theme" />
    </button>
  );
}

function Disconnected() {
  return useCell(connected) ? null : (
    <p class="notice" role="status">
      The viewer does not answer; what is shown may be old. Trying again…
    </p>
  );
}

function NotTaken() {
  const problem = useCell(dropProblem);
  if (problem === '') return null;
  return (
    <p class="notice" role="alert">
      Not taken: {problem}{' '}
      <button class="link" onClick={() => (dropProblem.value = '')}>
        dismiss
      </button>
    </p>
  );
}

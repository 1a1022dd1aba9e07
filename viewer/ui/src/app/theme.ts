/** Light or dark as the system has it, unless told. */

import { Cell } from './cell';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'otelhttp-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

export const theme = new Cell<Theme>(remembered());
/** Grows when colours change: what is drawn on a canvas must be drawn again. */
export const colours = new Cell(0);

export function followTheme(): void {
  apply(theme.value);
  theme.watch(apply);
  dark.addEventListener('change', () => colours.value++);
}

function apply(value: Theme): void {
  if (value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = value;
  remember(value);
  colours.value++;
}

const probe = document.createElement('span');

/** A colour of the style sheet by the name of its variable, for a canvas, which knows no variables. */
export function colour(name: string): string {
  if (!probe.isConnected) {
    probe.hidden = true;
    document.documentElement.append(probe);
  }
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

// A browser may forbid storage.
function remembered(): Theme {
  try {
    return THEMES.find((value) => value === localStorage.getItem(KEY)) ?? 'system';
  } catch {
    return 'system';
  }
}

function remember(value: Theme): void {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // It lasts as long as the page then.
  }
}

/** Keys that mean the same on every page. */

import { go, PAGES, to } from './address';
import { helpOpen } from './help';
import { held } from './live';

export function followKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (pressed(event.key)) event.preventDefault();
  });
}

function pressed(key: string): boolean {
  const page = PAGES[Number(key) - 1];
  if (key === '/') document.querySelector<HTMLInputElement>('[data-search]')?.select();
  else if (key === '?') helpOpen.value = true;
  else if (key === 'p') held.value = !held.value;
  else if (page !== undefined) go(to(`/${page}`));
  else return false;
  return true;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}

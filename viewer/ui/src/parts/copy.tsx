/** A button that copies, and says that it has. */

import { useState } from 'preact/hooks';
import { Icon } from './icon';

export interface CopyProps {
  /** What is copied, for those who do not see where the button stands. */
  readonly what: string;
  readonly text: () => string | Promise<string>;
  readonly children?: string;
}

export function Copy({ what, text, children }: CopyProps) {
  const [state, set] = useState<'' | 'copied' | 'not copied'>('');
  const copy = async (): Promise<void> => {
    set((await put(text).catch(() => false)) ? 'copied' : 'not copied');
    setTimeout(() => set(''), 1500);
  };
  return (
    <button type="button" class="quiet copy" aria-label={`Copy ${what}`} title={state || `copy ${what}`} onClick={() => void copy()}>
      <Icon shape={state === 'copied' ? 'done' : 'copy'} />
      {children && <span>{state || children}</span>}
      <span class="unseen" role="status">{state}</span>
    </button>
  );
}

/** A page that came over plain HTTP from another machine has no clipboard, but may still copy what is chosen in it. */
async function put(text: () => string | Promise<string>): Promise<boolean> {
  const content = await text();
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard) return clipboard.writeText(content).then(() => true);
  const focused = document.activeElement;
  const area = document.createElement('textarea');
  area.value = content;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return done;
}

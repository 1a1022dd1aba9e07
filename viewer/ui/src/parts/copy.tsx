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
    set(await navigator.clipboard.writeText(await text()).then(() => 'copied' as const, () => 'not copied' as const));
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

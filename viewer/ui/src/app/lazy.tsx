/** A component whose code is fetched when it is first shown. */

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Missing } from '../parts/missing';

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const [state, set] = useState<'waiting' | 'come' | 'missing'>('waiting');
    useEffect(() => {
      if (loaded) return;
      let gone = false;
      const settle = (next: typeof state): void => {
        if (!gone) set(next);
      };
      load().then(
        (component) => {
          loaded = component;
          settle('come');
        },
        () => settle('missing'),
      );
      return () => {
        gone = true;
      };
    }, []);
    const Loaded = loaded;
    if (Loaded) return <Loaded {...props} />;
    return state === 'missing' ? <Missing /> : null;
  };
}

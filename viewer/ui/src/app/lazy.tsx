/** A component whose code is fetched when it is first shown. */

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const [, drawAgain] = useState(0);
    useEffect(() => {
      if (loaded) return;
      let gone = false;
      void load().then((component) => {
        loaded = component;
        if (!gone) drawAgain(1);
      });
      return () => {
        gone = true;
      };
    }, []);
    const Loaded = loaded;
    return Loaded ? <Loaded {...props} /> : null;
  };
}

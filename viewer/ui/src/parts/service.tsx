/** The name of a service, in its hue. */

import { hueOf } from '../app/hue';

export function Service({ name }: { readonly name: string }) {
  return (
    <span class={`service hue-${hueOf(name)}`} title={name}>
      {name}
    </span>
  );
}

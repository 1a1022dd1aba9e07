/** Keys and values, with what the keys mean and what can be done with the values. */

import { useState } from 'preact/hooks';
import { to } from '../app/address';
import { quote } from '../query/parse';
import { meaning } from '../trace/meaning';
import type { Attributes, Value } from '../trace/model';
import { plain } from '../trace/value';
import { Copy } from './copy';
import { Icon } from './icon';

export function AttributeList({ attributes }: { readonly attributes: Attributes }) {
  return (
    <dl class="attributes">
      {attributes.map(([key, value], index) => (
        <Pair key={index} name={key} value={value} />
      ))}
    </dl>
  );
}

function Pair({ name, value }: { readonly name: string; readonly value: Value }) {
  const [told, setTold] = useState(false);
  const words = meaning(name);
  const text = plain(value);
  return (
    <div class={text.length > LONG || text.includes('\n') ? 'block' : ''}>
      <dt>
        {words ? (
          <button class="key" title={words} aria-expanded={told} onClick={() => setTold(!told)}>
            {name}
          </button>
        ) : (
          <span class="key">{name}</span>
        )}
        {told && <p class="meaning">{words}</p>}
      </dt>
      <dd>
        <Long text={text} kind={typeof value} />
      </dd>
      <dd class="acts">
        <a class="quiet" href={to('/traces', { q: `${quote(name)}=${quote(text)}` })} aria-label={`Traces with this ${name}`} title="traces with this value">
          <Icon shape="search" />
        </a>
        <Copy what={name} text={() => text} />
      </dd>
    </div>
  );
}

/** Longer values stand below their keys. */
const LONG = 60;
const FOLD = 400;

/** A long value shows its beginning until asked for the rest. */
export function Long({ text, kind = 'string' }: { readonly text: string; readonly kind?: string }) {
  const [whole, setWhole] = useState(false);
  return (
    <span class={`value long of-${kind}`}>
      {whole || text.length <= FOLD ? text : `${text.slice(0, FOLD)}…`}
      {text.length > FOLD && (
        <button class="link" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? 'less' : `all ${text.length.toLocaleString('en')} characters`}
        </button>
      )}
    </span>
  );
}

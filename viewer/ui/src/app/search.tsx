/** The search: one box and one language for every page, with what was seen to go on with. */

import type { RefObject } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { address, type Parameters, read } from '../api/client';
import type { Suggestions } from '../api/types';
import { count } from '../format/number';
import { Icon } from '../parts/icon';
import { parse, QueryError } from '../query/parse';

export interface SearchProps {
  readonly value: string;
  readonly label: string;
  readonly placeholder: string;
  readonly parameters: Parameters;
  readonly onSearch: (query: string) => void;
  /** The search is of another page: only who presses Enter goes there. */
  readonly elsewhere?: boolean;
  /** Enter in a search that has been made already. */
  readonly onAgain?: (backwards: boolean) => void;
}

const PAUSE = 80;
interface Offered extends Suggestions {
  /** What they were asked for; they fit nothing else. */
  readonly q: string;
}

const NONE: Offered = { q: '', from: 0, to: 0, suggestions: [] };

export function Search({ value, label, placeholder, parameters, elsewhere = false, onSearch, onAgain }: SearchProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const { text, chosen, offered, fits, type, accept, focus, leave, empty, key } = useBox({ value, parameters, elsewhere, onSearch, onAgain }, input);
  const wrong = problem(text);
  return (
    <div class="search" role="search">
      <Icon shape="search" />
      <input
        ref={input}
        type="text"
        data-search
        role="combobox"
        value={text}
        placeholder={placeholder}
        aria-label={label}
        aria-expanded={offered.suggestions.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen < 0 ? undefined : `${id}-${chosen}`}
        aria-invalid={wrong !== undefined}
        aria-describedby={wrong === undefined ? undefined : `${id}-wrong`}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={({ currentTarget }) => type(currentTarget.value, currentTarget.selectionStart ?? currentTarget.value.length)}
        onFocus={focus}
        onBlur={leave}
        onKeyDown={key}
      />
      {text !== '' && (
        // The pointer must not take the focus from the box, which would search, before the click.
        <button type="button" class="quiet" aria-label="Clear the search" title="clear the search" onPointerDown={(event) => event.preventDefault()} onClick={empty}>
          <Icon shape="close" />
        </button>
      )}
      {wrong !== undefined && (
        <p class="search-wrong" id={`${id}-wrong`} role="alert">
          {wrong}
        </p>
      )}
      <SuggestionList id={id} offered={offered} fits={fits} chosen={chosen} onAccept={accept} />
    </div>
  );
}

type BoxOf = Pick<SearchProps, 'value' | 'parameters' | 'onSearch'> & { readonly elsewhere: boolean; readonly onAgain: SearchProps['onAgain'] | undefined };

/** What stands in the box, what is offered for it, and which of that is chosen. */
function useBox({ value, parameters, elsewhere, onSearch, onAgain }: BoxOf, input: RefObject<HTMLInputElement | null>) {
  const [text, setText] = useState(value);
  const [chosen, setChosen] = useState(-1);
  const { offered, ask, forget: forgetOffered } = useSuggestions(parameters);
  // Those for an earlier text stay in sight until the next come, but cannot be chosen.
  const fits = offered.q === text;
  // At once: later it would undo what was typed meanwhile.
  useLayoutEffect(() => setText(value), [value]);
  const forget = (): void => {
    forgetOffered();
    setChosen(-1);
  };
  const type = (next: string, at: number): void => {
    setText(next);
    setChosen(-1);
    ask(next, at);
  };
  const accept = (index: number): void => {
    const suggested = offered.suggestions[index]?.text;
    if (suggested === undefined || !fits) return;
    const head = text.slice(0, offered.from) + suggested;
    type(head + text.slice(offered.to), head.length);
    input.current?.focus();
  };
  const search = (): void => {
    forget();
    if (problem(text) === undefined && text.trim() !== value) onSearch(text.trim());
  };
  const leave = (): void => (elsewhere ? forget() : search());
  // What stands in the box may never have been searched for.
  const empty = (): void => {
    forget();
    setText('');
    if (value !== '') onSearch('');
  };
  const many = fits ? offered.suggestions.length : 0;
  const key = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown' && many > 0) setChosen((chosen + 1) % many);
    else if (event.key === 'ArrowUp' && many > 0) setChosen(chosen < 0 ? many - 1 : chosen - 1);
    else if (['Enter', 'Tab'].includes(event.key) && !event.shiftKey && chosen >= 0 && many > 0) accept(chosen);
    else if (event.key === 'Enter' && text.trim() === value) onAgain?.(event.shiftKey);
    else if (event.key === 'Enter') search();
    else if (event.key === 'Escape' && offered.suggestions.length > 0) forget();
    else if (event.key === 'Escape') input.current?.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return { text, chosen, offered, fits, type, accept, key, focus: () => ask(text, text.length), leave, empty };
}

interface ListProps {
  readonly id: string;
  readonly offered: Offered;
  readonly fits: boolean;
  readonly chosen: number;
  readonly onAccept: (index: number) => void;
}

function SuggestionList({ id, offered, fits, chosen, onAccept }: ListProps) {
  return (
    <ul class="suggestions" id={`${id}-list`} role="listbox" aria-label="Suggestions" aria-busy={!fits} hidden={offered.suggestions.length === 0}>
      {offered.suggestions.map(({ text, kind, count: seen }, index) => (
        // The pointer must not take the focus from the box before the click.
        <li
          key={text}
          id={`${id}-${index}`}
          role="option"
          aria-selected={index === chosen}
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onAccept(index)}
        >
          <code>{text}</code> <span class="muted">{kind}</span> <span class="number muted">{count(seen)}</span>
        </li>
      ))}
    </ul>
  );
}

/** What is offered for the text as it stands, a moment after the last key. */
function useSuggestions(parameters: Parameters) {
  const [offered, setOffered] = useState(NONE);
  const pending = useRef<{ timer: ReturnType<typeof setTimeout>; abort: AbortController } | undefined>(undefined);
  const forget = (): void => {
    clearTimeout(pending.current?.timer);
    pending.current?.abort.abort();
    setOffered(NONE);
  };
  const ask = (q: string, at: number): void => {
    clearTimeout(pending.current?.timer);
    pending.current?.abort.abort();
    const abort = new AbortController();
    const load = (): Promise<void> =>
      read<Suggestions>(address('/suggest', { ...parameters, q, at }), { signal: abort.signal }).then(
        (answer) => {
          if (!abort.signal.aborted) setOffered({ ...answer, q });
        },
        () => undefined,
      );
    pending.current = { timer: setTimeout(() => void load(), PAUSE), abort };
  };
  return { offered, ask, forget };
}

function problem(query: string): string | undefined {
  try {
    parse(query);
    return undefined;
  } catch (error) {
    return error instanceof QueryError ? `${error.message} (at ${error.at + 1})` : String(error);
  }
}

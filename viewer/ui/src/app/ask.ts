/** Answers of the server as state of a component. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, read } from '../api/client';
import { age, revision } from './live';

export interface Answer<T> {
  /** The last answer; it stays while the next is under way. */
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  /** The question has changed and its answer has not come. */
  readonly pending: boolean;
}

export interface How<T> {
  /** Asks again when the store has changed, and now and then when it has not. */
  readonly live?: boolean;
  readonly load?: (url: string, signal: AbortSignal) => Promise<T>;
}

interface State<T> {
  readonly data?: T;
  readonly error?: ApiError;
  readonly url?: string;
}

/** Asks for `url`, or for nothing while there is none. */
export function useAnswer<T>(url: string | undefined, { live = false, load = fetched }: How<T> = {}): Answer<T> {
  const [state, setState] = useState<State<T>>({});
  const follows = useRef(live);
  const again = useRef<() => void>(undefined);
  follows.current = live;
  // Before the next effect: the first question is asked there.
  useEffect(() => {
    if (live) again.current?.();
  }, [live]);
  useEffect(() => {
    if (url === undefined) return;
    const abort = new AbortController();
    const ask = oneAtATime(async () => {
      const next = await load(url, abort.signal).then((data) => ({ data, url }), (error: unknown) => ({ error: asApiError(error), url }));
      if (!abort.signal.aborted) setState(next);
    });
    ask();
    again.current = ask;
    const changed = (): void => {
      if (follows.current) ask();
    };
    const unwatch = [revision.watch(changed), age.watch(changed)];
    return () => {
      again.current = undefined;
      for (const end of unwatch) end();
      abort.abort();
    };
  }, [url]);
  return { data: state.data, error: state.error, pending: url !== undefined && state.url !== url };
}

/** A slow answer is waited for; what was asked meanwhile is asked once, afterwards. */
export function oneAtATime(work: () => Promise<void>): () => void {
  let busy = false;
  let again = false;
  // A loop: where each answer is slower than what makes it old, it never ends, and must not grow.
  const run = async (): Promise<void> => {
    busy = true;
    do {
      again = false;
      await work();
    } while (again);
    busy = false;
  };
  return () => {
    if (busy) again = true;
    else void run();
  };
}

function fetched<T>(url: string, signal: AbortSignal): Promise<T> {
  return read<T>(url, { signal });
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(error instanceof Error ? error.message : String(error), 0, undefined);
}

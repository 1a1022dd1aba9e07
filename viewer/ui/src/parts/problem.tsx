/** What the server says of a question it cannot answer. */

import type { ApiError } from '../api/client';

export interface ProblemProps {
  readonly error: ApiError;
  readonly query?: string;
}

export function Problem({ error, query = '' }: ProblemProps) {
  const { at, message } = error;
  return (
    <p class="notice" role="alert">
      {message}
      {at !== undefined && (
        <code>
          {query.slice(0, at)}
          <mark>{query.slice(at) || '…'}</mark>
        </code>
      )}
    </p>
  );
}

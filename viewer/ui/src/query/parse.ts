/** The search language, as `openapi.yaml` has it. The server does the searching; within one trace it is done here. */

export type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | '~';
export type Flag = 'error' | 'running' | 'root' | 'served';

export type Test =
  | { readonly type: 'word'; readonly word: string }
  | { readonly type: 'flag'; readonly flag: Flag }
  | { readonly type: 'exists'; readonly key: string }
  | { readonly type: 'comparison'; readonly key: string; readonly operator: Operator; readonly value: string };

export type Term = Test & { readonly negated: boolean };

/** What is wrong with a search, and at which of its characters. */
export class QueryError extends Error {
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message);
  }
}

const OPERATOR = /^(!=|>=|<=|=|>|<|~)/;
const BARE = /^[^\s"=!<>~]+/;
const BARE_VALUE = /^[^\s"]+/;
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"/;

interface Taken {
  readonly text: string;
  readonly quoted: boolean;
  readonly length: number;
}

/** The terms of a search, all of which must hold. Throws a {@link QueryError}. */
export function parse(query: string): Term[] {
  const terms: Term[] = [];
  let at = 0;
  const rest = (): string => query.slice(at);
  for (;;) {
    at += /^\s*/.exec(rest())?.[0].length ?? 0;
    if (at >= query.length) return terms;
    const negated = query[at] === '-';
    if (negated) at++;
    const key = take(query, at, BARE, 'a word or a key');
    at += key.length;
    const operator = OPERATOR.exec(rest())?.[0] as Operator | undefined;
    if (operator === undefined) {
      terms.push({ ...single(key), negated });
    } else {
      at += operator.length;
      const value = take(query, at, BARE_VALUE, `a value after ${operator}`);
      at += value.length;
      terms.push({ ...comparison(key.text, operator, value), negated });
    }
    if (/^\S/.test(rest())) throw new QueryError(`a blank was expected before ${rest()[0] ?? ''}`, at);
  }
}

function take(query: string, at: number, bare: RegExp, expected: string): Taken {
  const rest = query.slice(at);
  const quoted = QUOTED.exec(rest);
  if (quoted) return { text: (quoted[1] ?? '').replace(/\\(.)/g, '$1'), quoted: true, length: quoted[0].length };
  if (rest.startsWith('"')) throw new QueryError('the quotation has no end', at);
  const text = bare.exec(rest)?.[0];
  if (text === undefined) throw new QueryError(`${expected} was expected`, at);
  return { text, quoted: false, length: text.length };
}

function single({ text, quoted }: Taken): Test {
  const flag = (['error', 'running', 'root', 'served'] as const).find((name) => !quoted && name === text);
  return flag ? { type: 'flag', flag } : { type: 'word', word: text };
}

function comparison(key: string, operator: Operator, value: Taken): Test {
  if (operator === '=' && value.text === '*' && !value.quoted) return { type: 'exists', key };
  return { type: 'comparison', key, operator, value: value.text };
}

/** Text as it must stand in a search to mean just itself. */
export function quote(text: string): string {
  const bare = /^[^\s"=!<>~-][^\s"=!<>~]*$/.test(text) && text !== '*';
  return bare ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A search with one more term, unless it has that already. */
export function refined(query: string, term: string): string {
  return ` ${query} `.includes(` ${term} `) ? query : `${query.trim()} ${term}`.trim();
}

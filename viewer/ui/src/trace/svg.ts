/** The waterfall as a picture of its own: no style sheet, no script, and all names as text. */

import { duration, plural } from '../format/number';
import { type Analysis, type Row, serviceOf } from './analysis';

export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly background: string;
  readonly line: string;
  readonly failed: string;
  readonly hueOf: (service: string) => string;
}

const ROW = 18;
const NAMES = 340;
const TIMES = 700;
const NUMBERS = 90;
const HEAD = 48;
/** More rows make a picture that nothing opens. */
const MOST = 2000;

export function toSvg(analysis: Analysis, palette: Palette, rows: readonly Row[] = analysis.rows): string {
  const shown = rows.slice(0, MOST);
  const [width, height] = [NAMES + TIMES + NUMBERS, HEAD + shown.length * ROW + 12];
  const first = analysis.rows[0];
  const title = `${first?.span.name ?? ''} · ${duration(analysis.end - analysis.start)} · ${plural(analysis.rows.length, 'span')} · ${analysis.trace.id}`;
  const left = rows.length > MOST ? text(8, HEAD + 12, palette.muted, `the first ${MOST} of ${rows.length} rows`) : '';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="${palette.background}"/>`,
    text(8, 20, palette.text, title, 'font-size="14" font-weight="600"'),
    left,
    ...grid(analysis, palette, height),
    ...shown.map((row, at) => line(row, HEAD + at * ROW, analysis, palette)),
    '</svg>',
  ].join('\n');
}

function grid({ start, end }: Analysis, { line, muted }: Palette, height: number): string[] {
  return [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const x = NAMES + share * TIMES;
    const anchor = share === 1 ? 'end' : share === 0 ? 'start' : 'middle';
    return `<path d="M${x} ${HEAD - 8}V${height}" stroke="${line}"/>${text(x, HEAD - 12, muted, duration(share * (end - start)), `text-anchor="${anchor}"`)}`;
  });
}

function line(row: Row, y: number, { trace, start, end }: Analysis, palette: Palette): string {
  const scale = TIMES / Math.max(1, end - start);
  const x = (time: number): number => NAMES + (time - start) * scale;
  const failed = row.span.status === 'error';
  const service = serviceOf(trace, row.span);
  const indent = 8 + Math.min(row.depth, 16) * 10;
  const room = Math.floor((NAMES - indent) / 6);
  const bar = `<rect x="${round(x(row.start))}" y="${y + 4}" width="${round(Math.max(1, (row.end - row.start) * scale))}" height="9" rx="1.5" fill="${palette.hueOf(service)}"/>`;
  const critical = row.critical.map(([from, to]) => `<path d="M${round(x(from))} ${y + 15}H${round(Math.max(x(to), x(from) + 1))}" stroke="${palette.text}" stroke-width="2"/>`);
  return [
    text(indent, y + 12, failed ? palette.failed : palette.text, cut(`${failed ? '× ' : ''}${service}  ${row.span.name}`, room)),
    bar,
    ...critical,
    text(NAMES + TIMES + NUMBERS - 8, y + 12, palette.muted, duration(row.end - row.start), 'text-anchor="end"'),
  ].join('');
}

function text(x: number, y: number, fill: string, content: string, more = ''): string {
  return `<text x="${round(x)}" y="${y}" fill="${fill}" ${more}>${escaped(content)}</text>`;
}

function round(value: number): string {
  return value.toFixed(2);
}

function cut(content: string, most: number): string {
  return content.length > most ? `${content.slice(0, most - 1)}…` : content;
}

/** Characters that XML forbids are left out, those that mean something to it are written as entities. */
function escaped(content: string): string {
  return content
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

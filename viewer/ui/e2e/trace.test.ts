/** One trace: its views, its keys, what differs between two, and what is taken away of it. */

import { readFile } from 'node:fs/promises';
import type { Download, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Trace } from '../src/trace/model';
import { textOf, Visitor } from './browser';
import { hex, skewed, spanOf, traceOf } from './made';
import { startViewer, type Viewer } from './viewer';

let viewer: Viewer;
let other: Viewer;
let visitor: Visitor;

const ms = 1e6;
const SHOP = traceOf(0x5409, [
  spanOf(0xa1, 'GET /home', 0, 100 * ms),
  spanOf(0xa2, 'GET /stock', 5 * ms, 60 * ms, { parent: hex(0xa1, 16), kind: 'client', status: 'error', message: 'timed out' }),
  spanOf(0xa3, 'GET /stock', 8 * ms, 55 * ms, { parent: hex(0xa2, 16), events: [{ name: 'cache miss', time: 20 * ms, attributes: [['key', 'a']], droppedAttributes: 0 }] }),
  spanOf(0xa4, 'SELECT', 10 * ms, 50 * ms, { parent: hex(0xa3, 16), kind: 'client', status: 'error', attributes: [['db.system.name', 'sqlite']] }),
  spanOf(0xa5, 'render', 62 * ms, 95 * ms, { parent: hex(0xa1, 16), kind: 'internal', links: [{ trace: hex(0x5c3, 32), span: hex(0x101, 16), state: '', attributes: [], droppedAttributes: 0 }] }),
]);
const SLOWER = traceOf(0x540a, [
  spanOf(0xb1, 'GET /home', 0, 180 * ms),
  spanOf(0xb2, 'GET /stock', 5 * ms, 140 * ms, { parent: hex(0xb1, 16), kind: 'client' }),
  spanOf(0xb6, 'log in', 141 * ms, 142 * ms, { parent: hex(0xb1, 16), kind: 'internal' }),
]);

beforeAll(async () => {
  [viewer, other] = await Promise.all([startViewer(), startViewer()]);
  for (const trace of [SHOP, SLOWER, skewed()]) await viewer.send('/import', trace);
  visitor = await Visitor.open(viewer.url);
});

afterAll(async () => {
  await visitor.close();
  await Promise.all([viewer.stop(), other.stop()]);
});

afterEach(async () => expect(await visitor.leave()).toEqual([]));

const open = async (trace: Trace, more = ''): Promise<Page> => {
  const page = await visitor.visit(`/trace/${trace.id}${more}`);
  await page.locator('main .trace-body').waitFor();
  return page;
};
const active = (page: Page): Promise<string | null> => page.locator('.rows').getAttribute('aria-activedescendant');
const parameter = (page: Page, name: string): string | null => new URL(page.url()).searchParams.get(name);
const names = (page: Page): Promise<string[]> => page.locator('.span-row.row .name').allTextContents();

describe('the waterfall', () => {
  it('is moved in, folded and left by keys', async () => {
    const page = await open(SHOP);
    await page.locator('.rows').focus();
    expect(await active(page)).toBe(`row-${hex(0xa1, 16)}`);
    await page.keyboard.press('j');
    expect(await active(page)).toBe(`row-${hex(0xa2, 16)}`);
    await page.keyboard.press('h');
    await page.waitForFunction(() => document.querySelectorAll('.span-row.row').length === 3);
    expect(await page.locator(`#row-${hex(0xa2, 16)}`).getAttribute('aria-expanded')).toBe('false');
    expect(parameter(page, 'fold')).toBe(hex(0xa2, 16));
    await page.reload();
    await page.locator('.span-row.row').nth(2).waitFor();
    expect(await page.locator('.span-row.row').count()).toBe(3);
    await page.keyboard.press('j');
    await page.keyboard.press('l');
    await page.waitForFunction(() => document.querySelectorAll('.span-row.row').length === 5);
    await page.keyboard.press('l');
    expect(await active(page)).toBe(`row-${hex(0xa3, 16)}`);
    await page.keyboard.press('Enter');
    await page.locator('.drawer').waitFor();
    await page.keyboard.press('j');
    await page.waitForFunction((id) => new URL(location.href).searchParams.get('span') === id, hex(0xa4, 16));
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.querySelector('.drawer') === null);
  });

  it('goes from error to error, in a circle, and unfolds what hides one', async () => {
    const page = await open(SHOP, `?fold=${hex(0xa2, 16)}`);
    const at: (string | null)[] = [];
    for (const key of ['n', 'n', 'n', 'N']) {
      await page.keyboard.press(key);
      at.push(await active(page));
    }
    expect(at).toEqual([0xa2, 0xa4, 0xa2, 0xa4].map((id) => `row-${hex(id, 16)}`));
    expect(parameter(page, 'fold')).toBeNull();
  });

  it('finds spans, and goes to the next', async () => {
    const page = await open(SHOP);
    await page.keyboard.press('/');
    await page.keyboard.type('kind=client error');
    await page.keyboard.press('Enter');
    await page.getByText('2 spans found').waitFor();
    expect(await page.locator('.span-row.found').count()).toBe(2);
    expect(await page.locator('.span-row.dim').count()).toBe(3);
    await page.keyboard.press('Enter');
    expect(await active(page)).toBe(`row-${hex(0xa2, 16)}`);
    await page.keyboard.press('Enter');
    expect(await active(page)).toBe(`row-${hex(0xa4, 16)}`);
  });

  it('shows the critical path until told not to', async () => {
    const page = await open(SHOP);
    expect(await page.locator('.critical').count()).toBeGreaterThan(0);
    await page.keyboard.press('c');
    await page.waitForFunction(() => document.querySelectorAll('.critical').length === 0);
    expect(parameter(page, 'critical')).toBe('0');
  });

  it('is looked at closely by keys and on the minimap', async () => {
    const page = await open(SHOP);
    await page.keyboard.press(']');
    await page.waitForURL((url) => url.searchParams.get('zoom') === `${25 * ms}~${75 * ms}`);
    await page.keyboard.press('}');
    await page.waitForURL((url) => url.searchParams.get('zoom') === `${37.5 * ms}~${87.5 * ms}`);
    await page.keyboard.press('[');
    await page.waitForURL((url) => !url.searchParams.has('zoom'));
    const map = await page.locator('.minimap').boundingBox();
    if (!map) throw new Error('there is no minimap');
    await page.mouse.move(map.x + map.width / 2, map.y + 10);
    await page.mouse.down();
    await page.mouse.move(map.x + map.width * 0.75, map.y + 10, { steps: 3 });
    await page.mouse.up();
    await page.waitForURL(/zoom=/);
    const [from = 0, to = 0] = (parameter(page, 'zoom') ?? '').split('~').map(Number);
    expect(from / ms).toBeCloseTo(50, -0.5);
    expect(to / ms).toBeCloseTo(75, -0.5);
    await page.locator('.minimap').dblclick();
    await page.waitForURL((url) => !url.searchParams.has('zoom'));
  });

  it('has the gap of a call, dots for events, and own times', async () => {
    const page = await open(SHOP);
    expect(await textOf(page, `#row-${hex(0xa2, 16)} .bar-note`)).toBe('timed out · gap 3.00 ms + 5.00 ms');
    expect(await page.locator(`#row-${hex(0xa2, 16)} .gap`).count()).toBe(2);
    expect(await page.locator(`#row-${hex(0xa3, 16)} .dot`).getAttribute('title')).toBe('event: cache miss');
    expect(await textOf(page, `#row-${hex(0xa1, 16)} .self`)).toBe('12.0 ms');
  });

  it('says which clock it has moved, and what outlives its parent', async () => {
    const page = await open(skewed());
    expect(await textOf(page, '.note')).toBe('The clock of price is behind: its times are moved by +41.0 ms.');
    expect(await textOf(page, `#row-${hex(0x104, 16)} .bar-note`)).toBe('outlives its parent by 90.0 ms');
    expect(await page.locator('.beyond').count()).toBe(1);
  });
});

describe('a span', () => {
  it('is linked both ways', async () => {
    const page = await open(SHOP, `?span=${hex(0xa5, 16)}`);
    await page.locator('.drawer').getByRole('link', { name: /^span 0000/ }).click();
    await page.waitForURL(new RegExp(`/trace/${skewed().id}`));
    await page.locator('.drawer').getByRole('link', { name: 'render' }).click();
    await page.waitForURL(new RegExp(`/trace/${SHOP.id}\\?span=${hex(0xa5, 16)}`));
  });

  it('is copied, as JSON and value by value', async () => {
    const page = await open(SHOP, `?span=${hex(0xa4, 16)}`);
    const clipboard = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
    await page.locator('.drawer').getByRole('button', { name: 'db.system.name', exact: true }).hover();
    await page.getByRole('button', { name: 'Copy db.system.name' }).click();
    expect(await clipboard()).toBe('sqlite');
    await page.getByText('Raw JSON').click();
    await page.getByRole('button', { name: 'Copy the span as JSON' }).click();
    expect(JSON.parse(await clipboard())).toMatchObject({ id: hex(0xa4, 16), name: 'SELECT' });
  });
});

describe('the other views', () => {
  it('the table has each operation, and leads back to its spans', async () => {
    const page = await open(SHOP);
    await page.getByRole('button', { name: 'table' }).click();
    expect(await page.locator('tbody tr').count()).toBe(5);
    await page.locator('tbody').getByRole('button', { name: 'render' }).click();
    await page.getByText('1 span found').waitFor();
    expect(await names(page)).toHaveLength(5);
  });

  it('the flame is walked by keys', async () => {
    const page = await open(SHOP, '?view=flame');
    await page.locator('.flame').focus();
    expect(await textOf(page, '.flame-page .note')).toContain('GET /home 1 span, busy 100 ms (100 %), itself 12.0 ms');
    await page.keyboard.press('ArrowDown');
    expect(await textOf(page, '.flame-page .note')).toContain('GET /stock 1 span, busy 55.0 ms');
    await page.keyboard.press('ArrowRight');
    expect(await textOf(page, '.flame-page .note')).toContain('render');
    await page.keyboard.press('Enter');
    await page.locator('.drawer h2', { hasText: 'render' }).waitFor();
  });

  it('two traces stand side by side', async () => {
    const page = await open(SHOP);
    await page.getByRole('button', { name: 'compare' }).click();
    await page.locator('.menu-body a').first().click();
    await page.waitForURL(`**/compare/${SHOP.id}/${SLOWER.id}`);
    await page.locator('.compare-row').nth(5).waitFor();
    const tags = await page.locator('.compare-row').evaluateAll((rows) => rows.map((row) => [row.querySelector('.name')?.textContent, row.querySelector('.tag')?.textContent ?? 'both']));
    expect(tags).toEqual([['GET /home', 'both'], ['GET /stock', 'both'], ['GET /stock', 'only A'], ['SELECT', 'only A'], ['render', 'only A'], ['log in', 'only B']]);
    expect(await textOf(page, '.compare-row .difference')).toBe('+80.0 ms');
    await page.getByRole('checkbox').check();
    await page.waitForFunction(() => document.querySelectorAll('.compare-row').length === 5);
  });
});

describe('what is taken away', () => {
  const exported = async (page: Page, name: string): Promise<Download> => {
    await page.getByRole('button', { name: 'export' }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
    return download;
  };

  it('OTLP JSON can be taken in by another viewer, with nothing lost', async () => {
    const page = await open(SHOP);
    const download = await exported(page, 'OTLP JSON');
    await other.send('/import', JSON.parse(await readFile(await download.path(), 'utf8')));
    const [mine, theirs] = await Promise.all([viewer.api<Trace>(`/traces/${SHOP.id}`), other.api<Trace>(`/traces/${SHOP.id}`)]);
    expect(theirs.spans).toEqual(mine.spans);
    expect([theirs.epoch, theirs.resources, theirs.scopes]).toEqual([mine.epoch, mine.resources, mine.scopes]);
  });

  it('a link carries the whole trace into a viewer that does not have it', async () => {
    const page = await open(SHOP);
    await page.getByRole('button', { name: 'export' }).click();
    await page.getByRole('button', { name: 'Copy a link that carries' }).click();
    const link = await page.waitForFunction(() => navigator.clipboard.readText().then((text) => text.includes('/open') && text));
    const { pathname, search, hash } = new URL(String(await link.jsonValue()));
    const elsewhere = await visitor.visit(`${pathname}${search}${hash}`, { origin: other.url });
    await elsewhere.locator('.span-row.row').nth(4).waitFor();
    expect(await names(elsewhere)).toEqual(await names(page));
    await elsewhere.locator(`#row-${hex(0xa4, 16)}`).click();
    await elsewhere.locator('.drawer', { hasText: 'sqlite' }).waitFor();
  });

  it('a link that is damaged says so', async () => {
    const page = await visitor.visit('/open#abcd');
    await page.getByText('This link is damaged').waitFor();
  });

  it('the picture has each name', async () => {
    const page = await open(SHOP);
    const svg = await readFile(await (await exported(page, 'SVG of the waterfall')).path(), 'utf8');
    for (const name of ['GET /home', 'SELECT', 'render']) expect(svg).toContain(name);
    await page.setContent(svg);
    expect(await page.locator('svg rect[rx]').count()).toBe(5);
  });
});

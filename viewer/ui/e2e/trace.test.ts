/** One trace: its views, its keys, what differs between two, and what is taken away of it. */

import { readFile } from 'node:fs/promises';
import type { Download, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Trace } from '../src/trace/model';
import { hurry, linkOf, textOf, Visitor } from './browser';
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
const id = (span: number): string => hex(span, 16);
const active = (page: Page): Promise<string | null> => page.locator('.rows').getAttribute('aria-activedescendant');
/** Waits until the row of a span is the active one. */
const isActive = (page: Page, span: number): Promise<void> => expect.poll(() => active(page)).toBe(`row-${id(span)}`);
const parameter = (page: Page, name: string): string | null => new URL(page.url()).searchParams.get(name);
const rows = (page: Page): Promise<number> => page.locator('.span-row.row').count();
const names = (page: Page): Promise<string[]> => page.locator('.span-row.row .name').allTextContents();

describe('the waterfall', () => {
  it('is moved in, folded and left by keys', async () => {
    const page = await open(SHOP);
    await isActive(page, 0xa1);
    await page.keyboard.press('j');
    await isActive(page, 0xa2);
    await page.keyboard.press('h');
    await expect.poll(() => rows(page)).toBe(3);
    await page.locator(`#row-${id(0xa2)}[aria-expanded=false]`).waitFor();
    await expect.poll(() => parameter(page, 'fold')).toBe(id(0xa2));
    await page.reload();
    await expect.poll(() => rows(page)).toBe(3);
    await page.keyboard.press('j');
    await isActive(page, 0xa2);
    await page.keyboard.press('l');
    await expect.poll(() => rows(page)).toBe(5);
    await page.keyboard.press('l');
    await isActive(page, 0xa3);
    await page.keyboard.press('Enter');
    await page.locator('.drawer').waitFor();
    await page.keyboard.press('j');
    await expect.poll(() => parameter(page, 'span')).toBe(id(0xa4));
    await page.keyboard.press('Escape');
    await page.locator('.drawer').waitFor({ state: 'detached' });
  });

  it('goes from error to error, in a circle, and unfolds what hides one', async () => {
    const page = await open(SHOP, `?fold=${id(0xa2)}`);
    for (const [key, span] of [['n', 0xa2], ['n', 0xa4], ['n', 0xa2], ['N', 0xa4]] as const) {
      await page.keyboard.press(key);
      await isActive(page, span);
    }
    await expect.poll(() => parameter(page, 'fold')).toBeNull();
  });

  it('finds spans, and goes to the next', async () => {
    const page = await open(SHOP);
    await page.keyboard.press('/');
    await page.keyboard.type('kind=client error');
    await page.keyboard.press('Enter');
    await page.getByText('2 spans found').waitFor();
    await expect.poll(() => page.locator('.span-row.found').count()).toBe(2);
    await expect.poll(() => page.locator('.span-row.dim').count()).toBe(3);
    await page.keyboard.press('Enter');
    await isActive(page, 0xa2);
    await page.keyboard.press('Enter');
    await isActive(page, 0xa4);
  });

  it('shows the critical path until told not to', async () => {
    const page = await open(SHOP);
    await page.locator('.critical').first().waitFor();
    await page.keyboard.press('c');
    await expect.poll(() => page.locator('.critical').count()).toBe(0);
    await expect.poll(() => parameter(page, 'critical')).toBe('0');
  });

  it('is looked at closely by keys and on the minimap', async () => {
    const page = await open(SHOP);
    await page.keyboard.press(']');
    await page.waitForURL((url) => url.searchParams.get('zoom') === `${25 * ms}~${75 * ms}`);
    await page.keyboard.press('}');
    await page.waitForURL((url) => url.searchParams.get('zoom') === `${37.5 * ms}~${87.5 * ms}`);
    await page.keyboard.press('[');
    await page.waitForURL((url) => !url.searchParams.has('zoom'));
    const map = page.locator('.minimap');
    const { width = 0 } = (await map.boundingBox()) ?? {};
    await map.dragTo(map, { sourcePosition: { x: width / 2, y: 10 }, targetPosition: { x: width * 0.75, y: 10 } });
    await page.waitForURL(/zoom=/);
    const [from = 0, to = 0] = (parameter(page, 'zoom') ?? '').split('~').map(Number);
    expect(from / ms).toBeCloseTo(50, -0.5);
    expect(to / ms).toBeCloseTo(75, -0.5);
    await page.locator('.minimap').dblclick();
    await page.waitForURL((url) => !url.searchParams.has('zoom'));
  });

  it('has the gap of a call, dots for events, and own times', async () => {
    const page = await open(SHOP);
    await expect.poll(() => textOf(page, `#row-${id(0xa2)} .bar-note`)).toBe('timed out · gap 3.00 ms + 5.00 ms');
    await expect.poll(() => page.locator(`#row-${id(0xa2)} .gap`).count()).toBe(2);
    await page.locator(`#row-${id(0xa3)} .dot[title="event: cache miss"]`).waitFor();
    await expect.poll(() => textOf(page, `#row-${id(0xa1)} .self`)).toBe('12.0 ms');
  });

  it('says which clock it has moved, and what outlives its parent', async () => {
    const page = await open(skewed());
    await expect.poll(() => textOf(page, '.note')).toBe('The clock of price is behind: its times are moved by +41.0 ms.');
    await expect.poll(() => textOf(page, `#row-${id(0x104)} .bar-note`)).toBe('outlives its parent by 90.0 ms');
    await expect.poll(() => page.locator('.beyond').count()).toBe(1);
  });
});

describe('keys in a hurry', () => {
  it('each go on from where the last one led', async () => {
    const page = await open(SHOP);
    await hurry(page, ['j', 'j', 'j', 'k']);
    await isActive(page, 0xa3);
    await hurry(page, ['n', 'n', 'n']);
    await isActive(page, 0xa4);
    await hurry(page, ['k', 'h', 'j', 'k', 'l', 'l']);
    await isActive(page, 0xa4);
    await expect.poll(() => parameter(page, 'fold')).toBeNull();
    await hurry(page, [']', ']', '[', '[']);
    await expect.poll(() => parameter(page, 'zoom')).toBeNull();
  });

  it('are heard as soon as there is a trace', async () => {
    const page = await visitor.visit('/traces');
    await page.locator('.rows').waitFor();
    await page.evaluate((path) => {
      // Before the frame that shows the trace, and whatever comes after it.
      new MutationObserver((_, observer) => {
        if (!document.querySelector('.trace-body')) return;
        observer.disconnect();
        document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key: 'n', bubbles: true, cancelable: true }));
      }).observe(document.body, { childList: true, subtree: true });
      history.pushState(null, '', path);
      dispatchEvent(new PopStateEvent('popstate'));
    }, `/trace/${SHOP.id}`);
    await isActive(page, 0xa2);
  });

  it('move what the drawer shows', async () => {
    const page = await open(SHOP);
    await hurry(page, ['Enter', 'j', 'j', 'j']);
    await isActive(page, 0xa4);
    await page.locator('.drawer h2', { hasText: 'SELECT' }).waitFor();
    await hurry(page, ['Escape', 'k', 'Enter', 'k']);
    await isActive(page, 0xa2);
    await expect.poll(() => parameter(page, 'span')).toBe(id(0xa2));
  });

  it('find the next, and the one after it', async () => {
    const page = await open(SHOP);
    const box = page.getByRole('combobox', { name: 'Find in this trace' });
    await box.fill('kind=client');
    await hurry(page, ['Enter', 'Enter', 'Enter']);
    await isActive(page, 0xa4);
    await hurry(page, ['Enter', 'Enter', 'Enter']);
    await isActive(page, 0xa2);
  });

  it('do not undo what is typed after a search', async () => {
    const page = await open(SHOP);
    const box = page.getByRole('combobox', { name: 'Find in this trace' });
    await box.fill('kind=client');
    await box.evaluate(async (input: HTMLInputElement) => {
      input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
      await Promise.resolve();
      input.value += ' error';
      input.dispatchEvent(new InputEvent('input', { bubbles: true }));
    });
    await page.getByText('2 spans found').waitFor();
    await expect.poll(() => box.inputValue()).toBe('kind=client error');
  });

  it('are those of the help as soon as it is open', async () => {
    const page = await open(SHOP);
    // A browser closes a dialog only for a person's Escape. This one must do nothing, and not leave the trace.
    await hurry(page, ['?', 'Escape']);
    await page.getByRole('dialog', { name: 'Help' }).waitFor();
    expect(new URL(page.url()).pathname).toBe(`/trace/${SHOP.id}`);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Help' }).waitFor({ state: 'hidden' });
  });

  it('of a trace that was left do nothing to the page behind', async () => {
    const page = await open(SHOP);
    await hurry(page, ['Escape', 'c', 'n', 'Enter']);
    await page.waitForURL('**/traces');
    await page.locator('.trace-row').first().waitFor();
    expect(new URL(page.url()).search).toBe('');
  });
});

describe('a span', () => {
  it('is linked both ways', async () => {
    const page = await open(SHOP, `?span=${id(0xa5)}`);
    await page.locator('.drawer').getByRole('link', { name: /^span 0000/ }).click();
    await page.waitForURL(new RegExp(`/trace/${skewed().id}`));
    await page.locator('.drawer').getByRole('link', { name: 'render' }).click();
    await page.waitForURL(new RegExp(`/trace/${SHOP.id}\\?span=${id(0xa5)}`));
  });

  it('is copied, as JSON and value by value', async () => {
    const page = await open(SHOP, `?span=${id(0xa4)}`);
    const clipboard = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
    await page.locator('.drawer').getByRole('button', { name: 'db.system.name', exact: true }).hover();
    await page.getByRole('button', { name: 'Copy db.system.name' }).click();
    await expect.poll(clipboard).toBe('sqlite');
    await page.getByText('Raw JSON').click();
    await page.getByRole('button', { name: 'Copy the span as JSON' }).click();
    await expect.poll(clipboard).toContain('SELECT');
    expect(JSON.parse(await clipboard())).toMatchObject({ id: id(0xa4), name: 'SELECT' });
  });
});

describe('the other views', () => {
  it('the table has each operation, and leads back to its spans', async () => {
    const page = await open(SHOP);
    await page.getByRole('button', { name: 'table' }).click();
    await expect.poll(() => page.locator('tbody tr').count()).toBe(5);
    await page.locator('tbody').getByRole('button', { name: 'render' }).click();
    await page.getByText('1 span found').waitFor();
    await expect.poll(() => names(page)).toHaveLength(5);
  });

  it('the flame is walked by keys', async () => {
    const page = await open(SHOP, '?view=flame');
    await page.locator('.flame').focus();
    await expect.poll(() => textOf(page, '.flame-page .note')).toContain('GET /home 1 span, busy 100 ms (100 %), itself 12.0 ms');
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => textOf(page, '.flame-page .note')).toContain('GET /stock 1 span, busy 55.0 ms');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => textOf(page, '.flame-page .note')).toContain('render');
    await page.keyboard.press('Enter');
    await page.locator('.drawer h2', { hasText: 'render' }).waitFor();
  });

  it('two traces stand side by side', async () => {
    const page = await open(SHOP);
    await page.getByRole('button', { name: 'compare' }).click();
    await page.locator('.menu-body a').first().click();
    await page.waitForURL(`**/compare/${SHOP.id}/${SLOWER.id}`);
    const tags = (): Promise<(string | null | undefined)[][]> =>
      page.locator('.compare-row').evaluateAll((rows) => rows.map((row) => [row.querySelector('.name')?.textContent, row.querySelector('.tag')?.textContent ?? 'both']));
    await expect.poll(tags).toEqual([['GET /home', 'both'], ['→ GET /stock', 'both'], ['GET /stock', 'only A'], ['→ SELECT', 'only A'], ['render', 'only A'], ['log in', 'only B']]);
    await expect.poll(() => textOf(page, '.compare-row .difference')).toBe('+80.0 ms');
    await page.getByRole('checkbox').check();
    await expect.poll(() => page.locator('.compare-row').count()).toBe(5);
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
    const elsewhere = await visitor.visit(await linkOf(page), { origin: other.url });
    await elsewhere.locator('.span-row.row').nth(4).waitFor();
    await expect.poll(() => names(elsewhere)).toEqual(await names(page));
    await elsewhere.locator(`#row-${id(0xa4)}`).click();
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
    await expect.poll(() => page.locator('svg rect[rx]').count()).toBe(5);
  });
});

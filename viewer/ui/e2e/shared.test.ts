/** A trace in which a call and what served it have one id: each of them is there, and can be chosen, folded, opened and shared. */

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { linkOf, textOf, Visitor } from './browser';
import { failing, shared } from './made';
import { startViewer, type Viewer } from './viewer';

let viewer: Viewer;
let visitor: Visitor;

const trace = shared();
const SERVED = '000000000000000c';
const CALL = `${SERVED}-client`;
const QUERY = '000000000000000d';

beforeAll(async () => {
  viewer = await startViewer();
  await viewer.send('/import', trace.file);
  visitor = await Visitor.open(viewer.url);
});

afterAll(async () => {
  await visitor.close();
  await viewer.stop();
});

afterEach(async () => expect(await visitor.leave()).toEqual([]));

const open = async (more = ''): Promise<Page> => {
  const page = await visitor.visit(`/trace/${trace.id}${more}`);
  await page.locator('main .trace-body').waitFor();
  return page;
};
const keys = (page: Page): Promise<string[]> => page.locator('.row').evaluateAll((rows) => rows.map(({ id }) => id.replace(/^row-0*/, '')));
const isActive = (page: Page, key: string): Promise<void> => expect.poll(() => page.locator('.rows').getAttribute('aria-activedescendant')).toBe(`row-${key}`);
const isOpen = async (page: Page, key: string, kind: string): Promise<void> => {
  await expect.poll(() => new URL(page.url()).searchParams.get('span')).toBe(key);
  await expect.poll(() => textOf(page, '.drawer .span-facts')).toContain(`kind${kind}`);
};

it('has a row for each, and the network between them', async () => {
  const page = await open();
  await expect.poll(() => keys(page)).toEqual(['a', 'c-client', 'c', 'd']);
  await expect.poll(() => page.locator('.row').evaluateAll((rows) => rows.map((row) => row.getAttribute('aria-level')))).toEqual(['1', '2', '3', '4']);
  await expect.poll(() => textOf(page, `#row-${CALL} .bar-note`)).toBe('gap 4.00 ms + 6.00 ms');
  expect(await page.locator(`#row-${CALL} .gap`).count()).toBe(2);
  expect(await page.locator(`#row-${SERVED} .gap`).count()).toBe(0);
});

it('opens each by a click, and by its address', async () => {
  const page = await open();
  await page.locator(`#row-${CALL}`).click();
  await isOpen(page, CALL, 'client');
  await page.reload();
  await isOpen(page, CALL, 'client');
  await isActive(page, CALL);
  await page.locator(`#row-${SERVED}`).click();
  await isOpen(page, SERVED, 'server');
  await expect.poll(() => textOf(page, '.drawer .span-facts')).toContain('4.00 ms there, 6.00 ms back');
  await page.reload();
  await isOpen(page, SERVED, 'server');
  await page.locator('.drawer').getByRole('button', { name: 'GET /stock' }).click();
  await isOpen(page, CALL, 'client');
});

it('is walked and folded by keys, row by row', async () => {
  const page = await open();
  for (const key of ['000000000000000a', CALL, SERVED, QUERY]) {
    await isActive(page, key);
    await page.keyboard.press('j');
  }
  await page.keyboard.press('k');
  await page.keyboard.press('h');
  await expect.poll(() => keys(page)).toEqual(['a', 'c-client', 'c']);
  await page.reload();
  await expect.poll(() => keys(page)).toEqual(['a', 'c-client', 'c']);
  await page.locator(`#row-${CALL}`).getByRole('button', { name: 'Fold', exact: true }).click();
  await expect.poll(() => keys(page)).toEqual(['a', 'c-client']);
  await page.locator(`#row-${CALL}`).getByRole('button', { name: 'Unfold' }).click();
  await expect.poll(() => keys(page)).toEqual(['a', 'c-client', 'c']);
});

it('has a block of the flame, a line of the table and a pair of the comparison for each', async () => {
  const page = await open('?view=flame');
  await page.locator('.flame').focus();
  for (const [key, kind] of [[CALL, 'client'], [SERVED, 'server']] as const) {
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await isOpen(page, key, kind);
    await page.locator('.flame').focus();
  }
  const table = await open('?view=table');
  await expect.poll(() => table.locator('tbody tr').count()).toBe(4);
  const pairs = await visitor.visit(`/compare/${trace.id}/${trace.id}`);
  await expect.poll(() => pairs.locator('.compare-row').count()).toBe(4);
  await pairs.locator('.compare-row').nth(1).click();
  await isOpen(pairs, CALL, 'client');
});

it('is carried by a link as it is', async () => {
  const page = await open(`?span=${CALL}`);
  const carried = await visitor.visit(await linkOf(page));
  await expect.poll(() => keys(carried)).toEqual(['a', 'c-client', 'c', 'd']);
});

it('is led to from the list by whichever a search has found', async () => {
  for (const [kind, key] of [['client', CALL], ['server', `${SERVED}-server`]] as const) {
    const page = await visitor.visit(`/traces?q=${encodeURIComponent(`name="GET /stock" kind=${kind}`)}`);
    await page.locator('.trace-row a').first().click();
    await isOpen(page, key, kind);
  }
});

it('is led to from the feed and by a link to its trace, whichever failed', async () => {
  const page = await visitor.visit('/live');
  const trace = failing();
  await viewer.otlp('traces', trace.file);
  await page.locator('.feed a', { hasText: 'GET /lost' }).nth(1).waitFor();
  for (const [duration, kind] of [['50.0 ms', 'client'], ['40.0 ms', 'server']] as const) {
    await page.locator('.feed tr', { hasText: duration.replace(' ', '\u202f') }).locator('a').click();
    await isOpen(page, `${trace.span}-${kind}`, kind);
    await page.goBack();
  }
  await page.goto(`${viewer.url}/trace/${trace.linked}`);
  await page.locator('.row').click();
  await page.locator('.drawer').getByRole('link', { name: 'GET /lost' }).click();
  await isOpen(page, `${trace.span}-client`, 'client');
});

it('is led to from the operation of the call', async () => {
  const page = await visitor.visit('/operations?kind=calls&of=shop&name=GET+%2Fstock&as=client');
  await page.locator('.detail .samples a').first().click();
  await isOpen(page, CALL, 'client');
});

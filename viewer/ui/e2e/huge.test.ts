/** A trace of 20,000 spans, and a list of thousands of traces: what is in the page does not grow with them. */

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { nodes, Visitor } from './browser';
import { hex, huge, spanOf, traceOf } from './made';
import { startViewer, until, type Viewer } from './viewer';
import type { Stats } from '../src/api/types';

const SPANS = 20_000;
const TRACES = 3000;
/** A page with all its parts: the frame, some fifty rows, and a drawer. */
const NODES = 1500;

let viewer: Viewer;
let visitor: Visitor;
const trace = huge(SPANS);
const rows = (page: Page): Promise<number> => page.locator('.rows').getAttribute('aria-rowcount').then(Number);

beforeAll(async () => {
  viewer = await startViewer();
  await viewer.send('/import', trace);
  visitor = await Visitor.open(viewer.url);
});

afterAll(async () => {
  await visitor.close();
  await viewer.stop();
});

afterEach(async () => expect(await visitor.leave()).toEqual([]));

it(`${SPANS} spans open and scroll with at most ${NODES} nodes`, async () => {
  const page = await visitor.visit(`/trace/${trace.id}`);
  await page.locator('.span-row.row').nth(20).waitFor();
  // Since the browser began to go there.
  const [opened, painted] = await page.evaluate(() => [performance.now(), performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0] as const);
  await expect.poll(() => rows(page)).toBe(SPANS);
  const counts = [await nodes(page)];
  const frames = await page.evaluate(async () => {
    const rows = document.querySelector('.rows');
    const times: number[] = [];
    let last = performance.now();
    for (let step = 1; step <= 60 && rows; step++) {
      rows.scrollTop = (rows.scrollHeight * step) / 60;
      await new Promise(requestAnimationFrame);
      times.push(performance.now() - last);
      last = performance.now();
    }
    return times.sort((one, other) => one - other);
  });
  counts.push(await nodes(page));
  await page.keyboard.press('n');
  await page.keyboard.press('Enter');
  await page.locator('.drawer').waitFor();
  counts.push(await nodes(page));
  for (const [view, drawn] of [['flame', '.flame canvas'], ['table', 'main tbody tr']] as const) {
    await page.getByRole('button', { name: view }).click();
    await page.locator(drawn).first().waitFor();
    counts.push(await nodes(page));
  }
  console.log(`${SPANS} spans: first paint after ${Math.round(painted)} ms, open after ${Math.round(opened)} ms; a frame of scrolling takes ${Math.round(frames[30] ?? 0)} ms (median), ${Math.round(frames.at(-1) ?? 0)} ms (longest); nodes ${counts.join(', ')}`);
  expect(Math.max(...counts)).toBeLessThan(NODES);
});

it(`${TRACES} traces are listed with at most ${NODES} nodes`, async () => {
  const lines = Array.from({ length: TRACES }, (_, at) => JSON.stringify(otlp(at)));
  for (let from = 0; from < TRACES; from += 500) {
    const response = await fetch(`${viewer.url}/api/v1/import`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: lines.slice(from, from + 500).join('\n') });
    expect(response.status).toBe(200);
  }
  await until('all are kept', async () => (await viewer.api<Stats>('/stats')).traces > TRACES);
  const page = await visitor.visit('/traces');
  await page.locator('.trace-row').nth(10).waitFor();
  const first = await rows(page);
  let last = first;
  for (let round = 0; round < 6; round++) {
    await page.locator('.rows').evaluate((box) => (box.scrollTop = box.scrollHeight));
    await expect.poll(() => rows(page)).toBeGreaterThan(last);
    last = await rows(page);
  }
  const many = await nodes(page);
  console.log(`${TRACES} traces: ${first} rows, after scrolling ${last}; ${many} nodes`);
  expect(many).toBeLessThan(NODES);
});

it('what follows a list that was left is not set below another', async () => {
  const page = await visitor.visit('/traces');
  await expect.poll(() => rows(page)).toBe(200);
  let release = (): void => undefined;
  const held = new Promise<void>((done) => (release = done));
  await page.route(/[?&]before=/, async (route) => {
    await held;
    await route.continue();
  });
  const asked = page.waitForRequest(/[?&]before=/);
  await page.locator('.rows').evaluate((box) => (box.scrollTop = box.scrollHeight));
  await asked;
  const box = page.getByRole('combobox', { name: 'Search' });
  await box.fill('name="GET /7"');
  await box.press('Enter');
  await expect.poll(() => rows(page)).toBe(TRACES / 20);
  release();
  await visitor.settled(page);
  expect(await rows(page)).toBe(TRACES / 20);
});

function otlp(at: number): unknown {
  const start = BigInt(Date.now() - at) * 1_000_000n;
  const { id, name } = spanOf(0x1000 + at, `GET /${at % 20}`, 0, 1);
  const span = { traceId: traceOf(0x77000 + at, []).id, spanId: hex(Number.parseInt(id, 16), 16), name, kind: 2, startTimeUnixNano: String(start), endTimeUnixNano: String(start + BigInt(1e6 + (at % 97) * 1e5)) };
  return { resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: `service-${at % 5}` } }] }, scopeSpans: [{ spans: [span] }] }] };
}

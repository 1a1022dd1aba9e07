/** Five thousand spans a second while browsers look at them, and a store that is full of them. Times are printed, counts are asserted. */

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { nodes, Visitor } from './browser';
import { hex } from './made';
import { startViewer, type Viewer } from './viewer';
import type { Stats, TraceList } from '../src/api/types';

const A_SECOND = 5000;
const SECONDS = Number(process.env['SECONDS'] ?? 4);
const BATCH = 500;
const TRACE = 10;
/** As in `huge.test.ts`. */
const NODES = 1500;

let viewer: Viewer;
let visitor: Visitor;

beforeAll(async () => {
  viewer = await startViewer();
  visitor = await Visitor.open(viewer.url);
});

afterAll(async () => {
  await visitor.close();
  await viewer.stop();
});

afterEach(async () => expect(await visitor.leave()).toEqual([]));

it(`${A_SECOND} spans a second are taken in and shown while pages are open`, async () => {
  const [live, list] = [await visitor.visit('/live'), await visitor.visit('/traces')];
  const begun = performance.now();
  let late = 0;
  for (let sent = 0; sent < SECONDS * A_SECOND; sent += BATCH) {
    const due = begun + (sent / A_SECOND) * 1000;
    // The load is a given one: this is a pace, and waits for nothing.
    await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    await viewer.otlp('traces', batch(sent));
    late = Math.max(late, performance.now() - due);
  }
  const stats = await viewer.api<Stats>('/stats');
  const counts = [await nodes(live), await nodes(list)];
  console.log(`${stats.spans} spans in ${SECONDS} s; the latest batch was taken in ${Math.round(late)} ms after it was due; nodes ${counts.join(', ')}`);
  expect(stats).toMatchObject({ spans: SECONDS * A_SECOND, evicted: { spans: 0 }, dropped: { spans: 0 } });
  expect(Math.max(...counts)).toBeLessThan(NODES);
  // What was sent in each second is what the pages show of it.
  const requests = async (): Promise<number> => (await viewer.api<{ ticks: { requests: number }[] }>('/live/history')).ticks.reduce((sum, tick) => sum + tick.requests, 0);
  await expect.poll(requests).toBe((SECONDS * A_SECOND) / 2);
  const [newest] = (await viewer.api<TraceList>('/traces?limit=1')).traces;
  await expect.poll(() => list.locator('.trace-row').first().getAttribute('id')).toBe(`row-${newest?.id}`);
});

it('the pages of a full store', async () => {
  for (let sent = SECONDS * A_SECOND; (await viewer.api<Stats>('/stats')).evicted.spans === 0; sent += 10 * BATCH) {
    for (let more = 0; more < 10; more++) await viewer.otlp('traces', batch(sent + more * BATCH));
  }
  const { spans } = await viewer.api<Stats>('/stats');
  const page = await visitor.visit('/traces');
  await page.locator('.trace-row').nth(10).waitFor();
  const painted = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0);
  const times = [`first paint after ${Math.round(painted)} ms`];
  for (const [name, shown] of [['Operations', '.operations tbody tr'], ['Map', '.map-box svg a'], ['Live', '.tile'], ['Traces', '.trace-row']] as const) {
    await visitor.settled(page);
    times.push(`${name} ${await changed(page, name, shown)} ms`);
    expect(await nodes(page)).toBeLessThan(NODES);
  }
  console.log(`${spans} spans: ${times.join(', ')}`);
});

/** How long it takes from a click on a link until what it leads to is drawn. */
function changed(page: Page, name: string, shown: string): Promise<number> {
  return page.evaluate(
    ([name, shown]) => {
      const link = [...document.querySelectorAll('nav a')].find((link) => link.textContent?.trim() === name) as HTMLElement;
      const begun = performance.now();
      link.click();
      return new Promise<number>((done) => {
        const look = (): unknown => (document.querySelector(shown) ? done(Math.round(performance.now() - begun)) : requestAnimationFrame(look));
        requestAnimationFrame(look);
      });
    },
    [name, shown] as const,
  );
}

/** Traces of a server's span, and of others in turn that are its children. */
function batch(first: number): unknown {
  const end = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: BATCH }, (_, place) => span(first + place, end));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

function span(number: number, end: bigint): unknown {
  const [trace, place] = [Math.floor(number / TRACE), number % TRACE];
  const pair = (key: string, stringValue: string): unknown => ({ key, value: { stringValue } });
  return {
    traceId: hex(trace + 1, 32), spanId: hex(number + 1, 16), parentSpanId: place === 0 ? '' : hex(number, 16),
    name: place === 0 ? `GET /number/${trace % 50}` : ['GET', 'GET /stock'][place % 2], kind: place % 2 === 0 ? 2 : 3,
    startTimeUnixNano: String(end - BigInt(1 + (trace % 97)) * 1_000_000n), endTimeUnixNano: String(end), status: trace % 50 === 0 ? { code: 2 } : {},
    attributes: [pair('http.request.method', 'GET'), pair('http.route', '/home'), pair('url.path', `/users/${number}`), pair('server.address', 'shop.example'), pair('user_agent.original', 'curl/8.0'), pair('client.address', `10.0.0.${number % 200}`)],
  };
}

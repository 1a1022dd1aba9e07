/** Every page, on real traces of the quickstart: what is shown is what the API says. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import type { LogList, OperationList, ServiceMap, Stats, TraceList } from '../src/api/types';
import { count, duration } from '../src/format/number';
import type { Trace } from '../src/trace/model';
import { plain } from '../src/trace/value';
import { hurry, plainly, textOf, Visitor } from './browser';
import { metrics } from './made';
import { startSite, startViewer, until, type Viewer } from './viewer';

let viewer: Viewer;
let visitor: Visitor;
let stopSite: () => Promise<void>;

const rows = (page: Page): Promise<number> => page.locator('.rows').first().getAttribute('aria-rowcount').then(Number);
const parameter = (page: Page, name: string): string | null => new URL(page.url()).searchParams.get(name);

beforeAll(async () => {
  viewer = await startViewer();
  const site = await startSite(viewer, 2);
  stopSite = site.stop;
  for (let click = 0; click < 6; click++) await fetch(`${site.url}/home`);
  await viewer.send('/test-trace', {});
  await viewer.otlp('metrics', metrics());
  await until('all traces are whole', async () => {
    const { traces } = await viewer.api<TraceList>('/traces');
    return traces.length === 7 && traces.filter(({ spans }) => spans === 11).length === 6;
  });
  visitor = await Visitor.open(viewer.url);
});

afterAll(async () => {
  await visitor.close();
  await stopSite();
  await viewer.stop();
});

afterEach(async () => expect(await visitor.leave()).toEqual([]));

describe('traces', () => {
  it('are listed as the API has them', async () => {
    const page = await visitor.visit('/');
    const { traces } = await viewer.api<TraceList>('/traces');
    await expect.poll(() => rows(page)).toBe(traces.length);
    for (const [at, trace] of traces.entries()) {
      const row = `#row-${trace.id}`;
      for (const part of [trace.name, duration(trace.duration), `${count(trace.spans)} spans`, trace.error?.message ?? '']) await expect.poll(() => textOf(page, row)).toContain(plainly(part));
      await expect.poll(() => page.locator(row).getAttribute('aria-rowindex')).toBe(String(at + 1));
    }
    const { spans } = await viewer.api<Stats>('/stats');
    await expect.poll(() => textOf(page, '.gauge')).toContain(`${count(spans)} spans`);
  });

  it('are searched, with what was seen to go on with', async () => {
    const page = await visitor.visit('/traces');
    const box = page.getByRole('combobox', { name: 'Search' });
    await page.keyboard.press('/');
    await page.keyboard.type('http.rou');
    // Busy are those for a text that has changed: they cannot be chosen.
    await page.locator('.suggestions[aria-busy=false] li', { hasText: 'http.route=' }).first().waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(() => box.inputValue()).toBe('http.route=');
    await box.fill('http.route=/db error');
    await box.press('Enter');
    const { traces } = await viewer.api<TraceList>(`/traces?q=${encodeURIComponent('http.route=/db error')}`);
    expect(traces.length).toBeGreaterThan(0);
    await expect.poll(() => rows(page)).toBe(traces.length);
    await expect.poll(() => parameter(page, 'q')).toBe('http.route=/db error');
    await page.goBack();
    await expect.poll(() => rows(page)).toBe(7);
  });

  it('are searched for what was typed when the suggestions were sent away', async () => {
    const page = await visitor.visit('/traces');
    await page.getByRole('combobox', { name: 'Search' }).fill('http.rou');
    await page.locator('.suggestions[aria-busy=false] li').first().waitFor();
    await hurry(page, ['ArrowDown', 'Escape', 'Enter']);
    await expect.poll(() => parameter(page, 'q')).toBe('http.rou');
  });

  it('say what is wrong with a search', async () => {
    const page = await visitor.visit('/traces');
    await page.getByRole('combobox', { name: 'Search' }).fill('duration>');
    await expect.poll(() => textOf(page, '.search-wrong')).toContain('a value after >');
  });

  it('that are not there are said to be elsewhere', async () => {
    const page = await visitor.visit('/traces?q=nothing-of-the-kind');
    await page.getByRole('heading', { name: 'No traces here' }).waitFor();
    await page.getByRole('button', { name: 'clear the search' }).last().click();
    await page.locator('.trace-row').first().waitFor();
  });

  it('are searched by a box on the scatter', async () => {
    const page = await visitor.visit('/traces');
    const canvas = page.locator('.scatter canvas');
    const { width = 0, height = 0 } = (await canvas.boundingBox()) ?? {};
    await canvas.dragTo(canvas, { sourcePosition: { x: width / 2, y: 2 }, targetPosition: { x: width - 2, y: height - 18 } });
    await page.waitForURL(/trace.duration/);
    const params = new URL(page.url()).searchParams;
    expect(Number(params.get('to'))).toBeGreaterThan(Number(params.get('from')));
    const { traces } = await viewer.api<TraceList>(`/traces?${params.toString()}`);
    expect(traces.length).toBeGreaterThan(0);
    await expect.poll(() => rows(page)).toBe(traces.length);
  });

  it('come in while one looks, and wait while they are held', async () => {
    const page = await visitor.visit('/traces');
    // What the stream has told, and what the page has asked for.
    await page.addInitScript(() => {
      const heard = { revision: 0, asked: 0 };
      const { EventSource: Stream, fetch: ask } = window;
      window.EventSource = class extends Stream {
        constructor(url: string | URL) {
          super(url);
          // Nobody can look between this and what the page does about it.
          this.addEventListener('tick', ({ data }: MessageEvent<string>) => (heard.revision = (JSON.parse(data) as { revision: number }).revision));
        }
      };
      window.fetch = (...of) => (heard.asked++, ask(...of));
      Object.assign(window, { heard });
    });
    await page.reload();
    const heard = (): Promise<{ revision: number; asked: number }> => page.evaluate(() => (window as unknown as { heard: { revision: number; asked: number } }).heard);
    const { revision } = await viewer.api<Stats>('/stats');
    const { length: before } = (await viewer.api<TraceList>('/traces')).traces;
    await expect.poll(() => rows(page)).toBe(before);
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'go on', pressed: true }).waitFor();
    await visitor.settled(page);
    const { asked } = await heard();
    await viewer.send('/test-trace', {});
    await expect.poll(async () => (await heard()).revision).toBeGreaterThan(revision);
    expect([(await heard()).asked, await rows(page)]).toEqual([asked, before]);
    await page.keyboard.press('p');
    await expect.poll(() => rows(page)).toBe(before + 1);
  });
});

describe('a trace', () => {
  it('is opened by a click and shows each span, and each attribute of a span', async () => {
    const page = await visitor.visit('/traces?q=error');
    const { traces } = await viewer.api<TraceList>('/traces?q=error%20service%3Dquickstart');
    const id = traces[0]?.id ?? '';
    await page.locator(`#row-${id} a`).click();
    await page.waitForURL(new RegExp(`/trace/${id}`));
    const trace = await viewer.api<Trace>(`/traces/${id}`);
    for (const span of trace.spans) await expect.poll(() => textOf(page, `#row-${span.id}`)).toContain(span.name);
    const failed = trace.spans.find(({ kind, message }) => kind === 'client' && message !== '');
    if (!failed) throw new Error('no query failed');
    await page.locator(`#row-${failed.id}`).click();
    const drawer = page.getByRole('complementary', { name: `Span ${failed.name}` });
    for (const [key, value] of failed.attributes) {
      const pair = drawer.locator('.attributes > div', { has: page.getByText(key, { exact: true }) });
      await expect.poll(() => pair.locator('.value').textContent()).toBe(plain(value));
    }
    await expect.poll(() => drawer.locator('.status').textContent()).toContain(failed.message);
    await expect.poll(() => parameter(page, 'span')).toBe(failed.id);
    await drawer.getByRole('button', { name: 'db.system.name', exact: true }).click();
    await expect.poll(() => drawer.locator('.meaning').textContent()).toBe('The kind of database');
  });

  it('that is not kept is said to be gone', async () => {
    const page = await visitor.visit(`/trace/${'9'.repeat(32)}`, { expected: /404/ });
    await page.getByText('is not kept').waitFor();
  });
});

describe('the map', () => {
  it('has each service and each way between them, and leads to what is behind', async () => {
    const page = await visitor.visit('/map');
    const map = await viewer.api<ServiceMap>('/map?last=900');
    const names = (): Promise<string[]> => page.locator('.map-name').allTextContents();
    await expect.poll(async () => (await names()).toSorted()).toEqual(map.nodes.map(({ name }) => name).toSorted());
    await expect.poll(() => page.locator('.map-edge').count()).toBe(map.edges.length);
    await expect.poll(() => page.locator('tbody tr').count()).toBe(map.edges.length);
    const places = (): Promise<(string | null)[][]> => page.locator('.map circle').evaluateAll((discs) => discs.map((disc) => [disc.getAttribute('cx'), disc.getAttribute('cy')]));
    const before = await places();
    expect(before.length).toBeGreaterThanOrEqual(map.nodes.length);
    await page.locator('.map-node', { hasText: 'quickstart' }).click();
    await page.waitForURL(/\/operations\?service=quickstart/);
    await page.goBack();
    await expect.poll(places).toEqual(before);
    await page.locator('tbody a').first().click();
    await page.waitForURL(/\/traces\?q=/);
    await page.locator('.trace-row').first().waitFor();
  });
});

describe('operations', () => {
  it('have the figures of the API, in the order that is asked for', async () => {
    const page = await visitor.visit('/operations');
    const { operations } = await viewer.api<OperationList>('/operations?last=900');
    const table = page.locator('table.list').first();
    const row = (at: number): Promise<string> => table.locator('tbody tr').nth(at).textContent().then((text) => plainly(text ?? ''));
    await expect.poll(() => table.locator('tbody tr').count()).toBe(operations.length);
    for (const [at, { service, name, count: seen, p50, p95, p99 }] of operations.entries()) {
      for (const part of [service, name, count(seen), duration(p50), duration(p95), duration(p99)]) await expect.poll(() => row(at)).toContain(plainly(part));
    }
    await table.getByRole('button', { name: 'p99' }).click();
    const slowest = operations.toSorted((one, other) => (other.p99 ?? 0) - (one.p99 ?? 0))[0];
    await expect.poll(() => row(0)).toContain(slowest?.name);
    await expect.poll(() => table.locator('th[aria-sort]').textContent()).toContain('p99');
  });

  it('show how durations are spread, and the traces behind a part of them, by the keyboard', async () => {
    const page = await visitor.visit('/operations?of=quickstart&name=GET+%2Fhome&as=server');
    const histogram = page.getByRole('group', { name: /^Histogram/ });
    await histogram.focus();
    const bins = await histogram.locator('.bin').count();
    await page.keyboard.press('ArrowRight');
    for (let bin = 1; bin < bins; bin++) await page.keyboard.press('Shift+ArrowRight');
    await expect.poll(() => textOf(page, '.histogram [role=status]')).toContain('6 spans');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/traces\?q=/);
    await expect.poll(() => rows(page)).toBe(6);
  });

  it('have samples of what failed', async () => {
    const page = await visitor.visit('/operations?of=quickstart&name=GET+%2Fdb&as=server');
    await page.locator('.card', { hasText: 'Failed last' }).getByRole('link').first().click();
    await page.waitForURL(/\/trace\/[0-9a-f]{32}\?span=/);
    await page.locator('.drawer .failed').first().waitFor();
  });
});

const CLOCK = /\d\d:\d\d:\d\d/;

describe('live', () => {
  it('has six tiles that move each second, and tells failures as they happen', async () => {
    const page = await visitor.visit('/live');
    await page.locator('.feed tr').first().waitFor();
    await expect.poll(() => page.locator('.tile').count()).toBe(6);
    const second = (): Promise<string | undefined> => textOf(page, '.live > p').then((text) => CLOCK.exec(text)?.[0]);
    await page.locator('.live > p', { hasText: CLOCK }).waitFor();
    const before = await second();
    await expect.poll(second).not.toBe(before);
    const failures = await page.locator('.feed tr').count();
    await viewer.send('/test-trace', {});
    await expect.poll(() => page.locator('.feed tr').count()).toBeGreaterThan(failures);
    await page.locator('.feed a').first().click();
    await page.waitForURL(/\/trace\//);
  });
});

it('the stream ends while nobody looks, and goes on when somebody does', async () => {
  const page = await visitor.visit('/live');
  await page.locator('.live > p', { hasText: CLOCK }).waitFor();
  const look = (hidden: boolean): Promise<void> =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/api/v1/live'));
  await look(true);
  await ended;
  const again = page.waitForRequest((request) => request.url().endsWith('/api/v1/live'));
  await look(false);
  await again;
});

describe('metrics', () => {
  it('are plotted, each instrument by its kind', async () => {
    const page = await visitor.visit('/metrics?service=shop');
    await expect.poll(() => page.locator('.instrument-name').allTextContents()).toEqual(['http.server.request.duration', 'process.memory.usage', 'requests']);
    await page.locator('.plot-box canvas').nth(2).waitFor();
    await expect.poll(() => textOf(page, '.legend')).toContain('/home');
    await expect.poll(() => page.locator('.card', { hasText: 'Buckets' }).locator('tr').count()).toBe(4);
    await page.getByRole('button', { name: /process.memory.usage/ }).click();
    await page.getByText('46.3 MiB').or(page.getByText('46.3\u202fMiB')).first().waitFor();
    await page.getByRole('searchbox').fill('requests');
    await expect.poll(() => page.locator('.instruments li').count()).toBe(1);
  });
});

describe('logs', () => {
  it('are listed and lead to their traces', async () => {
    const page = await visitor.visit('/logs?service=test-stock');
    const { logs } = await viewer.api<LogList>('/logs?service=test-stock');
    const body = plain(logs[0]?.body ?? '');
    await expect.poll(() => rows(page)).toBe(logs.length);
    await expect.poll(() => page.locator('.log-row').first().textContent()).toContain(body);
    await page.locator('.log-row .log-body').first().click();
    await expect.poll(() => page.getByRole('complementary', { name: 'Log line' }).textContent()).toContain(body);
    await page.getByRole('link', { name: /^its trace/ }).click();
    await page.waitForURL(new RegExp(`/trace/${logs[0]?.trace ?? ''}`));
  });
});

describe('the frame', () => {
  it('is used by keys alone', async () => {
    const page = await visitor.visit('/');
    for (const [key, place] of [['2', 'map'], ['3', 'operations'], ['4', 'live'], ['5', 'metrics'], ['6', 'logs'], ['1', 'traces']] as const) {
      await page.keyboard.press(key);
      await page.waitForURL(`**/${place}`);
      await expect.poll(() => textOf(page, 'nav a[aria-current=page]')).toBe(place.replace(/^./, (letter) => letter.toUpperCase()));
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Help' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Help' }).waitFor({ state: 'hidden' });
    await page.locator('.rows').focus();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/trace\//);
    await page.locator('.span-row.row').first().waitFor();
    await page.keyboard.press('Escape');
    await page.waitForURL('**/traces');
  });

  it('keeps service and time from page to page', async () => {
    const page = await visitor.visit('/traces');
    await page.locator('.trace-row').first().waitFor();
    await page.getByRole('combobox', { name: 'Service' }).selectOption('quickstart');
    await page.getByRole('combobox', { name: 'Time' }).selectOption('3600');
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.waitForURL('**/operations?service=quickstart&last=3600');
    const { operations } = await viewer.api<OperationList>('/operations?service=quickstart&last=3600');
    await expect.poll(() => page.locator('table.list tbody tr').count()).toBe(operations.length);
  });

  it('changes its colours and remembers them', async () => {
    const page = await visitor.visit('/traces');
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole('button', { name: /^Colours: system/ }).click();
    await page.getByRole('button', { name: /^Colours: light/ }).click();
    await expect.poll(ground).not.toBe(light);
    await page.reload();
    await page.getByRole('button', { name: /^Colours: dark/ }).waitFor();
    await expect.poll(ground).not.toBe(light);
  });

  it('does not scroll sideways at 360 pixels', async () => {
    for (const path of ['/traces', '/map', '/operations', '/live', '/metrics', '/logs', '/nowhere']) {
      const page = await visitor.visit(path, { viewport: { width: 360, height: 740 } });
      await visitor.settled(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBe(360);
      await page.context().close();
    }
  });
});

it('an empty viewer teaches, and sends a test trace', async () => {
  const empty = await startViewer();
  try {
    const page = await visitor.visit('/', { origin: empty.url, expected: /404/ });
    await page.getByRole('heading', { name: 'No traces yet' }).waitFor();
    const { intake: { grpc } } = await empty.api<Stats>('/stats');
    const snippets = (): Promise<string[]> => page.locator('.snippet pre').allTextContents();
    await expect.poll(async () => (await snippets()).slice(0, 2)).toEqual([empty.intake, grpc].map((address) => `OTEL_EXPORTER_OTLP_ENDPOINT=${address}`));
    await page.getByRole('button', { name: 'send a test trace' }).click();
    await page.waitForURL(/\/trace\/[0-9a-f]{32}/);
    await page.locator('.span-row.row').nth(3).waitFor();
    // It asks for some seconds only, after which the first click counts no more.
    await expect.poll(async () => {
      await page.getByRole('button', { name: /^(clear|really\?)$/ }).click();
      return (await empty.api<Stats>('/stats')).traces;
    }).toBe(0);
    await page.getByRole('link', { name: 'Traces', exact: true }).click();
    await page.getByRole('heading', { name: 'No traces yet' }).waitFor();
    expect(await visitor.leave()).toEqual([]);
  } finally {
    await empty.stop();
  }
});

it('says when the viewer does not answer any more', async () => {
  const leaving = await startViewer();
  const page = await visitor.visit('/live', { origin: leaving.url, expected: /ERR_/ });
  await page.locator('.tile').first().waitFor();
  await leaving.stop();
  await page.getByText('The viewer does not answer').waitFor();
});

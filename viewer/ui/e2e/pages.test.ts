/** Every page, on real traces of the quickstart: what is shown is what the API says. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import type { LogList, OperationList, ServiceMap, Stats, TraceList } from '../src/api/types';
import { count, duration } from '../src/format/number';
import type { Trace } from '../src/trace/model';
import { plain } from '../src/trace/value';
import { textOf, Visitor } from './browser';
import { metrics } from './made';
import { startSite, startViewer, until, type Viewer } from './viewer';

let viewer: Viewer;
let visitor: Visitor;
let stopSite: () => Promise<void>;

const shown = (text: string): string => text.replaceAll('\u202f', ' ');
const rows = (page: Page): Promise<number> => page.locator('.rows').first().getAttribute('aria-rowcount').then(Number);

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
    await page.locator('.trace-row').nth(traces.length - 1).waitFor();
    expect(await rows(page)).toBe(traces.length);
    for (const [at, trace] of traces.entries()) {
      const row = shown((await page.locator(`#row-${trace.id}`).textContent()) ?? '');
      expect(row).toContain(trace.name);
      expect(row).toContain(shown(duration(trace.duration)));
      expect(row).toContain(`${count(trace.spans)} spans`);
      if (trace.error) expect(row).toContain(trace.error.message);
      expect(await page.locator(`#row-${trace.id}`).getAttribute('aria-rowindex')).toBe(String(at + 1));
    }
    expect(await textOf(page, '.gauge')).toContain(`${count((await viewer.api<Stats>('/stats')).spans)} spans`);
  });

  it('are searched, with what was seen to go on with', async () => {
    const page = await visitor.visit('/traces');
    const box = page.getByRole('combobox', { name: 'Search' });
    await page.keyboard.press('/');
    await page.keyboard.type('http.rou');
    await page.locator('.suggestions li', { hasText: 'http.route=' }).first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll('.suggestions li').length <= 2);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await box.inputValue()).toBe('http.route=');
    await box.fill('http.route=/db error');
    await box.press('Enter');
    const { traces } = await viewer.api<TraceList>(`/traces?q=${encodeURIComponent('http.route=/db error')}`);
    await page.waitForFunction((expected) => document.querySelector('.rows')?.getAttribute('aria-rowcount') === String(expected), traces.length);
    expect(new URL(page.url()).searchParams.get('q')).toBe('http.route=/db error');
    expect(traces.length).toBeGreaterThan(0);
    await page.goBack();
    await page.waitForFunction(() => document.querySelector('.rows')?.getAttribute('aria-rowcount') === '7');
  });

  it('say what is wrong with a search', async () => {
    const page = await visitor.visit('/traces');
    await page.getByRole('combobox', { name: 'Search' }).fill('duration>');
    expect(await textOf(page, '.search-wrong')).toContain('a value after >');
  });

  it('that are not there are said to be elsewhere', async () => {
    const page = await visitor.visit('/traces?q=nothing-of-the-kind');
    await page.getByRole('heading', { name: 'No traces here' }).waitFor();
    await page.getByRole('button', { name: 'search for nothing' }).last().click();
    await page.locator('.trace-row').first().waitFor();
  });

  it('are searched by a box on the scatter', async () => {
    const page = await visitor.visit('/traces');
    const box = await page.locator('.scatter canvas').boundingBox();
    if (!box) throw new Error('there is no scatter');
    await page.mouse.move(box.x + box.width / 2, box.y + 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 2, box.y + box.height - 18, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/trace.duration/);
    const params = new URL(page.url()).searchParams;
    expect(Number(params.get('to'))).toBeGreaterThan(Number(params.get('from')));
    const { traces } = await viewer.api<TraceList>(`/traces?${params.toString()}`);
    await page.waitForFunction((expected) => document.querySelector('.rows')?.getAttribute('aria-rowcount') === String(expected), traces.length);
  });

  it('come in while one looks, and wait while they are held', async () => {
    const page = await visitor.visit('/traces');
    await page.locator('.trace-row').first().waitFor();
    const before = await rows(page);
    await page.keyboard.press('p');
    expect(await page.getByRole('button', { name: 'go on' }).getAttribute('aria-pressed')).toBe('true');
    await viewer.send('/test-trace', {});
    await until('a tick has told of it', async () => (await page.evaluate(() => fetch('/api/v1/stats').then((answer) => answer.json() as Promise<{ traces: number }>))).traces === before + 1);
    expect(await rows(page)).toBe(before);
    await page.keyboard.press('p');
    await page.waitForFunction((expected) => document.querySelector('.rows')?.getAttribute('aria-rowcount') === String(expected), before + 1);
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
    await page.locator('.span-row.row').nth(trace.spans.length - 1).waitFor();
    for (const span of trace.spans) expect(await page.locator(`#row-${span.id}`).textContent()).toContain(span.name);
    const failed = trace.spans.find(({ kind, message }) => kind === 'client' && message !== '');
    if (!failed) throw new Error('no query failed');
    await page.locator(`#row-${failed.id}`).click();
    const drawer = page.getByRole('complementary', { name: `Span ${failed.name}` });
    for (const [key, value] of failed.attributes) {
      const pair = drawer.locator('.attributes > div', { has: page.getByText(key, { exact: true }) });
      expect(await pair.locator('.value').textContent()).toBe(plain(value));
    }
    expect(await drawer.locator('.status').textContent()).toContain(failed.message);
    expect(new URL(page.url()).searchParams.get('span')).toBe(failed.id);
    await drawer.getByRole('button', { name: 'db.system.name', exact: true }).click();
    expect(await drawer.locator('.meaning').textContent()).toBe('The kind of database');
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
    await page.locator('.map-node').first().waitFor();
    const names = await page.locator('.map-name').allTextContents();
    expect(names.toSorted()).toEqual(map.nodes.map(({ name }) => name).toSorted());
    expect(await page.locator('.map-edge').count()).toBe(map.edges.length);
    expect(await page.locator('tbody tr').count()).toBe(map.edges.length);
    const before = await page.locator('.map').innerHTML();
    await page.locator('.map-node', { hasText: 'quickstart' }).click();
    await page.waitForURL(/\/operations\?service=quickstart/);
    await page.goBack();
    await page.locator('.map-node').first().waitFor();
    const places = (markup: string): string[] => [...markup.matchAll(/ c[xy]="[^"]+"/g)].map(([place]) => place);
    expect(places(await page.locator('.map').innerHTML())).toEqual(places(before));
    await page.locator('tbody a').first().click();
    await page.waitForURL(/\/traces\?q=/);
    await page.locator('.trace-row').first().waitFor();
  });
});

describe('operations', () => {
  it('have the figures of the API, in the order that is asked for', async () => {
    const page = await visitor.visit('/operations');
    const { operations } = await viewer.api<OperationList>('/operations?last=900');
    await page.locator('tbody tr').first().waitFor();
    const table = page.locator('table.list').first();
    expect(await table.locator('tbody tr').count()).toBe(operations.length);
    const row = async (at: number): Promise<string> => shown((await table.locator('tbody tr').nth(at).textContent()) ?? '');
    for (const [at, operation] of operations.entries()) {
      for (const part of [operation.service, operation.name, count(operation.count), duration(operation.p50), duration(operation.p95), duration(operation.p99)]) expect(await row(at)).toContain(shown(part));
    }
    await table.getByRole('button', { name: 'p99' }).click();
    const slowest = operations.toSorted((one, other) => (other.p99 ?? 0) - (one.p99 ?? 0))[0];
    expect(await row(0)).toContain(slowest?.name);
    expect(await table.locator('th[aria-sort]').textContent()).toContain('p99');
  });

  it('show how durations are spread, and the traces behind a part of them, by the keyboard', async () => {
    const page = await visitor.visit('/operations?of=quickstart&name=GET+%2Fhome&as=server');
    const histogram = page.getByRole('group', { name: /^Histogram/ });
    await histogram.focus();
    const bins = await histogram.locator('.bin').count();
    await page.keyboard.press('ArrowRight');
    for (let bin = 1; bin < bins; bin++) await page.keyboard.press('Shift+ArrowRight');
    expect(await textOf(page, '.histogram [role=status]')).toContain('6 spans');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/traces\?q=/);
    await page.waitForFunction(() => document.querySelector('.rows')?.getAttribute('aria-rowcount') === '6');
  });

  it('have samples of what failed', async () => {
    const page = await visitor.visit('/operations?of=quickstart&name=GET+%2Fdb&as=server');
    await page.locator('.card', { hasText: 'Failed last' }).getByRole('link').first().click();
    await page.waitForURL(/\/trace\/[0-9a-f]{32}\?span=/);
    await page.locator('.drawer .failed').first().waitFor();
  });
});

describe('live', () => {
  it('has six tiles that move each second, and tells failures as they happen', async () => {
    const page = await visitor.visit('/live');
    await page.locator('.feed tr').first().waitFor();
    expect(await page.locator('.tile').count()).toBe(6);
    const before = await textOf(page, '.live > p');
    await page.waitForFunction((text) => document.querySelector('.live > p')?.textContent !== text && document.querySelector('.live > p')?.textContent !== '', before);
    const failures = await page.locator('.feed tr').count();
    await viewer.send('/test-trace', {});
    await page.waitForFunction((many) => document.querySelectorAll('.feed tr').length > many, failures);
    await page.locator('.feed a').first().click();
    await page.waitForURL(/\/trace\//);
  });
});

it('the stream ends while nobody looks, and goes on when somebody does', async () => {
  const page = await visitor.visit('/live');
  await page.locator('.tile').first().waitFor();
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
    await page.locator('.instruments li').nth(2).waitFor();
    expect(await page.locator('.instrument-name').allTextContents()).toEqual(['http.server.request.duration', 'process.memory.usage', 'requests']);
    await page.locator('.plot-box canvas').nth(2).waitFor();
    expect(await textOf(page, '.legend')).toContain('/home');
    expect(await page.locator('.card', { hasText: 'Buckets' }).locator('tr').count()).toBe(4);
    await page.getByRole('button', { name: /process.memory.usage/ }).click();
    await page.getByText('46.3 MiB').or(page.getByText('46.3\u202fMiB')).first().waitFor();
    await page.getByRole('searchbox').fill('requests');
    expect(await page.locator('.instruments li').count()).toBe(1);
  });
});

describe('logs', () => {
  it('are listed and lead to their traces', async () => {
    const page = await visitor.visit('/logs?service=test-stock');
    const { logs } = await viewer.api<LogList>('/logs?service=test-stock');
    await page.locator('.log-row').first().waitFor();
    expect(await rows(page)).toBe(logs.length);
    expect(await page.locator('.log-row').first().textContent()).toContain(plain(logs[0]?.body ?? ''));
    await page.locator('.log-row .log-body').first().click();
    expect(await page.getByRole('complementary', { name: 'Log line' }).textContent()).toContain(plain(logs[0]?.body ?? ''));
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
      expect(await textOf(page, 'nav a[aria-current=page]')).toBe(place.replace(/^./, (letter) => letter.toUpperCase()));
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Help' }).waitFor();
    await page.keyboard.press('Escape');
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
    await page.waitForFunction((expected) => document.querySelector('table.list tbody')?.children.length === expected, operations.length);
  });

  it('changes its colours and remembers them', async () => {
    const page = await visitor.visit('/traces');
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole('button', { name: /^Colours: system/ }).click();
    await page.getByRole('button', { name: /^Colours: light/ }).click();
    expect(await ground()).not.toBe(light);
    await page.reload();
    await page.getByRole('button', { name: /^Colours: dark/ }).waitFor();
    expect(await ground()).not.toBe(light);
  });

  it('does not scroll sideways at 360 pixels', async () => {
    for (const path of ['/traces', '/map', '/operations', '/live', '/metrics', '/logs', '/nowhere']) {
      const page = await visitor.visit(path, { viewport: { width: 360, height: 740 } });
      await page.locator('main > *').first().waitFor();
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
    expect(await textOf(page, '.snippet')).toContain(empty.intake);
    await page.getByRole('button', { name: 'send a test trace' }).click();
    await page.waitForURL(/\/trace\/[0-9a-f]{32}/);
    await page.locator('.span-row.row').nth(3).waitFor();
    await page.getByRole('button', { name: 'clear' }).click();
    await page.getByRole('button', { name: 'really?' }).click();
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

/** What should not happen, and does: odd times, odd addresses, a viewer that refuses, a browser without a clipboard. */

import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { textOf, Visitor } from './browser';
import { hex, spanOf, traceOf } from './made';
import { startViewer, type Viewer } from './viewer';

let viewer: Viewer;
let visitor: Visitor;

/** Its first span began in 1970: somebody forgot to set its time. */
const AGES = traceOf(0xa9e, [spanOf(1, 'forgotten', 0, 1.7e18), spanOf(2, 'GET /now', 1.7e18 - 1e6, 1.7e18, { parent: hex(1, 16) })], { epoch: '0' });
/** Its span took no time at all. */
const NOTHING = traceOf(0xa9f, [spanOf(1, 'instant', 0, 0)]);

const resource = (service: string): unknown => ({ attributes: [{ key: 'service.name', value: { stringValue: service } }] });
const begun = Date.now() - 60_000;
const nano = (seconds: number): string => String(BigInt(begun + seconds * 1000) * 1_000_000n);

beforeAll(async () => {
  viewer = await startViewer();
  for (const trace of [AGES, NOTHING]) await viewer.send('/import', trace);
  visitor = await Visitor.open(viewer.url);
});

afterAll(async () => {
  await visitor.close();
  await viewer.stop();
});

afterEach(async () => expect(await visitor.leave()).toEqual([]));

it('an operation that takes no time has a histogram', async () => {
  const page = await visitor.visit('/operations?last=all&of=shop&name=instant&as=server');
  const bins = page.getByRole('group', { name: /^Histogram/ }).locator('.bin');
  await expect.poll(() => bins.count()).toBe(24);
  await expect.poll(() => textOf(page, '.histogram .scale')).toContain('20 ns');
  await expect.poll(() => bins.first().locator('title').textContent()).toMatch(/^0.ms – 2.00.ns: 1,/);
});

it('the bars that were chosen stay those durations when others come', async () => {
  const wait = (id: number, milliseconds: number): Promise<unknown> => viewer.send('/import', traceOf(id, [spanOf(1, 'wait', 0, milliseconds * 1e6)]));
  await wait(0xaa0, 100);
  const page = await visitor.visit('/operations?last=all&of=shop&name=wait&as=server');
  const histogram = page.getByRole('group', { name: /^Histogram/ });
  const bins = (): Promise<string[]> => histogram.locator('title').allTextContents();
  await expect.poll(async () => (await bins()).length).toBe(24);
  await histogram.focus();
  for (let bin = (await bins()).findIndex((words) => words.includes(': 1,')); bin >= 0; bin--) await page.keyboard.press('ArrowRight');
  const told = (): Promise<string> => textOf(page, '.histogram [role=status]');
  await expect.poll(told).toMatch(/^100 ms – .*: 1 span /);
  await wait(0xaa1, 1);
  await expect.poll(async () => (await bins()).filter((words) => words.includes(': 1,')).length).toBe(2);
  expect(await told()).toMatch(/^100 ms – .*: 1 span /);
});

it('what is told of the last seconds grows old though nothing comes', async () => {
  await viewer.send('/import', traceOf(0xaa2, [spanOf(1, 'past', 0, 1e6)]));
  const page = await visitor.visit('/traces?last=12&q=past');
  await page.locator('.trace-row').waitFor();
  const trace = await visitor.visit(`/trace/${hex(0xaa2, 32)}`);
  const ago = (): Promise<string | undefined> => textOf(trace, '.trace-head time').then((text) => /\d+ s ago/.exec(text)?.[0]);
  await expect.poll(ago).toMatch(/s ago/);
  const before = await ago();
  await expect.poll(ago).not.toBe(before);
  await page.getByRole('heading', { name: 'No traces here' }).waitFor();
});

it('a trace of decades is looked at as closely as one likes', async () => {
  const page = await visitor.visit(`/trace/${AGES.id}?zoom=${1.7e18 - 300}~${1.7e18}`);
  await page.locator('.span-row.row').nth(1).waitFor();
  await expect.poll(() => page.locator('.axis .tick').count()).toBeLessThan(20);
});

it.each(['/traces?from=abc&to=1', '/logs?from=1&to=1e300', '/operations?from=9e18&to=-1'])('%s has a frame around what is wrong', async (path) => {
  const page = await visitor.visit(path, { expected: /400/ });
  await page.getByRole('combobox', { name: 'Time' }).waitFor();
});

it('what was told before all was cleared is not shown after it', async () => {
  const page = await visitor.visit('/live');
  await viewer.send('/test-trace', {});
  await page.locator('.feed tr').first().waitFor();
  const busy = (): Promise<boolean> => page.locator('.tile', { hasText: 'requests' }).first().locator('.spark-line').getAttribute('d').then((line) => /[ML]\d+ (?!20\.00)/.test(line ?? ''));
  await expect.poll(busy).toBe(true);
  await expect.poll(async () => {
    await page.getByRole('button', { name: /^(clear|really\?)$/ }).click();
    return page.locator('.feed tr').count();
  }).toBe(0);
  await expect.poll(busy).toBe(false);
  for (const trace of [AGES, NOTHING]) await viewer.send('/import', trace);
});

it('a stream that was refused is asked for again', async () => {
  const page = await visitor.visit('/nowhere', { expected: /503|EventSource/ });
  await page.route('**/api/v1/live', (route) => route.fulfill({ status: 503, body: '{}' }), { times: 1 });
  await page.goto(`${viewer.url}/live`);
  await page.getByText('The viewer does not answer').waitFor();
  await page.locator('.live > p', { hasText: /\d\d:\d\d:\d\d/ }).waitFor();
  await page.getByText('The viewer does not answer').waitFor({ state: 'hidden' });
});

it.each([['/map', /\/map-/], ['/operations?last=all', /\/uPlot/]] as const)('%s says if a part of its code is gone', async (path, chunk) => {
  const page = await visitor.visit('/traces', { expected: /404|module script/ });
  await page.route(chunk, (route) => route.fulfill({ status: 404, body: '' }));
  await page.goto(`${viewer.url}${path}`);
  await page.getByRole('alert').getByRole('button', { name: 'load the page again' }).first().waitFor();
});

it('is copied where there is no clipboard, as over plain HTTP from another machine', async () => {
  const page = await visitor.visit('/traces');
  await page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined }));
  await page.goto(`${viewer.url}/trace/${NOTHING.id}`);
  const button = page.getByRole('button', { name: 'Copy the trace’s id' });
  await button.click();
  await expect.poll(() => button.getByRole('status').textContent()).toBe('copied');
  const box = page.getByRole('combobox', { name: 'Find in this trace' });
  await box.focus();
  await page.keyboard.press('Control+V');
  await expect.poll(() => box.inputValue()).toBe(NOTHING.id);
});

it('a search that was not made is cleared all the same', async () => {
  const page = await visitor.visit('/traces');
  const box = page.getByRole('combobox', { name: 'Search' });
  for (const text of ['"no end', 'good']) {
    await box.fill(text);
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await expect.poll(() => box.inputValue()).toBe('');
    expect(new URL(page.url()).search).toBe('');
  }
});

it('who leaves the box of another page stays there', async () => {
  const page = await visitor.visit('/map');
  const box = page.getByRole('combobox', { name: 'Search' });
  await box.fill('instant');
  await page.getByRole('link', { name: 'Live' }).focus();
  await visitor.settled(page);
  expect(new URL(page.url()).pathname).toBe('/map');
  await box.press('Enter');
  await page.waitForURL(/\/traces\?q=instant/);
});

it('log lines that are the same are walked one by one, and left by Escape', async () => {
  const timeUnixNano = nano(0);
  const logRecords = [1, 2, 3, 4].map((number) => ({ timeUnixNano, body: { stringValue: 'again' }, attributes: [{ key: 'number', value: { intValue: String(number) } }] }));
  await viewer.otlp('logs', { resourceLogs: [{ resource: resource('echo'), scopeLogs: [{ logRecords }] }] });
  const page = await visitor.visit('/logs?service=echo');
  await page.locator('.log-row').nth(3).waitFor();
  for (const key of ['j', 'Enter', 'j', 'j']) await page.keyboard.press(key);
  await expect.poll(() => textOf(page, '.drawer .attributes')).toContain('number2');
  await expect.poll(() => page.locator('.log-row').nth(2).getAttribute('aria-selected')).toBe('true');
  await page.keyboard.press('Escape');
  await page.locator('.drawer').waitFor({ state: 'hidden' });
});

it('a point between gaps is drawn, also one that came later', async () => {
  const gauge = (of: string, seconds: number): Promise<void> => {
    const attributes = [{ key: 'of', value: { stringValue: of } }];
    const metric = { name: 'gaps', gauge: { dataPoints: [{ timeUnixNano: nano(seconds), asDouble: of === 'often' ? 1 : 2, attributes }] } };
    return viewer.otlp('metrics', { resourceMetrics: [{ resource: resource('gaps'), scopeMetrics: [{ metrics: [metric] }] }] });
  };
  for (const seconds of [0, 10]) await gauge('often', seconds);
  await gauge('seldom', 0);
  const page = await visitor.visit('/metrics?service=gaps&metric=gaps&last=all');
  const dots = (): Promise<number[]> => page.locator('.plot-box canvas').first().evaluate(columnsOf, { colour: 'hue-1' });
  await expect.poll(async () => (await dots()).length).toBe(1);
  for (const seconds of [20, 30, 40]) await gauge('often', seconds);
  await gauge('seldom', 30);
  await expect.poll(async () => (await dots()).length).toBe(2);
});

/** Where a canvas has something of a colour: columns with no other within ten before them, since a dot is a ring. */
function columnsOf(canvas: SVGElement | HTMLElement, { colour }: { colour: string }): number[] {
  const probe = document.createElement('span');
  probe.style.color = `var(--${colour})`;
  document.body.append(probe);
  const shown = canvas as HTMLCanvasElement;
  const copy = Object.assign(document.createElement('canvas'), { width: shown.width, height: shown.height });
  const context = copy.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
  context.fillStyle = getComputedStyle(probe).color;
  context.fillRect(0, 0, 1, 1);
  probe.remove();
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  context.clearRect(0, 0, 1, 1);
  context.drawImage(shown, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  const columns = new Set<number>();
  const near = (one: number | undefined, other: number): boolean => Math.abs((one ?? 0) - other) < 4;
  for (let at = 0; at < data.length; at += 4) if (near(data[at], red) && near(data[at + 1], green) && near(data[at + 2], blue) && near(data[at + 3], 255)) columns.add((at / 4) % copy.width);
  return [...columns].filter((column) => ![...columns].some((other) => other < column && other > column - 10));
}

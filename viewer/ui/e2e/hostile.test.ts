/** Whatever stands in a span is text: payloads in every field, on every page, in a browser that would run them. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import type { TraceList } from '../src/api/types';
import { Visitor } from './browser';
import { hex, hostile, PAYLOADS } from './made';
import { startViewer, type Viewer } from './viewer';

let viewer: Viewer;
let visitor: Visitor;

beforeAll(async () => {
  viewer = await startViewer();
  await viewer.send('/import', hostile());
  const point = { timeUnixNano: String(BigInt(Date.now()) * 1_000_000n), asInt: '1', attributes: PAYLOADS.map((payload) => ({ key: payload, value: { stringValue: payload } })) };
  const list = PAYLOADS.map((payload) => ({ name: payload, unit: payload.slice(0, 40), description: payload, gauge: { dataPoints: [point] } }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: PAYLOADS[1] } }] };
  await viewer.otlp('metrics', { resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: PAYLOADS[0] }, metrics: list }] }] });
  visitor = await Visitor.open(viewer.url);
});

afterAll(async () => {
  await visitor.close();
  await viewer.stop();
});

/** Nothing ran, and there is no element that the page does not make itself. */
async function isHarmless(page: Page, path: string): Promise<void> {
  const foreign = await page.evaluate(() => [...document.querySelectorAll('body script, iframe, img, object, embed, [onerror], [onload], a[href^="javascript"]')].map((element) => element.outerHTML));
  expect(foreign, path).toEqual([]);
  expect(await page.title(), path).not.toBe('owned');
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), path).toBeLessThanOrEqual(0);
}

const id = hex(0xbad, 32);
const paths = [
  '/traces', `/trace/${id}`, ...PAYLOADS.map((_, at) => `/trace/${id}?span=${hex(0xbad0 + at, 16)}`), `/trace/${id}?view=flame`, `/trace/${id}?view=table`,
  `/compare/${id}/${id}`, '/map', '/operations', '/operations?kind=all', '/live', '/metrics', '/logs',
  ...PAYLOADS.map((payload) => `/traces?q=${encodeURIComponent(JSON.stringify(payload))}`), ...PAYLOADS.map((payload) => `/logs?service=${encodeURIComponent(payload)}`),
  `/trace/${id}?find=${encodeURIComponent('"<script>"')}&fold=%3Cscript%3E&zoom=%3Cscript%3E`, `/${encodeURIComponent('<img src=x onerror=alert(1)>')}`,
];

it.each([{ width: 1360, height: 800 }, { width: 360, height: 740 }])('payloads stay text, $width pixels wide', async (viewport) => {
  const page = await visitor.visit('/traces', { viewport });
  for (const path of paths) {
    await page.goto(`${viewer.url}${path}`);
    await visitor.settled(page);
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
    // What is in them is made when they are opened.
    await expect.poll(() => page.locator('details:not(:has(> :nth-child(2)))').count()).toBe(0);
    await isHarmless(page, path);
  }
  expect(await visitor.leave()).toEqual([]);
});

it('payloads are shown as they are', async () => {
  const { traces } = await viewer.api<TraceList>('/traces');
  const page = await visitor.visit(`/trace/${traces[0]?.id ?? ''}`);
  const missing = async (): Promise<string[]> => {
    const names = await page.locator('.span-row.row .name').allTextContents();
    return PAYLOADS.filter((payload) => !names.some((name) => name.endsWith(payload)));
  };
  await expect.poll(missing).toEqual([]);
});

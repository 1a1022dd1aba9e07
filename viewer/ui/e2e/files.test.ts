/** Files that are chosen, or dropped on a page, are taken in and shown. */

import type { Page } from 'playwright-core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Visitor } from './browser';
import { huge, logs, shared } from './made';
import { startViewer, type Viewer } from './viewer';

let viewer: Viewer;
let visitor: Visitor;

beforeEach(async () => {
  viewer = await startViewer();
  visitor = await Visitor.open(viewer.url);
});

afterEach(async () => {
  expect(await visitor.leave()).toEqual([]);
  await visitor.close();
  await viewer.stop();
});

const jaeger = { name: 'jaeger.json', text: JSON.stringify(shared().file) };
const trace = huge(5);
const saved = { name: 'trace.json', text: JSON.stringify(trace) };
const broken = { name: 'broken.json', text: '{"data":' };
const said = { name: 'logs.json', text: JSON.stringify(logs()) };

async function drop(page: Page, files: readonly { readonly name: string; readonly text: string }[]): Promise<void> {
  await page.evaluate((files) => {
    const dataTransfer = new DataTransfer();
    for (const { name, text } of files) dataTransfer.items.add(new File([text], name));
    for (const kind of ['dragover', 'drop']) document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }, files);
}

it('one trace is opened', async () => {
  const page = await visitor.visit('/traces');
  await drop(page, [jaeger]);
  await page.waitForURL(`**/trace/${shared().id}`);
  await expect.poll(() => page.locator('.span-row.row').count()).toBe(4);
});

it('many are all taken, and what is no telemetry is named', async () => {
  const page = await visitor.visit('/live', { expected: /400/ });
  await drop(page, [jaeger, broken, saved]);
  await page.waitForURL('**/traces?last=all');
  await expect.poll(() => page.locator('.trace-row').count()).toBe(2);
  await page.getByText('Not taken: broken.json: ').waitFor();
  await page.getByRole('button', { name: 'dismiss' }).click();
  await expect.poll(() => page.getByText('Not taken').count()).toBe(0);
});

it('they are chosen from the page that teaches, and the same one again', async () => {
  const page = await visitor.visit('/traces', { expected: /400/ });
  const choose = page.getByLabel('Files').last();
  for (const text of [broken.text, said.text]) {
    await choose.setInputFiles({ name: 'logs.json', mimeType: 'application/json', buffer: Buffer.from(text) });
    if (text === broken.text) await page.locator('.import [role=alert]').waitFor();
  }
  await page.waitForURL('**/logs?last=all');
  await expect.poll(() => page.locator('.rows').getAttribute('aria-rowcount')).toBe('40');
});

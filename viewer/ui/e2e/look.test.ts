/** How the pages look, for people's eyes and for those without: screenshots, contrast, names, roles. */

import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tick, TraceList } from '../src/api/types';
import type { Trace } from '../src/trace/model';
import { NARROW, Visitor, WIDE } from './browser';
import { logs, metrics } from './made';
import { startSite, startViewer, until, type Viewer } from './viewer';

/** `SCREENSHOTS=../docs npm run e2e` makes those of the documentation. */
const folder = process.env['SCREENSHOTS'] ?? join(tmpdir(), 'otelhttp-viewer');

const LOOKS = [
  { name: 'light', viewport: WIDE, colorScheme: 'light' },
  { name: 'dark', viewport: WIDE, colorScheme: 'dark' },
  { name: 'narrow', viewport: NARROW, colorScheme: 'light' },
] as const;

let viewer: Viewer;
let visitor: Visitor;
let stopSite: () => Promise<void>;
let clicks: ReturnType<typeof setInterval>;
/** Where each is, and what it shows last. */
let pages: Record<string, readonly [path: string, shown: string]>;

beforeAll(async () => {
  viewer = await startViewer();
  const site = await startSite(viewer, 5, { OTEL_METRIC_EXPORT_INTERVAL: '1000' });
  stopSite = site.stop;
  // Somebody clicks all the time.
  clicks = setInterval(() => void fetch(`${site.url}/home`).catch(() => undefined), 300);
  await viewer.send('/test-trace', {});
  await viewer.otlp('metrics', metrics());
  await viewer.otlp('logs', logs());
  const { traces } = await until('all traces are whole', async () => {
    const list = await viewer.api<TraceList>('/traces');
    return list.traces.filter(({ spans }) => spans === 11).length >= 24 && list;
  });
  await until('all tiles are known', async () => {
    const latest = (await viewer.api<{ ticks: readonly Tick[] }>('/live/history')).ticks.at(-2);
    return latest?.inFlight != null && latest.cpu != null && latest.busy != null;
  });
  const failed = traces.find(({ errors, spans }) => errors > 0 && spans === 11);
  const well = traces.find(({ errors, spans }) => errors === 0 && spans === 11);
  const test = traces.find(({ service }) => service === 'test-shop');
  const { spans } = await viewer.api<Trace>(`/traces/${test?.id ?? ''}`);
  const query = spans.find(({ events, attributes }) => events.length > 0 && attributes.length > 0) ?? spans[0];
  const trace = `/trace/${failed?.id ?? ''}`;
  pages = {
    traces: ['/traces?last=60', '.trace-row'], trace: [trace, '.span-row.row'], span: [`/trace/${test?.id ?? ''}?span=${query?.id ?? ''}`, '.drawer .span-facts'],
    flame: [`${trace}?view=flame`, '.flame-page .note strong'], table: [`${trace}?view=table`, 'main tbody tr'], compare: [`/compare/${failed?.id ?? ''}/${well?.id ?? ''}`, '.compare-row'],
    map: ['/map', '.map-node'], operations: ['/operations', '.detail .plot-box canvas'], live: ['/live', '.feed tr'], metrics: ['/metrics?metric=http.server.request.duration', '.plot-box canvas'],
    logs: ['/logs', '.log-row'], elsewhere: ['/traces?q=nothing-of-the-kind', '.empty'],
  };
  visitor = await Visitor.open(viewer.url);
  await mkdir(folder, { recursive: true });
});

afterAll(async () => {
  clearInterval(clicks);
  await visitor.close();
  await stopSite();
  await viewer.stop();
});


/** What axe finds wrong by WCAG 2.2 A and AA. */
async function wrongs(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (where: Document, options: object) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } };
    return (await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })).violations;
  });
  return violations.flatMap(({ id, nodes }) => nodes.slice(0, 4).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}

describe.each(LOOKS)('$name', ({ name, ...look }) => {
  it('each page is legible and has names for everything', async () => {
    const found: Record<string, string[]> = {};
    for (const [title, [path, shown]] of Object.entries(pages)) {
      const page = await visitor.visit(path, look);
      await page.locator('.gauge meter').waitFor({ state: 'attached' });
      await page.locator(shown).last().waitFor();
      await page.screenshot({ path: join(folder, `${title}-${name}.png`) });
      const here = await wrongs(page);
      if (here.length > 0) found[title] = here;
      await page.context().close();
    }
    expect(found).toEqual({});
    expect(await visitor.leave()).toEqual([]);
  });
});

it('the empty page teaches legibly', async () => {
  const empty = await startViewer();
  try {
    for (const { name, ...look } of LOOKS) {
      const page = await visitor.visit('/', { ...look, origin: empty.url });
      await page.getByRole('heading', { name: 'No traces yet' }).waitFor();
      await page.screenshot({ path: join(folder, `empty-${name}.png`) });
      expect(await wrongs(page)).toEqual([]);
    }
    expect(await visitor.leave()).toEqual([]);
  } finally {
    await empty.stop();
  }
});

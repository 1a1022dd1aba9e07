/** A browser that reports whatever should not happen: errors, warnings, dialogs, and requests to anybody but the viewer. */

import { type Browser, type BrowserContextOptions, chromium, type Page, type Request } from 'playwright-core';
import { expect } from 'vitest';
import { PATIENCE } from './patience';

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const WIDE = { width: 1360, height: 800 };
export const NARROW = { width: 360, height: 740 };

export class Visitor {
  private faults: string[] = [];
  /** What each page has asked for: how often, and what of it has not come. */
  private readonly asked = new WeakMap<Page, { times: number; open: Set<Request> }>();

  private constructor(
    private readonly browser: Browser,
    private readonly origin: string,
  ) {}

  static async open(origin: string): Promise<Visitor> {
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
    return new Visitor(await chromium.launch({ executablePath, args: ARGUMENTS }), origin);
  }

  /** A page of the viewer, in a profile of its own. */
  async visit(path: string, { expected = /^$/, origin = this.origin, ...options }: BrowserContextOptions & { expected?: RegExp; origin?: string } = {}): Promise<Page> {
    const context = await this.browser.newContext({ viewport: WIDE, acceptDownloads: true, permissions: ['clipboard-read', 'clipboard-write'], ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    this.count(page);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) this.faults.push(`${path}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.faults.push(`${path}: ${error.message}`));
    page.on('dialog', (dialog) => {
      this.faults.push(`${path}: a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`${origin}/`) && !/^(data|blob):/.test(request.url())) this.faults.push(`${path}: a request to ${request.url()}`);
    });
    await page.goto(`${origin}${path}`);
    return page;
  }

  private count(page: Page): void {
    const asked = { times: 0, open: new Set<Request>() };
    this.asked.set(page, asked);
    page.on('request', (request) => {
      if (request.isNavigationRequest()) asked.open.clear();
      asked.times++;
      // The stream never ends.
      if (!request.url().endsWith('/live')) asked.open.add(request);
    });
    page.on('requestfinished', (request) => asked.open.delete(request));
    page.on('requestfailed', (request) => asked.open.delete(request));
  }

  /** Waits until a page has all that it asked for, and has drawn it. */
  async settled(page: Page): Promise<void> {
    const asked = this.asked.get(page);
    if (!asked) throw new Error('nobody visits this page');
    await page.locator('main > *').first().waitFor();
    const unsettled = async (): Promise<string[]> => {
      const { times } = asked;
      // What is drawn may ask for more, after the frame.
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
      return asked.times > times ? ['it has asked again'] : [...asked.open].map((request) => request.url());
    };
    await expect.poll(unsettled, { message: `what is waited for at ${page.url()}` }).toEqual([]);
  }

  /** Closes all pages, and tells what has gone wrong on them. */
  async leave(): Promise<string[]> {
    await Promise.all(this.browser.contexts().map((context) => context.close()));
    const { faults } = this;
    this.faults = [];
    return faults;
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}

export function nodes(page: Page): Promise<number> {
  return page.evaluate(() => document.querySelectorAll('*').length);
}

/** The text of an element, with usual blanks. */
export async function textOf(page: Page, selector: string): Promise<string> {
  return plainly((await page.locator(selector).first().textContent()) ?? '');
}

export function plainly(text: string): string {
  return text.replaceAll('\u202f', ' ').replace(/\s+/g, ' ').trim();
}

/** The link of a trace's page that carries the whole trace, as a path. */
export async function linkOf(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'export' }).click();
  await page.getByRole('button', { name: 'Copy a link that carries' }).click();
  let link = '';
  // Not `waitForFunction`, which takes a promise for the truth that it waits for.
  await expect.poll(async () => (link = await page.evaluate(() => navigator.clipboard.readText()))).toContain('/open');
  const { pathname, search, hash } = new URL(link);
  return `${pathname}${search}${hash}`;
}

/** Presses keys in a hurry: no frame is painted between them, so that nothing can rely on one. */
export async function hurry(page: Page, keys: readonly string[]): Promise<void> {
  await page.evaluate(async (all) => {
    for (const key of all) {
      document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
      // As after a key of a keyboard, what waits for the end of its handlers has its turn.
      await Promise.resolve();
    }
  }, keys);
}

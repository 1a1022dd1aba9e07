/** A browser that reports whatever should not happen: errors, warnings, dialogs, and requests to anybody but the viewer. */

import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const WIDE = { width: 1360, height: 800 };
export const NARROW = { width: 360, height: 740 };

export class Visitor {
  private faults: string[] = [];

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
    page.setDefaultTimeout(8000);
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
  return ((await page.locator(selector).first().textContent()) ?? '').replaceAll('\u202f', ' ').replace(/\s+/g, ' ').trim();
}

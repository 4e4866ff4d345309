/**
 * The server's pages in a real browser, and what a camera sees of them. The packages are those of `deploy/test-peers/npm`.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const peers = createRequire(new URL('../../../../../deploy/test-peers/npm/', import.meta.url));
const { chromium } = peers('playwright-core') as { chromium: { launch(options: object): Promise<Browser> } };
const { PNG } = peers('pngjs') as { PNG: { sync: { read(png: Uint8Array): { data: Uint8Array; width: number; height: number } } } };
const { default: jsQR } = peers('jsqr') as {
  default: (data: Uint8ClampedArray, width: number, height: number) => { data: string } | null;
};

export interface Browser {
  newPage(options: object): Promise<Page>;
  close(): Promise<void>;
}

export interface Page {
  on(event: string, listener: (event: { text?(): string; url?(): string; type?(): string }) => void): void;
  goto(url: string): Promise<{ headers(): Record<string, string> } | null>;
  waitForSelector(selector: string): Promise<unknown>;
  screenshot(): Promise<Uint8Array>;
  click(selector: string): Promise<void>;
  inputValue(selector: string): Promise<string>;
  textContent(selector: string): Promise<string | null>;
  evaluate<T>(script: string): Promise<T>;
  close(): Promise<void>;
}

/** A small screen. */
export const PHONE = { viewport: { width: 375, height: 740 }, deviceScaleFactor: 2 };
/** Starts a browser. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
}

/** What fits a page that is in a state. */
export const state = (name: string) => `main[data-state="${name}"]`;

/** A page, and what went wrong or to another server while it was open. */
export async function open(browser: Browser, url: string, options: object = PHONE): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage(options);
  const faults: string[] = [];
  page.on('console', (event) => event.type?.() === 'error' && faults.push(event.text?.() ?? ''));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const asked = request.url?.() ?? '';
    if (!asked.startsWith(new URL(url).origin) && !asked.startsWith('data:')) faults.push(asked);
  });
  const answer = await page.goto(url);
  assert.match(answer?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  return { page, faults };
}

/** What a camera sees. */
export async function scan(page: Page): Promise<string | undefined> {
  const { data, width, height } = PNG.sync.read(await page.screenshot());
  return jsQR(new Uint8ClampedArray(data), width, height)?.data;
}

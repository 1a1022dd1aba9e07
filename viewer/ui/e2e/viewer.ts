/** Real viewers and a real site that is looked at, each a process of its own on ports of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const target = process.env['CARGO_TARGET_DIR'] ?? fileURLToPath(new URL('../../../target', import.meta.url));

export interface Viewer {
  readonly url: string;
  readonly api: <T>(path: string) => Promise<T>;
  readonly send: (path: string, body: unknown) => Promise<unknown>;
  /** To an address of OTLP. */
  readonly otlp: (signal: 'traces' | 'metrics' | 'logs', body: unknown) => Promise<void>;
  readonly intake: string;
  readonly stop: () => Promise<void>;
}

export async function startViewer(): Promise<Viewer> {
  const child = spawn(`${target}/debug/otelhttp-viewer`, ['--listen', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0', '--otlp-grpc', 'off'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url = '', intake = ''] = await printed(child, [/^Open (http:\S+?)\/?$/, /^OTLP over HTTP: (http:\S+)$/]);
  const post = async (address: string, body: unknown): Promise<Response> => {
    const response = await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${address} answered ${response.status}: ${await response.text()}`);
    return response;
  };
  return {
    url,
    intake,
    api: async <T>(path: string) => (await (await fetch(`${url}/api/v1${path}`)).json()) as T,
    send: async (path, body) => {
      const text = await (await post(`${url}/api/v1${path}`, body)).text();
      return text === '' ? undefined : (JSON.parse(text) as unknown);
    },
    otlp: async (signal, body) => void (await post(`${intake}/v1/${signal}`, body)),
    stop: () => stop(child),
  };
}

/** The quickstart, which sends its traces to a viewer. One of so many queries fails. */
export async function startSite(viewer: Viewer, failEvery: number): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const env = { ...process.env, PORT: '0', FAIL_EVERY: String(failEvery), OTEL_EXPORTER_OTLP_ENDPOINT: viewer.intake, OTEL_BSP_SCHEDULE_DELAY: '100' };
  const child = spawn(`${target}/debug/examples/quickstart`, [], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [url = ''] = await printed(child, [/(http:\/\/127\.0\.0\.1:\d+)\/home/]);
  return { url, stop: () => stop(child) };
}

/** What the first line that fits each pattern says. */
async function printed(child: ChildProcess, patterns: readonly RegExp[]): Promise<string[]> {
  if (!child.stdout) throw new Error('no standard output');
  const found: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [, text] = patterns[found.length]?.exec(line) ?? [];
    if (text !== undefined) found.push(text);
    if (found.length === patterns.length) {
      child.stdout.resume();
      return found;
    }
  }
  throw new Error(`${child.spawnfile} ended before it said ${String(patterns[found.length])}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGINT');
  await gone;
}

/** Waits until something holds, at most 20 seconds. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain until ${what}`);
}

/** Real viewers and a real site that is looked at, each a process of its own on ports of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PATIENCE } from './patience';

/** As cargo has it, which was run in the workspace. */
const target = resolve(fileURLToPath(new URL('../../..', import.meta.url)), process.env['CARGO_TARGET_DIR'] ?? 'target');

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
  const { found: [url = '', intake = ''], stop } = await start(
    'otelhttp-viewer', ['--listen', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0', '--otlp-grpc', '127.0.0.1:0'], {}, [/^Open (http:\S+?)\/?$/, /^OTLP over HTTP: (http:\S+)$/],
  );
  const post = (address: string, body: unknown): Promise<Response> => answered(address, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  return {
    url,
    intake,
    api: async <T>(path: string) => (await (await answered(`${url}/api/v1${path}`)).json()) as T,
    send: async (path, body) => {
      const text = await (await post(`${url}/api/v1${path}`, body)).text();
      return text === '' ? undefined : (JSON.parse(text) as unknown);
    },
    otlp: async (signal, body) => void (await post(`${intake}/v1/${signal}`, body)),
    stop,
  };
}

async function answered(address: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(address, init);
  if (!response.ok) throw new Error(`${address} answered ${response.status}: ${await response.text()}`);
  return response;
}

/** The quickstart, which sends its traces to a viewer. One of so many queries fails. */
export async function startSite(viewer: Viewer, failEvery: number, more: Readonly<Record<string, string>> = {}): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const env = { PORT: '0', FAIL_EVERY: String(failEvery), OTEL_EXPORTER_OTLP_ENDPOINT: viewer.intake, OTEL_BSP_SCHEDULE_DELAY: '100', ...more };
  const { found: [url = ''], stop } = await start('examples/quickstart', [], env, [/(http:\/\/127\.0\.0\.1:\d+)\/home/]);
  return { url, stop };
}

interface Started {
  /** What the first line that fits each pattern says. */
  readonly found: readonly string[];
  readonly stop: () => Promise<void>;
}

/** Starts a program of this workspace, and waits until it has said all that is to be known of it. */
async function start(name: string, options: readonly string[], env: Readonly<Record<string, string>>, patterns: readonly RegExp[]): Promise<Started> {
  const file = `${target}/${process.env['PROFILE'] ?? 'debug'}/${name}`;
  if (!existsSync(file)) throw new Error(`there is no ${file}: it is built by ./check`);
  const child = spawn(file, options, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  // Nothing outlives the tests, however they end.
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return { found: await printed(child, patterns), stop: () => stop(child) };
}

async function printed(child: ChildProcess, patterns: readonly RegExp[]): Promise<string[]> {
  const { stdout } = child;
  if (!stdout) throw new Error('no standard output');
  const found: string[] = [];
  const all = new Promise<string[]>((done, failed) => {
    // Read to its end: who is not read may stand still.
    createInterface({ input: stdout }).on('line', (line) => {
      const [, text] = patterns[found.length]?.exec(line) ?? [];
      if (text !== undefined && found.push(text) === patterns.length) done(found);
    }).on('close', () => failed(new Error(`${child.spawnfile} ended before it said ${String(patterns[found.length])}`)));
  });
  return inTime(all, `${child.spawnfile} has not said ${String(patterns)}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGINT');
  await inTime(gone, `${child.spawnfile} does not stop`);
}

async function inTime<T>(work: Promise<T>, problem: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error(problem)), PATIENCE)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Waits until something holds, where no page shows it. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain until ${what}`);
}

/** Files that are chosen, or dropped on the page, are taken in. */

import { upload } from '../api/client';
import type { Imported } from '../api/types';
import { go } from './address';
import { Cell } from './cell';

/** Why some of the files that were dropped last were not taken. */
export const dropProblem = new Cell('');

export function followDrops(): void {
  document.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    void importFiles(files).then((problem) => (dropProblem.value = problem));
  });
}

/** Shows what has come, and returns which of them have not been taken, and why. One after another: each may be as large as may be. */
export async function importFiles(files: readonly File[]): Promise<string> {
  const taken: Imported[] = [];
  const problems: string[] = [];
  for (const file of files) {
    try {
      taken.push(await upload(file));
    } catch (error) {
      problems.push(`${file.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (taken.length > 0) go(addressOf(taken));
  return problems.join('; ');
}

function addressOf(taken: readonly Imported[]): string {
  const traces = new Set(taken.flatMap((each) => each.traces));
  const [only] = traces;
  if (traces.size === 1 && only !== undefined) return `/trace/${only}`;
  if (traces.size > 0) return '/traces?last=all';
  if (taken.some(({ logs }) => logs > 0)) return '/logs?last=all';
  return taken.some(({ points }) => points > 0) ? '/metrics?last=all' : '/traces';
}

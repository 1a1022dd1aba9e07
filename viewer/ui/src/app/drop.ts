/** A file that is dropped on the page is taken in. */

import { Cell } from './cell';
import { importFile } from './store';

/** Why the last file was not taken. */
export const dropProblem = new Cell('');

export function followDrops(): void {
  document.addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    void importFile(file).then((problem) => (dropProblem.value = problem));
  });
}

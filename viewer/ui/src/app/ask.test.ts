import { expect, it } from 'vitest';
import { oneAtATime } from './ask';

it('asks once more for what was asked meanwhile, however often that was', async () => {
  const answers: (() => void)[] = [];
  const ask = oneAtATime(() => new Promise((answered) => answers.push(answered)));
  for (let times = 0; times < 5; times++) ask();
  expect(answers.length).toBe(1);
  answers[0]?.();
  await expect.poll(() => answers.length).toBe(2);
  answers[1]?.();
  await Promise.resolve();
  ask();
  await expect.poll(() => answers.length).toBe(3);
});

it('keeps nothing of the questions before, when there is always another', async () => {
  const MANY = 400_000;
  let left = MANY;
  const before = process.memoryUsage().heapUsed;
  await new Promise<void>((done) => {
    const ask = oneAtATime(async () => {
      await Promise.resolve();
      if (--left > 0) ask();
      else done();
    });
    ask();
  });
  expect((process.memoryUsage().heapUsed - before) / MANY).toBeLessThan(100);
});

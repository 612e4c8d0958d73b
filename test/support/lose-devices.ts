/** Loses a session's device again and again, before, during and after runs, and looks at what comes of it. */
import { expect } from 'vitest';
import type { Session, Tensor } from '../../src/index.ts';

export interface Losses {
  readonly rounds: number;
  readonly losses: number;
  /** Runs that gave a result in spite of it; all of them right. */
  readonly results: number;
}

export async function loseDevices(session: Session, input: Tensor, rounds: number): Promise<Losses> {
  const expected = [...(await session.run(input)).data];
  const memory = session.memory;
  let [losses, results] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const { device } = session;
    if (round % 3 === 0) device.destroy(); // Before: found out at the next run, or in it.
    const running = session.run(input);
    if (round % 3 === 1) setTimeout(() => device.destroy(), round % 7); // During.
    const outcome = await running.then(({ data }) => [...data], (error: unknown) => error);
    if (Array.isArray(outcome)) {
      expect(outcome).toEqual(expected);
      results++;
    } else {
      expect(outcome).toMatchObject({ name: 'CompConvError', code: 'device-lost' });
    }
    if (round % 3 === 2) device.destroy(); // After.
    await device.lost;
    losses++;
    expect([...(await session.run(input)).data]).toEqual(expected);
    results++;
    expect(session.memory).toEqual(memory);
  }
  return { rounds, losses, results };
}

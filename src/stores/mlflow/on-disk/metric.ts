/** The last value of a run's metric in MLflow's file store: lines of `timestamp value step`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The metric by which a run says that it holds a model. */
export const UPLOADED = 'model_uploaded';

/** Whether the run's newest `model_uploaded` is 1. */
export async function isUploaded(runFolder: string): Promise<boolean> {
  const text = await readFile(join(runFolder, 'metrics', UPLOADED), 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const points = lines.map((line) => {
    const [timestamp = 0, value = 0, step = 0] = line.trim().split(/\s+/).map(Number);
    return { timestamp, value, step };
  });
  // As MLflow: the latest is the one of the highest step, then time, then value.
  points.sort((a, b) => a.step - b.step || a.timestamp - b.timestamp || a.value - b.value);
  return points.at(-1)?.value === 1;
}

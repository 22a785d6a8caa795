/** How long the histories of a pull are, run by run: of its root, and of every shard. */
import { Client, Connection } from '@temporalio/client';

/** What the longest of them have. */
export interface HistoryFigures {
  readonly runs: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly rootEvents: number;
}

/** Asks Temporal about all runs that it knows. */
export async function historiesAt(address: string): Promise<HistoryFigures> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const figures = { runs: 0, maxEvents: 0, maxBytes: 0, rootEvents: 0 };
    for await (const { historyLength, historySize = 0, type } of client.workflow.list()) {
      figures.runs += 1;
      figures.maxEvents = Math.max(figures.maxEvents, historyLength);
      figures.maxBytes = Math.max(figures.maxBytes, historySize);
      if (type === 'pull') figures.rootEvents = Math.max(figures.rootEvents, historyLength);
    }
    return figures;
  } finally {
    await connection.close();
  }
}

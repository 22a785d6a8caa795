/** A SQLite database that others write while it is read: every answer is of one moment, and nothing is left beside it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureMlflowVenv } from '../../../src/demo/mlflow-venv.js';
import { openSqlite, type Query } from '../../../src/stores/mlflow/on-disk/sqlite-file.js';
import { cacheFolder } from '../../helpers/cache.js';
import { scratchFolder } from '../../helpers/processes.js';

const LONG_MS = 120_000;

/** Two tables far apart in the file, which every change brings to the same number. */
const MAKE = `
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute('PRAGMA synchronous = OFF')
c.execute('PRAGMA journal_mode = ' + sys.argv[2])
for name in ('one', 'other'):
    c.execute(f'CREATE TABLE {name} (id INTEGER PRIMARY KEY, value INTEGER, filler TEXT)')
    c.executemany(f'INSERT INTO {name} VALUES (?, 0, ?)', ((i, 'x' * 3000) for i in range(60)))
c.commit()
`;

/** Changes all of it, again and again, until its stdin ends; \`argv[2]\`: seconds between two changes. */
const WRITE = `
import sqlite3, sys, threading, time
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
c = sqlite3.connect(sys.argv[1], timeout=60)
c.execute('PRAGMA synchronous = OFF')
c.execute('PRAGMA wal_autocheckpoint = 50')
while not over.is_set():
    c.execute('UPDATE one SET value = value + 1')
    c.execute('UPDATE other SET value = value + 1')
    c.commit()
    print('written', flush=True)
    time.sleep(float(sys.argv[2]))
`;

const ADD = `
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute('PRAGMA synchronous = OFF')
c.execute('PRAGMA wal_autocheckpoint = 0')
c.execute('UPDATE one SET value = value + 1')
c.execute('UPDATE other SET value = value + 1')
c.commit()
`;

let folder: string;
let python: string;

beforeAll(async () => {
  folder = scratchFolder('sqlite');
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  ({ python } = await ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress }));
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(code: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(python, ['-c', code, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

function make(name: string, mode: 'delete' | 'wal'): string {
  const path = join(folder, name);
  run(MAKE, path, mode);
  return path;
}

/** Starts a writer that has written once. */
async function startWriter(path: string, pauseSeconds: number): Promise<ChildProcess> {
  const writer = spawn(python, ['-c', WRITE, path, String(pauseSeconds)]);
  writer.stderr.pipe(process.stderr);
  await once(writer.stdout, 'data');
  writer.stdout.resume();
  return writer;
}

async function end(writer: ChildProcess): Promise<void> {
  const ended = once(writer, 'exit');
  writer.stdin?.end();
  await ended;
}

/** Every value in both tables, once each: one of them where the answer is of one moment. */
const valuesOf = (query: Query): unknown[] =>
  query('SELECT value FROM one UNION SELECT value FROM other').map(({ value }) => value);

describe.each(['delete', 'wal'] as const)('a database in the mode %s', (mode) => {
  it(
    'is of one moment, however it is written, and moves on',
    async () => {
      const path = make(`written-${mode}.db`, mode);
      const writer = await startWriter(path, 0.05);
      try {
        const seen = new Set<unknown>();
        while (seen.size < 10) {
          const file = await openSqlite(path);
          // Of one connection, the later ones too.
          for (let times = 0; times < 5; times += 1) {
            const values = await file.read(valuesOf);
            expect(values).toHaveLength(1);
            seen.add(values[0]);
            await sleep(5);
          }
          file.close();
        }
      } finally {
        await end(writer);
      }
    },
    LONG_MS,
  );

  it(
    'may be locked by somebody who changes nothing',
    async () => {
      const path = make(`locked-${mode}.db`, mode);
      const code =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE'); " +
        "print('locked', flush=True); sys.stdin.read()";
      const holder = spawn(python, ['-c', code, path]);
      await once(holder.stdout, 'data');
      const file = await openSqlite(path);
      expect(await file.read(valuesOf)).toEqual([0]);
      file.close();
      await end(holder);
    },
    LONG_MS,
  );
});

it(
  'pages that were read half-written are forgotten',
  async () => {
    const path = make('torn.db', 'delete');
    const before = readFileSync(path);
    run(ADD, path);
    const after = readFileSync(path);
    writeFileSync(path, before);
    const file = await openSqlite(path);
    let times = 0;
    const values = await file.read((query) => {
      times += 1;
      if (times > 1) return valuesOf(query);
      // Somebody begins: the journal, then the first page, which counts the changes. The others come later.
      writeFileSync(`${path}-journal`, 'a journal with a header');
      writeFileSync(path, Buffer.concat([after.subarray(0, 4096), before.subarray(4096)]));
      const torn = valuesOf(query);
      setTimeout(() => {
        writeFileSync(path, after);
        rmSync(`${path}-journal`);
      }, 150);
      return torn;
    });
    expect([times, values]).toEqual([2, [1]]);
    file.close();
  },
  LONG_MS,
);

it(
  'a journal that somebody left is said, not read over',
  async () => {
    const path = make('left.db', 'delete');
    writeFileSync(`${path}-journal`, 'a journal with a header');
    await expect(openSqlite(path)).rejects.toMatchObject({
      code: 'WB_UNAVAILABLE',
      message: expect.stringContaining('left in the middle of a change'),
    });
  },
  LONG_MS,
);

describe('a write-ahead log', () => {
  it(
    'is read with its database where that lies: nothing is made beside it, and nothing changed',
    async () => {
      const path = make('logged.db', 'wal');
      const holder = await startWriter(path, 600);
      const names = readdirSync(folder);
      const contents = [path, `${path}-wal`].map((one) => readFileSync(one));
      const file = await openSqlite(path);
      expect(await file.read(valuesOf)).toEqual([1]);
      file.close();
      expect(readdirSync(folder)).toEqual(names);
      expect([path, `${path}-wal`].map((one) => readFileSync(one))).toEqual(contents);
      holder.kill('SIGKILL');
      await once(holder, 'exit');
      // A log that nobody holds any more has the last word too.
      const again = await openSqlite(path);
      expect(await again.read(valuesOf)).toEqual([1]);
      again.close();
      expect(readFileSync(path).equals(contents[0] ?? Buffer.alloc(0))).toBe(true);
    },
    LONG_MS,
  );

  it(
    'that is written during every reading is copied with its database, and read then',
    async () => {
      const path = make('busy.db', 'wal');
      const holder = await startWriter(path, 600);
      const file = await openSqlite(path);
      let times = 0;
      const values = await file.read((query) => {
        times += 1;
        const seen = valuesOf(query);
        run(ADD, path);
        return seen;
      });
      expect(times).toBeGreaterThan(1);
      expect(values).toEqual([times]);
      file.close();
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    },
    LONG_MS,
  );
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { capNames, encodeReceipt, howToCheck } from '../../src/manifest/receipt.js';
import { RecordWriter } from '../../src/manifest/digests.js';
import type { ManifestEntry } from '../../src/manifest/manifest.js';
import type { UnitProgress } from '../../src/transfer/api.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import type { SealReport } from '../../src/transfer/seal-tree.js';
import { verifyTree } from '../../src/transfer/verify.js';
import type { VerifyReport } from '../../src/transfer/verify.js';

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'waybill-verify-'));
});
afterEach(() => {
  fs.rmSync(root, { recursive: true });
});

const NAMES = [
  'a',
  'a-b/c',
  'a.d/e',
  'new\nline',
  'qu\'o"te $x',
  '.dot',
  'é',
  'e\u0301',
  '😀/\u{ffee}',
];

function put(path: string, content: string | Buffer = `content of ${path}`): void {
  fs.mkdirSync(dirname(join(root, path)), { recursive: true });
  fs.writeFileSync(join(root, path), content);
}

const seal = (): Promise<SealReport> => sealTree(root, { waybill: '0.0.0' });
const summary = (report: VerifyReport): string[] =>
  report.findings.map(({ kind, path, why }) => `${kind} ${path}: ${why}`);

/** What a finished pull leaves, without a pull. */
function writeReceipt(recordDir: string, paths: readonly string[], rest: object = {}): void {
  const writer = new RecordWriter(() => createHash('sha256'));
  const lines = paths.map((path) => {
    const bytes = fs.readFileSync(join(root, path.replace(/^stale:/, '')));
    const entry: ManifestEntry = {
      path: path.replace(/^stale:/, ''),
      sizeBytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      level: 'size',
      comparedDigests: [],
      attempts: 1,
      ...(path.startsWith('stale:') ? { isStale: true } : {}),
    };
    return writer.add(entry);
  });
  const totals = writer.result();
  fs.mkdirSync(recordDir, { recursive: true });
  fs.writeFileSync(join(recordDir, 'SHA256SUMS'), lines.map((line) => line.sums).join(''));
  fs.writeFileSync(join(recordDir, 'manifest.ndjson'), lines.map((line) => line.manifest).join(''));
  const receipt = encodeReceipt({
    v: 1,
    howToCheck: howToCheck('.waybill'),
    waybill: '0.0.0',
    kind: 'tree',
    counts: { files: totals.files },
    bytes: totals.bytes,
    treeDigest: totals.treeDigest,
    omsDigest: totals.omsDigest,
    manifestDigest: totals.manifestDigest,
    source: { asked: 's3://b/p', resolved: 's3://b/p' },
    destination: root,
    levels: totals.levels,
    stale: capNames([]),
    skipped: { records: capNames([]), special: capNames([]) },
    warnings: [],
    pull: { workflowId: 'w', runId: 'r' },
    startedAt: '2026-01-01T00:00:00Z',
    endedAt: '2026-01-01T00:00:01Z',
    ...rest,
  });
  const name = 'failures' in rest ? 'receipt.partial.json' : 'receipt.json';
  fs.writeFileSync(join(recordDir, name), receipt);
}

describe('seal and verify', () => {
  it('rule 33: a sealed tree with awkward names passes sha256sum --strict -c and verify', async () => {
    for (const name of NAMES) put(name);
    put('empty', '');
    const report = await seal();
    expect(report).toMatchObject({ files: NAMES.length + 1, wasSealed: false, skipped: [] });
    const told = execFileSync('sha256sum', ['--strict', '-c', '.waybill/SHA256SUMS'], {
      cwd: root,
    });
    expect(told.toString().match(/: OK$/gm)).toHaveLength(NAMES.length + 1);
    const sums = fs.readFileSync(join(root, '.waybill/SHA256SUMS'));
    expect(report.treeDigest).toBe(createHash('sha256').update(sums).digest('hex'));
    const verified = await verifyTree(root);
    expect(verified).toMatchObject({ ok: true, state: 'sealed', files: NAMES.length + 1 });
    expect(verified.code).toBeUndefined();
  });

  it('finds a flipped bit, a missing and an extra file, and nothing else', async () => {
    for (const name of NAMES) put(name);
    put('weights.bin', Buffer.alloc(3_000_000, 7));
    await seal();
    const file = fs.openSync(join(root, 'weights.bin'), 'r+');
    fs.writeSync(file, Buffer.from([6]), 0, 1, 2_500_000);
    fs.closeSync(file);
    fs.rmSync(join(root, 'new\nline'));
    put('extra\nfile');
    fs.utimesSync(join(root, 'a'), 1, 1);
    const report = await verifyTree(root);
    expect(summary(report)).toEqual([
      'extra extra\nfile: not in the record',
      'missing new\nline: it is gone',
      expect.stringMatching(/^changed weights.bin: other bytes: SHA-256 [0-9a-f]{64} instead of/),
    ]);
    expect(report).toMatchObject({
      ok: false,
      code: 'WB_LOCAL_DAMAGE',
      counts: { changed: 1, missing: 1, extra: 1, stale: 0 },
    });
  });

  it('a changed time alone is no difference; a quick look compares sizes and reads nothing', async () => {
    put('a', 'abc');
    put('b', 'abc');
    await seal();
    fs.utimesSync(join(root, 'a'), 1, 1);
    fs.writeFileSync(join(root, 'b'), 'abX');
    expect(await verifyTree(root, { isQuick: true })).toMatchObject({ ok: true, bytesHashed: 0 });
    fs.writeFileSync(join(root, 'b'), 'abcd');
    const report = await verifyTree(root, { isQuick: true });
    expect(summary(report)).toEqual(['changed b: 4 bytes instead of 3']);
  });

  it('rule 21: links, folders and FIFOs in the place of a file are differences and never opened', async () => {
    for (const name of ['a', 'b', 'c']) put(name);
    await seal();
    for (const name of ['a', 'b', 'c']) fs.rmSync(join(root, name));
    put('other/a', 'content of a');
    fs.symlinkSync('other/a', join(root, 'a'));
    execFileSync('mkfifo', [join(root, 'b')]);
    fs.mkdirSync(join(root, 'c'));
    expect(summary(await verifyTree(root))).toEqual([
      'changed a: a symbolic link is in its place',
      'changed b: a socket, FIFO, device or folder is in its place',
      'changed c: a socket, FIFO, device or folder is in its place',
      'extra other/a: not in the record',
    ]);
  });

  it('an edited record is noticed and does not hide a change', async () => {
    put('a', 'abc');
    await seal();
    fs.writeFileSync(join(root, 'a'), 'abX');
    const sums = join(root, '.waybill/SHA256SUMS');
    const forged = createHash('sha256').update('abX').digest('hex');
    fs.writeFileSync(sums, `${forged}  a\n`);
    const report = await verifyTree(root);
    expect(report.recordProblems).toEqual([expect.stringMatching(/^SHA256SUMS was changed/)]);
    expect(report.counts.changed).toBe(1);
    fs.writeFileSync(join(root, '.waybill/manifest.ndjson'), '{}\n');
    await expect(verifyTree(root)).rejects.toMatchObject({
      code: 'WB_LOCAL_DAMAGE',
      message: /cannot be relied on: SHA256SUMS was changed.*manifest.ndjson was changed/,
    });
  });

  it('rule 19: no receipt, not complete: verify says what there is instead', async () => {
    put('a');
    await expect(verifyTree(root)).rejects.toMatchObject({
      code: 'WB_NOT_FOUND',
      message: /was not pulled by Waybill and not sealed/,
    });
    put('.waybill/pull.json', '{}');
    await expect(verifyTree(root)).rejects.toThrow(/has not finished: .*waybill status/);
    await expect(verifyTree(join(root, 'nothing'))).rejects.toMatchObject({ code: 'WB_NOT_FOUND' });
  });

  it('tells stale files from extra ones', async () => {
    for (const name of ['a', 'old', 'older', 'x']) put(name);
    const record = join(root, '.waybill');
    writeReceipt(record, ['a', 'stale:old'], { stale: capNames(['older']) });
    const report = await verifyTree(root);
    expect(report.findings.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'stale old',
      'stale older',
      'extra x',
    ]);
    fs.rmSync(join(root, 'x'));
    // The bytes of stale files are nothing to it.
    const bytesHashed = fs.statSync(join(root, 'a')).size;
    const whole = { ok: true, state: 'complete', files: 1, bytesHashed };
    expect(await verifyTree(root)).toMatchObject(whole);
  });

  it('a partial pull is never called whole, even when all that it brought is unchanged', async () => {
    put('a');
    const failures = [{ path: 'b', code: 'WB_NOT_FOUND', message: 'gone' }];
    writeReceipt(join(root, '.waybill'), ['a'], { failures });
    expect(await verifyTree(root)).toMatchObject({
      ok: false,
      code: 'WB_PARTIAL',
      state: 'partial',
      failed: ['b'],
      findings: [],
    });
    fs.rmSync(join(root, '.waybill/SHA256SUMS'));
    fs.rmSync(join(root, '.waybill/manifest.ndjson'));
    await expect(verifyTree(root)).rejects.toMatchObject({
      code: 'WB_PARTIAL',
      message: /is partial: 1 of 2 files failed \("b"\)/,
    });
  });

  it('a single file is verified by the record beside it, also when it is gone', async () => {
    put('model.bin', 'abc');
    put('neighbour');
    writeReceipt(join(root, '.model.bin.waybill'), ['model.bin'], { kind: 'file' });
    expect(await verifyTree(join(root, 'model.bin'))).toMatchObject({ ok: true, kind: 'file' });
    fs.writeFileSync(join(root, 'model.bin'), 'abX');
    expect((await verifyTree(join(root, 'model.bin'))).counts.changed).toBe(1);
    fs.rmSync(join(root, 'model.bin'));
    expect((await verifyTree(join(root, 'model.bin'))).counts.missing).toBe(1);
  });

  it('rule 20: sealing twice answers the same and writes nothing the second time', async () => {
    for (const name of NAMES) put(name);
    const first = await seal();
    const before = fs.statSync(join(root, '.waybill/seal.json'), { bigint: true }).mtimeNs;
    expect(await seal()).toEqual({ ...first, wasSealed: true });
    expect(fs.statSync(join(root, '.waybill/seal.json'), { bigint: true }).mtimeNs).toBe(before);
    put('a', 'other');
    const third = await seal();
    expect(third.wasSealed).toBe(false);
    expect(third.treeDigest).not.toBe(first.treeDigest);
    expect(await verifyTree(root)).toMatchObject({ ok: true });
    expect(fs.readdirSync(join(root, '.waybill')).sort()).toEqual([
      'SHA256SUMS',
      'manifest.ndjson',
      'seal.json',
    ]);
  });

  it('rule 19: sealing a changed tree that was pulled sets the receipt aside first', async () => {
    put('a');
    writeReceipt(join(root, '.waybill'), ['a']);
    expect(await seal()).toMatchObject({ wasSealed: true });
    put('a', 'retrained');
    expect(await seal()).toMatchObject({ wasSealed: false });
    expect(fs.readdirSync(join(root, '.waybill/previous')).sort()).toEqual([
      'SHA256SUMS',
      'manifest.ndjson',
      'receipt.json',
    ]);
    expect(await verifyTree(root)).toMatchObject({ ok: true, state: 'sealed' });
  });

  it('refuses to seal what a pull would refuse, and leaves nothing behind', async () => {
    put('a');
    const refusals: [() => void, string][] = [
      [(): void => put('back\\slash'), 'WB_UNSAFE_PATH'],
      [(): void => put('%2e%2e%2fx'), 'WB_UNSAFE_PATH'],
      [(): void => fs.symlinkSync('/etc/passwd', join(root, 'link')), 'WB_UNSAFE_PATH'],
      [(): void => fs.symlinkSync('nowhere', join(root, 'link')), 'WB_UNSAFE_PATH'],
      [(): void => fs.symlinkSync('.', join(root, 'link')), 'WB_UNSAFE_PATH'],
      [
        (): void =>
          fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), ''),
        'WB_UNSAFE_PATH',
      ],
    ];
    for (const [make, code] of refusals) {
      const before = fs
        .readdirSync(root, { encoding: 'buffer' })
        .map((name) => name.toString('hex'));
      make();
      await expect(seal()).rejects.toMatchObject({ code });
      for (const name of fs.readdirSync(root, { encoding: 'buffer' })) {
        if (before.includes(name.toString('hex'))) continue;
        expect(name.toString()).not.toBe('.waybill');
        fs.rmSync(Buffer.concat([Buffer.from(`${root}/`), name]));
      }
    }
    await expect(sealTree(join(root, 'a'), { waybill: '0' })).rejects.toMatchObject({
      code: 'WB_USAGE',
    });
    fs.rmSync(join(root, 'a'));
    await expect(seal()).rejects.toThrow(/has no file to seal/);
  });

  it('rules 23 and 24: records below the root and special files are left out and named', async () => {
    put('a');
    put('sub/.Waybill/receipt.json');
    execFileSync('mkfifo', [join(root, 'pipe')]);
    fs.symlinkSync('a', join(root, 'link'));
    const report = await seal();
    expect(report.skipped).toEqual(['pipe', 'sub/.Waybill']);
    expect(report.files).toBe(2);
  });

  it('refuses to seal while a pull is at work', async () => {
    put('a');
    put('.waybill/owner.json', '{}');
    await expect(seal()).rejects.toMatchObject({ code: 'WB_DESTINATION_OWNED' });
  });

  it('many files keep their order over threads, with progress that reaches the end', async () => {
    for (let index = 0; index < 500; index += 1) put(`d${index % 7}/f${index}`);
    const progress: UnitProgress = {
      phase: 'listing',
      name: '',
      filesDone: 0,
      filesTotal: 0,
      bytesDone: 0,
      bytesTotal: 0,
      heldMs: 0,
    };
    const { bytes } = await sealTree(root, { waybill: '0', progress });
    expect([progress.filesDone, progress.bytesDone]).toEqual([500, bytes]);
    execFileSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], { cwd: root });
    expect(await verifyTree(root, { progress })).toMatchObject({ ok: true, bytesHashed: bytes });
  });

  it('stops within the file when the signal aborts', async () => {
    put('big', Buffer.alloc(64));
    fs.truncateSync(join(root, 'big'), 1_000_000_000_000);
    const stop = new AbortController();
    const started = performance.now();
    setTimeout(() => {
      stop.abort(new Error('stopped by the test'));
    }, 200);
    await expect(sealTree(root, { waybill: '0', signal: stop.signal })).rejects.toThrow(
      'stopped by the test',
    );
    // The whole of it takes many minutes.
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(fs.readdirSync(root)).toEqual(['big']);
  });
});

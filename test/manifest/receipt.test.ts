import { describe, expect, it } from '@jest/globals';
import {
  capNames,
  decodeReceipt,
  encodeReceipt,
  howToCheck,
  recordFolderBeside,
} from '../../src/manifest/receipt.js';
import type { Receipt } from '../../src/manifest/receipt.js';

const SHA = '0123456789abcdef'.repeat(4);

const receipt: Receipt = {
  v: 1,
  howToCheck: howToCheck('.waybill'),
  waybill: '0.1.0',
  kind: 'tree',
  counts: { files: 3, filesFetched: 2, filesKept: 1, filesFailed: 0 },
  bytes: 12,
  bytesFetched: 8,
  treeDigest: SHA,
  omsDigest: null,
  manifestDigest: SHA,
  source: { asked: 'models:/churn@champion', resolved: 's3://bucket/1', revision: '3' },
  destination: '/srv/model',
  levels: { published: 2, size: 1 },
  stale: capNames([]),
  skipped: { records: capNames(['sub/.waybill/x']), special: capNames([]) },
  warnings: [],
  pull: { workflowId: 'w', runId: 'r' },
  startedAt: '2026-01-02T03:04:05.000Z',
  endedAt: '2026-01-02T03:05:05.000Z',
};

describe('the receipt', () => {
  it('rule 33: says in a sentence how to check the tree with sha256sum alone', () => {
    const written = encodeReceipt(receipt);
    expect(written.split('\n')[2]).toContain('sha256sum --strict -c .waybill/SHA256SUMS');
    expect(decodeReceipt(written, 'receipt.json')).toEqual(receipt);
    expect(howToCheck(recordFolderBeside("it's big.bin"))).toContain(
      `sha256sum --strict -c '.it'\\''s big.bin.waybill'/SHA256SUMS`,
    );
  });

  it('names the field that is damaged, and a format that is newer', () => {
    const edited = encodeReceipt(receipt).replace(`"treeDigest": "${SHA}"`, '"treeDigest": "x"');
    expect(() => decodeReceipt(edited, 'receipt.json')).toThrow(
      /receipt.json is damaged: treeDigest/,
    );
    expect(() => decodeReceipt('{"v":1', 'receipt.json')).toThrow(/cut or edited/);
    const newer = encodeReceipt(receipt).replace('"v": 1', '"v": 2');
    expect(() => decodeReceipt(newer, 'receipt.json')).toThrow(
      expect.objectContaining({ code: 'WB_VERSION_SKEW' }),
    );
  });

  it('lists at most a thousand names and counts them all', () => {
    const capped = capNames(Array.from({ length: 1_500 }, (_, index) => `f${index}`));
    expect([capped.count, capped.first.length]).toEqual([1_500, 1_000]);
  });
});

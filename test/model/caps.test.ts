import { describe, expect, it } from '@jest/globals';
import { capResult, cutSummary, cutText, utf8Bytes } from '../../src/model/caps.js';
import { resultWithout } from '../../src/model/ended.js';

describe('caps', () => {
  it('rule 29: texts are cut at a character', () => {
    expect(cutText('short', 10)).toBe('short');
    const cut = cutText('🗄'.repeat(500), 400);
    expect(utf8Bytes(cut)).toBeLessThanOrEqual(400);
    expect(cut).toMatch(/^(🗄)+…$/u);
  });

  it('rule 29: a summary is cut to what is left of 400 bytes, its quotes and escapes counted', () => {
    expect(cutSummary('short')).toBe('short');
    for (const text of ['🗄'.repeat(500), '"'.repeat(900), '\u0001'.repeat(900), 'x"'.repeat(300)]) {
      const bytes = utf8Bytes(JSON.stringify(cutSummary(text)));
      expect(bytes).toBeLessThanOrEqual(260);
      expect(bytes).toBeGreaterThan(240);
    }
  });

  it('rule 29: a result stays under 2 KiB, with its counts whole', () => {
    const failure = {
      path: 'ä'.repeat(4_000),
      code: 'WB_NOT_FOUND' as const,
      message: 'm'.repeat(5_000),
    };
    const result = capResult({
      ...resultWithout('WB_PARTIAL', 'x'.repeat(9_000), `/${'d'.repeat(300)}`, undefined),
      failures: Array.from({ length: 5_000 }, () => failure),
      filesFailed: 5_000,
      warnings: Array.from({ length: 100 }, () => 'w'.repeat(1_000)),
      treeDigest: 'a'.repeat(64),
      omsDigest: 'b'.repeat(64),
    });
    expect(utf8Bytes(JSON.stringify(result))).toBeLessThan(2_048);
    expect(result.filesFailed).toBe(5_000);
    expect(result.failures.length).toBeGreaterThan(0);
  });
});

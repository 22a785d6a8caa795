import { describe, expect, it } from '@jest/globals';
import { parseListPage } from '../../../src/stores/s3/list-page.js';

const TIME = '<LastModified>2026-01-02T03:04:05.678Z</LastModified>';
const minio = (key: string): string =>
  `<Contents><Key>${key}</Key>${TIME}<ETag>&#34;0123-2&#34;</ETag><Size>7</Size>` +
  '<StorageClass>STANDARD</StorageClass></Contents>';
const aws = (key: string): string =>
  `<Contents><Key>${key}</Key>${TIME}<ETag>&quot;ab&quot;</ETag>` +
  '<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>' +
  '<Size>8</Size><Owner><ID>me</ID><DisplayName/></Owner></Contents>';
const owned = (key: string): string =>
  `<Contents><Key>${key}</Key>${TIME}<ETag>"ab"</ETag><Size>x</Size>` +
  '<Owner><ID></ID><DisplayName>me</DisplayName></Owner></Contents>';

const HEAD = '<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3"><Prefix>p/</Prefix>';
const page = (inner: string): string =>
  `${HEAD}<EncodingType>url</EncodingType>${inner}</ListBucketResult>`;
const MORE =
  '<IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>';
const FOLDER = '<CommonPrefixes><Prefix>p/a%2Bb/</Prefix></CommonPrefixes>';

/** With a comment in it a page is read by the parser alone. */
const byParserAlone = (xml: string): unknown =>
  parseListPage(xml.replace('<Prefix>', '<!-- no --><Prefix>'));

describe('a page of a listing', () => {
  it.each<readonly [string, string]>([
    ['of MinIO', page(minio('p/1') + minio('p/a+b%20c') + MORE)],
    ['of AWS', page(MORE + aws('p/1') + aws('p/%C3%A9'))],
    ['with owners, a size that is none, and folders', page(owned('p/1') + owned('p/2') + FOLDER)],
    ['with folders between its objects', page(minio('p/1') + FOLDER + minio('p/2'))],
    ['with a key in entities', page(minio('p/1') + minio('p/&lt;2') + minio('p/3'))],
    ['with a weak ETag', page(minio('p/1').replace('&#34;', 'W/&#34;') + minio('p/2'))],
    ['with a field that nobody knows', page(aws('p/1').replace('<Size>', '<New>1</New><Size>'))],
    ['with objects that lie deeper', page(`<Deep>${minio('p/1')}${minio('p/2')}</Deep>`)],
    ['with attributes', page(`<Contents a="b"><Key>p/0</Key></Contents>${minio('p/1')}`)],
    ['that is empty', page('')],
    ['of one object that is empty', page('<Contents></Contents>')],
    ['that was cut', page(minio('p/1')).slice(0, -8)],
    ['that was cut in an object', page(minio('p/1') + minio('p/2')).slice(0, -60)],
    ['that is none', `<html><Prefix/>${minio('p/1')}</html>`],
  ])('says the same read by its usual shape: %s', (_title, xml) => {
    expect(parseListPage(xml)).toEqual(byParserAlone(xml));
  });

  it('has its objects, decoded', () => {
    expect(parseListPage(page(minio('p/a+b%20c') + FOLDER + MORE))).toEqual({
      objects: [
        { key: 'p/a b c', sizeBytes: 7, modifiedAt: '2026-01-02T03:04:05.678Z', etag: '0123-2' },
      ],
      prefixes: ['p/a+b/'],
      isTruncated: true,
      nextToken: 't&1',
    });
  });
});

/** What the store reads without a server: addresses, configurations, mount tables, tokens, and the order of names. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { compareByBytes } from '../../../src/model/object-path.js';
import { localNameOfHdfs, parseHdfsUri } from '../../../src/stores/hdfs/address.js';
import { readHdfsConfig } from '../../../src/stores/hdfs/config.js';
import { hdfs } from '../../../src/stores/hdfs/index.js';
import { InByteOrder } from '../../../src/stores/hdfs/in-byte-order.js';
import { readMountTable } from '../../../src/stores/hdfs/mounts.js';
import { findNameService } from '../../../src/stores/hdfs/name-service.js';
import { readSite, siteOf, type Site } from '../../../src/stores/hdfs/site.js';
import { parseTokens, tokenFor, urlStringOf } from '../../../src/stores/hdfs/tokens.js';
import { closedPort } from '../../helpers/fault-proxy.js';
import { siteXml } from '../../helpers/hadoop-conf.js';

const site = (values: Readonly<Record<string, string>>): Site =>
  siteOf(new Map(Object.entries(values)), '/conf (HADOOP_CONF_DIR)');

const endpointsOf = (uri: string, values: Readonly<Record<string, string>> = {}): string[] => [
  ...findNameService(parseHdfsUri(uri), site(values)).endpoints,
];

describe('an address', () => {
  it.each([
    ['hdfs://nn:8020/a/b', 'nn:8020', '/a/b', false],
    ['hdfs://ns1/a//b/', 'ns1', '/a/b', true],
    ['hdfs:///a%20b?c#d', '', '/a%20b?c#d', false],
    ['hdfs:/models', '', '/models', false],
    ['webhdfs://nn', 'nn', '/', true],
    ['viewfs://cluster/data', 'cluster', '/data', false],
    ['hdfs://[::1]:8020/x', '[::1]:8020', '/x', false],
  ])('%s', (uri, authority, path, isFolder) => {
    expect(parseHdfsUri(uri)).toMatchObject({ authority, path, isFolder });
  });

  it.each([
    'hdfs:',
    'hdfs://n n/x',
    'hdfs://nn/a/../b',
    'hdfs://nn/./b',
    's3://b/x',
    'hdfs://nn:x/',
  ])('%s is none', (uri) => {
    if (uri === 'hdfs:') expect(parseHdfsUri(uri).path).toBe('/');
    else expect(() => parseHdfsUri(uri)).toThrow(/WB_USAGE|address|segment/);
  });

  it('gives the folder its name', () => {
    expect(localNameOfHdfs('hdfs://nn/models/churn/')).toBe('churn');
    expect(localNameOfHdfs('hdfs://nn:8020/')).toBe('nn');
    expect(localNameOfHdfs('hdfs:///')).toBeUndefined();
  });
});

describe('name nodes', () => {
  it.each([
    ['hdfs://nn/x', {}, ['http://nn:9870']],
    ['hdfs://nn:8020/x', {}, ['http://nn:9870']],
    ['hdfs://nn:9870/x', {}, ['http://nn:9870']],
    ['hdfs://nn/x', { 'dfs.http.policy': 'HTTPS_ONLY' }, ['https://nn:9871']],
    ['webhdfs://nn/x', {}, ['http://nn:9870']],
    ['webhdfs://nn:14000/x', {}, ['http://nn:14000']],
    ['swebhdfs://nn/x', {}, ['https://nn:9871']],
    [
      'hdfs://nn:9000/x',
      { 'dfs.namenode.rpc-address': 'nn:9000', 'dfs.namenode.http-address': '0.0.0.0:50070' },
      ['http://nn:50070'],
    ],
    [
      'hdfs://nn:9000/x',
      { 'fs.defaultFS': 'hdfs://nn:9000', 'dfs.namenode.http-address': 'web:1' },
      ['http://web:1'],
    ],
    // Of another cluster than that of the configuration.
    [
      'hdfs://far:9000/x',
      { 'fs.defaultFS': 'hdfs://nn:9000', 'dfs.namenode.http-address': 'web:1' },
      ['http://far:9870'],
    ],
    [
      'hdfs://b:8020/x',
      {
        'dfs.nameservices': 'ns1',
        'dfs.ha.namenodes.ns1': 'one,two',
        'dfs.namenode.rpc-address.ns1.two': 'b:8020',
        'dfs.namenode.http-address.ns1.two': 'b:1234',
      },
      ['http://b:1234'],
    ],
  ])('of %s', (uri, values, expected) => {
    expect(endpointsOf(uri, values)).toEqual(expected);
  });

  const HA = {
    'dfs.nameservices': 'ns1, ns2',
    'dfs.ha.namenodes.ns1': 'one, two',
    'dfs.namenode.http-address.ns1.one': '${host.one}:9870',
    'host.one': 'a',
    'dfs.namenode.rpc-address.ns1.two': 'b:8020',
    'dfs.namenode.https-address.ns1.one': 'a:9871',
    'dfs.namenode.https-address.ns1.two': 'b:9871',
  };

  it('of a name service are all of its name nodes', () => {
    expect(endpointsOf('hdfs://ns1/x', HA)).toEqual(['http://a:9870', 'http://b:9870']);
    expect(endpointsOf('webhdfs://ns1/x', HA)).toEqual(['http://a:9870', 'http://b:9870']);
    expect(endpointsOf('swebhdfs://ns1/x', HA)).toEqual(['https://a:9871', 'https://b:9871']);
  });

  it('of a name service without any say what is missing', () => {
    expect(() => endpointsOf('hdfs://ns2/x', HA)).toThrow(
      /ns2 has no name nodes: .*HADOOP_CONF_DIR.*dfs\.namenode\.http-address\.ns2/,
    );
  });
});

describe('a mount table', () => {
  const TABLE = {
    'fs.viewfs.mounttable.c.link./data': 'hdfs://ns/real',
    'fs.viewfs.mounttable.c.link./data/deep': 'hdfs://other:8020/',
    'fs.viewfs.mounttable.c.link./lake': 's3a://bucket/x',
  };

  it('leads to the file systems, the longest link first', () => {
    const mounts = readMountTable('c', site(TABLE));
    expect(mounts.locate('/data/a/b')).toMatchObject({ kind: 'there', path: '/real/a/b' });
    expect(mounts.locate('/data/deep/a')).toMatchObject({ kind: 'there', path: '/a' });
    expect(mounts.locate('/database')).toEqual({ kind: 'nowhere' });
    expect(mounts.locate('/')).toEqual({ kind: 'table', names: ['data', 'lake'] });
    expect(mounts.locate('/lake/y')).toMatchObject({
      kind: 'elsewhere',
      mount: { target: 's3a://bucket/x' },
    });
  });

  it('with a fallback has something everywhere', () => {
    const values = { ...TABLE, 'fs.viewfs.mounttable.c.linkFallback': 'hdfs://ns/all' };
    const mounts = readMountTable('c', site(values));
    expect(mounts.locate('/home/x')).toMatchObject({ kind: 'there', path: '/all/home/x' });
  });

  it('that is not there says so', () => {
    expect(() => readMountTable('d', site(TABLE))).toThrow(
      /mount table of viewfs:\/\/d is not known/,
    );
  });
});

describe('the configuration of Hadoop', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-hdfs-site-'));
    await writeFile(
      join(folder, 'core-site.xml'),
      `<?xml version="1.0"?><configuration xmlns:xi="http://www.w3.org/2001/XInclude">
        <xi:include href="mounts.xml"/>
        <property><name>fs.defaultFS</name><value>hdfs://\${name}:8020/</value><final>true</final></property>
        <property><name>name</name><value> nn&#45;1 </value></property>
      </configuration>`,
    );
    await writeFile(join(folder, 'mounts.xml'), siteXml({ 'from.include': 'a<b' }));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is read with what it includes and refers to', async () => {
    const read = await readSite({ HADOOP_CONF_DIR: folder });
    expect(read.get('fs.defaultFS')).toBe('hdfs://nn-1:8020/');
    expect(read.get('from.include')).toBe('a<b');
    const address = { uri: 'hdfs:///x', settings: { HADOOP_CONF_DIR: folder }, secrets: {} };
    expect((await readHdfsConfig(address)).root).toBe('hdfs://nn-1:8020/x');
  });

  it('that is not there, or is none, is named', async () => {
    const missing = { HADOOP_CONF_DIR: join(folder, 'nowhere') };
    await expect(readSite(missing)).rejects.toThrow(/HADOOP_CONF_DIR.*neither core-site.xml/);
    await writeFile(join(folder, 'hdfs-site.xml'), '<configuration><property>');
    await expect(readSite({ HADOOP_CONF_DIR: folder })).rejects.toThrow(
      /hdfs-site.xml.*no configuration of Hadoop/,
    );
    await rm(join(folder, 'hdfs-site.xml'));
  });

  it('without a default file system wants one', async () => {
    const address = { uri: 'hdfs:///x', settings: {}, secrets: {} };
    await expect(readHdfsConfig(address)).rejects.toThrow(/HADOOP_CONF_DIR|fs\.defaultFS/);
  });
});

describe('who asks', () => {
  const read = (
    settings: Readonly<Record<string, string>>,
    secrets: Readonly<Record<string, string>> = {},
    uri = 'webhdfs://nn/x',
  ) => readHdfsConfig({ uri, settings, secrets }).then(({ identity }) => identity);

  it('is who is typed, else who the environment names', async () => {
    const settings = { HADOOP_USER_NAME: 'ada' };
    expect((await read(settings, { username: 'bob' })).query).toEqual({ 'user.name': 'bob' });
    expect((await read(settings)).query).toEqual({ 'user.name': 'ada' });
    expect((await read({ MLFLOW_KERBEROS_USER: 'eve' })).query).toEqual({ 'user.name': 'eve' });
    expect((await read({ ...settings, WAYBILL_HDFS_IDENTITY: 'none' })).query).toEqual({});
  });

  it('sends no password where it could be read on its way', async () => {
    const secrets = { WAYBILL_HDFS_PASSWORD: 'geheim' };
    const settings = { HADOOP_USER_NAME: 'ada' };
    await expect(read(settings, secrets)).rejects.toThrow(
      /WAYBILL_HDFS_PASSWORD.*http:\/\/nn:9870/,
    );
    const identity = await read(settings, secrets, 'swebhdfs://nn/x');
    expect(identity.headers).toEqual({ authorization: 'Basic YWRhOmdlaGVpbQ==' });
    const gateway = { ...settings, WAYBILL_HDFS_URL: 'https://knox:8443/gateway/default/' };
    expect((await read(gateway, secrets)).kind).toBe('password');
  });

  it('shows a token alone', async () => {
    const identity = await read({ HADOOP_USER_NAME: 'ada' }, { HADOOP_TOKEN: 'KAAEcm9vdAQ' });
    expect(identity).toMatchObject({ kind: 'token', query: { delegation: 'KAAEcm9vdAQ' } });
    await expect(read({}, { WAYBILL_HDFS_TOKEN: 'no token' })).rejects.toThrow(
      /WAYBILL_HDFS_TOKEN/,
    );
  });
});

it('rule 3: a server that cannot be reached is told without the token that it would have got', async () => {
  const token = 'KAAEcm9vdAQyb290AIoBk';
  const port = await closedPort();
  const store = await hdfs.open({
    uri: `webhdfs://127.0.0.1:${port}/x`,
    settings: {},
    secrets: { HADOOP_TOKEN: token },
  });
  const error: unknown = await store.stat('').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true, scope: 'source' });
  expect(String(error)).toContain(String(port));
  expect(String(error)).not.toContain(token);
  await store.close();
});

describe('a file of tokens', () => {
  const text = (value: string): Buffer => Buffer.from(value);
  const withLength = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(number << 3) | 2]), withLength(bytes)]);
  // Longer than a length of one byte says.
  const long = Buffer.alloc(200, 7);
  const KIND = text('HDFS_DELEGATION_TOKEN');
  const SERVICE = text('ha-hdfs:ns1');
  const writable = Buffer.concat([
    text('HDTS\0'),
    Buffer.from([1]),
    withLength(text('alias')),
    Buffer.from([0x8f, 200]),
    long,
    ...[text('pw'), KIND, SERVICE].map(withLength),
    Buffer.from([0]),
  ]);
  const inner = Buffer.concat([
    field(1, text('id')),
    field(2, text('pw')),
    field(3, KIND),
    field(4, SERVICE),
  ]);
  const proto = field(1, Buffer.concat([field(1, text('alias')), field(2, inner)]));
  const protobuf = Buffer.concat([text('HDTS\x01'), withLength(proto)]);

  it('is read in both forms, and gives what a name node takes', async () => {
    const [token] = parseTokens(writable) ?? [];
    expect(token).toMatchObject({ identifier: long, service: 'ha-hdfs:ns1' });
    expect(parseTokens(protobuf)).toEqual([
      {
        identifier: text('id'),
        password: text('pw'),
        kind: KIND.toString(),
        service: 'ha-hdfs:ns1',
      },
    ]);
    const ns1 = findNameService(
      parseHdfsUri('hdfs://ns1/x'),
      site({ 'dfs.ha.namenodes.ns1': 'a', 'dfs.namenode.rpc-address.ns1.a': 'a:8020' }),
    );
    const found = Buffer.from(await tokenFor(token ? [token] : [], [ns1], 'f'), 'base64url');
    // As it stands in the file, behind the alias.
    expect(found).toEqual(writable.subarray(12, -1));
    expect(urlStringOf({ identifier: text('id'), password: text(''), kind: '', service: '' })).toBe(
      'AmlkAAAA',
    );
  });

  it('for somebody else says whom it is for, and sends nothing', async () => {
    const nn = findNameService(parseHdfsUri('hdfs://127.0.0.1:8020/x'), site({}));
    await expect(tokenFor(parseTokens(protobuf) ?? [], [nn], '/t')).rejects.toThrow(
      /no token for hdfs:\/\/127.0.0.1:8020: it has HDFS_DELEGATION_TOKEN for ha-hdfs:ns1/,
    );
  });

  it('cut short, or of another kind, is none', () => {
    expect(parseTokens(writable.subarray(0, 60))).toBeUndefined();
    expect(parseTokens(text('{"token":1}'))).toBeUndefined();
  });
});

it('names come out in byte order, although HDFS sorts every letter beyond ASCII first', () => {
  const names = [
    '模',
    'é',
    'éa',
    '.hidden',
    '0',
    'a',
    'aé',
    'aéb',
    'aa',
    'ab',
    'ab.txt',
    'ab0',
    'z',
  ];
  const signed = (a: string, b: string): number => {
    const [left, right] = [a, b].map((name) => [...Buffer.from(name)].map((byte) => byte ^ 0x80));
    return Buffer.compare(Buffer.from(left ?? []), Buffer.from(right ?? []));
  };
  const order = new InByteOrder<string>();
  const out: string[] = [];
  let held = 0;
  for (const [index, name] of [...names].sort(signed).entries()) {
    for (const [key] of order.before(name)) out.push(key);
    order.add(name, name);
    order.add(`${name}/`, name);
    held = Math.max(held, 2 * (index + 1) - out.length);
  }
  for (const [key] of order.rest()) out.push(key);
  const expected = names.flatMap((name) => [name, `${name}/`]).sort(compareByBytes);
  expect(out).toEqual(expected);
  expect(held).toBeLessThan(expected.length);
});

/** `waybill codec-server`: decrypts for Temporal's web page until it is stopped. */
import { resolve } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import { textFlag, type CommandContext, type Flags } from '../context.js';
import { StopSwitch } from '../stop.js';

const DEFAULT_PORT = '8089';

function originOf(flags: Flags): string {
  const text = textFlag(flags, 'uiOrigin') ?? '';
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    const hint = '--ui-origin https://temporal.example, as the address of its pages begins';
    throw new WaybillError('WB_USAGE', `which web page is answered? Use ${hint}`);
  }
  return url.origin;
}

function portOf(flags: Flags): number {
  const text = textFlag(flags, 'port') ?? DEFAULT_PORT;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new WaybillError('WB_USAGE', `--port: "${text}" is no port; write a number up to 65535`);
}

/** Serves until Ctrl-C or SIGTERM, and then ends with 0. */
export async function runCodecServer(context: CommandContext): Promise<number> {
  const { config, output, flags, subject } = context;
  const file = config.settings.get('payload-keys')?.text;
  const [uiOrigin, port] = [originOf(flags), portOf(flags)];
  if (file === undefined) {
    const hint = 'set WAYBILL_PAYLOAD_KEYS, or payload-keys in your waybill.toml';
    throw new WaybillError('WB_USAGE', `there are no keys to decrypt with: ${hint}`);
  }
  const [{ EncryptingCodec }, { readPayloadKeys }, { startCodecServer }] = await Promise.all([
    import('../../codec/encrypting-codec.js'),
    import('../../codec/payload-keys.js'),
    import('../../codec/codec-server.js'),
  ]);
  const codec = new EncryptingCodec(readPayloadKeys(resolve(file)));
  const server = await startCodecServer({ codec, port, uiOrigin });
  subject.outlivesReader = true;
  const stop = new StopSwitch((exitCode) => process.exit(exitCode));
  output.say(`decrypting at ${server.url} for ${uiOrigin}; Ctrl-C ends it`);
  if (output.isJson) output.json({ type: 'serving', address: server.url, site: null });
  await new Promise<void>((done) => {
    if (stop.signal.aborted) done();
    else stop.signal.addEventListener('abort', () => done(), { once: true });
  });
  await server.stop();
  if (output.isJson) output.jsonResult();
  return 0;
}

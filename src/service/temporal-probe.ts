/**
 * Asks a Temporal server one small thing without the SDK: `DescribeNamespace`, which proves the frontend, the
 * database and the namespace at once. gRPC is HTTP/2 with a five-byte frame; loading the SDK for it would
 * cost the service a third of a second and 100 MB.
 */
import { connect, type ClientHttp2Session } from 'node:http2';

const PATH = '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace';

/** What a probe found: Temporal, with or without the namespace; something else; or nobody. */
export type ProbeResult = 'answers' | 'not ready' | 'not temporal' | 'nobody';

/** Probes `127.0.0.1:P` for a namespace; waits at most `timeoutMs`. */
export function probeTemporal(
  address: string,
  timeoutMs: number,
  namespace = 'default',
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    let isConnected = false;
    const finish = (result: ProbeResult): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => finish(isConnected ? 'not temporal' : 'nobody'), timeoutMs);
    session.once('connect', () => (isConnected = true));
    session.on('error', () => finish(isConnected ? 'not temporal' : 'nobody'));
    session.once('close', () => finish(isConnected ? 'not temporal' : 'nobody'));
    describeNamespace(session, namespace, finish);
  });
}

function describeNamespace(
  session: ClientHttp2Session,
  namespace: string,
  finish: (result: ProbeResult) => void,
): void {
  const request = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const judge = (headers: Readonly<Record<string, unknown>>): void => {
    const status = headers['grpc-status'];
    if (status !== undefined) finish(status === '0' ? 'answers' : 'not ready');
  };
  request.on('error', () => undefined);
  request.on('response', (headers) => {
    if (!String(headers['content-type']).startsWith('application/grpc')) finish('not temporal');
    // An error without a body comes as headers only.
    else judge(headers);
  });
  request.on('trailers', judge);
  request.resume();
  request.end(frame(stringField(1, namespace)));
}

/** A gRPC message: not compressed, its length, its bytes. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A protobuf string shorter than 128 bytes. */
function stringField(number: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

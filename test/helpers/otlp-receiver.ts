/** A collector of traces: OTLP over HTTP in JSON, as the specification has it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import * as z from 'zod';

const attribute = z.strictObject({
  key: z.string(),
  value: z.strictObject({ stringValue: z.string() }),
});

const spanSchema = z.strictObject({
  traceId: z.string().regex(/^[0-9a-f]{32}$/u),
  spanId: z.string().regex(/^[0-9a-f]{16}$/u),
  parentSpanId: z
    .string()
    .regex(/^[0-9a-f]{16}$/u)
    .optional(),
  name: z.string(),
  kind: z.literal(1),
  startTimeUnixNano: z.string().regex(/^\d{19}$/u),
  endTimeUnixNano: z.string().regex(/^\d{19}$/u),
  attributes: z.array(attribute),
  status: z.strictObject({ code: z.number() }),
});

const bodySchema = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.strictObject({ name: z.string(), version: z.string() }),
          spans: z.array(spanSchema),
        }),
      ),
    }),
  ),
});

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly status: number;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** What came and was no request as the specification has it. */
  readonly refused: readonly string[];
  stop(): Promise<void>;
}

/** @param token what the header `x-token` of each request has to be */
export async function startOtlpReceiver(token: string): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const refused: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request);
      const isMeant = request.method === 'POST' && request.url === '/v1/traces';
      const isKnown = request.headers['x-token'] === token;
      const found = isMeant && isKnown ? bodySchema.safeParse(JSON.parse(body)) : undefined;
      if (found?.success !== true) {
        refused.push(`${request.url ?? ''} ${found?.error.message ?? 'not meant'}`);
        response.writeHead(400).end();
        return;
      }
      for (const { scopeSpans } of found.data.resourceSpans) {
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
          const pairs = span.attributes.map(({ key, value }) => [key, value.stringValue] as const);
          spans.push({ ...span, attributes: Object.fromEntries(pairs), status: span.status.code });
        }
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    refused,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

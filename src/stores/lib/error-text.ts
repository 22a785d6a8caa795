/** The few words of an error page that help a person. */
import type { Readable } from 'node:stream';

/** More of an error page is never read. */
const MAX_READ_BYTES = 16 * 1024;

/** An error page that dribbles must not hold the error up. */
const MAX_WAIT_MS = 5_000;

const MAX_SHOWN_CHARACTERS = 200;

/**
 * Reads the beginning of an error's body. A body that fails or takes long gives what came until then. It may hold secrets: stores
 * read it through `HttpAnswer.readErrorText` or `readFailure`.
 */
export async function readErrorBody(body: Readable): Promise<{ text: string; isCut: boolean }> {
  let isCut = false;
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => {
    isCut = true;
    body.destroy();
  }, MAX_WAIT_MS);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_READ_BYTES) break;
    }
  } catch {
    isCut = true;
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  const text = Buffer.concat(chunks).subarray(0, MAX_READ_BYTES).toString('utf8');
  return { text, isCut };
}

/**
 * One line out of an error's body: the message of a JSON or XML error, the title of a page, else the text without tags
 * and control characters; at most 200 characters.
 */
export function errorTextOf(text: string): string {
  const message = jsonMessage(text) ?? elementText(text, 'Message') ?? elementText(text, 'title');
  const line = (
    message ?? text.replace(/<(script|style)[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')
  )
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return line.length > MAX_SHOWN_CHARACTERS ? `${line.slice(0, MAX_SHOWN_CHARACTERS)}…` : line;
}

function elementText(text: string, element: string): string | undefined {
  return new RegExp(`<${element}[^>]*>([^<]*)<`, 'i').exec(text)?.[1];
}

function jsonMessage(text: string): string | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    for (const key of ['message', 'detail', 'error']) {
      const value: unknown = Reflect.get(parsed, key);
      if (typeof value === 'string') return value;
      // Google's APIs put it one level deeper.
      const inner: unknown =
        typeof value === 'object' && value !== null ? Reflect.get(value, 'message') : undefined;
      if (typeof inner === 'string') return inner;
    }
  } catch {
    return undefined;
  }
  return undefined;
}

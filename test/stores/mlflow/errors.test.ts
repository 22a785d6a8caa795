/** The error table of MLflow: what was seen of real servers, answer by answer. */
import { describe, expect, it } from '@jest/globals';
import {
  errorOfAnswer,
  mayMeanMissing,
  meansFeatureAbsent,
} from '../../../src/stores/mlflow/errors.js';
import type { FailedAnswer } from '../../../src/stores/mlflow/errors.js';

const JSON_TYPE = 'application/json';
const asked = { operation: 'resolve', what: 'run abc', server: 'http://h:5000', path: 'x' };

function answer(status: number, body: unknown, contentType = JSON_TYPE): FailedAnswer {
  return { status, contentType, text: typeof body === 'string' ? body : JSON.stringify(body) };
}

const NOT_FOUND_PAGE =
  '<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>';
const ERROR_PAGE = '<!doctype html><html><title>500 Internal Server Error</title></html>';
const DISABLED =
  'Endpoint: /api/2.0/mlflow-artifacts/artifacts disabled due to the mlflow server running with ' +
  '`--no-serve-artifacts`. To enable artifacts server functionality, run `mlflow server` with `--serve-artifacts`';

describe('an answer of MLflow', () => {
  it.each([
    [
      '404 in its own JSON',
      answer(404, { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'Run with id=abc not found' }),
      'WB_NOT_FOUND',
      false,
      'file',
    ],
    [
      'a code as a number, as proxies write it',
      answer(404, { error_code: 3002, message: 'no' }),
      'WB_NOT_FOUND',
      false,
      'file',
    ],
    [
      'a missing alias, which is 400',
      answer(400, {
        error_code: 'INVALID_PARAMETER_VALUE',
        message: 'Registered model alias nope not found.',
      }),
      'WB_NOT_FOUND',
      false,
      'file',
    ],
    [
      'an unknown route, which is an HTML page',
      answer(404, NOT_FOUND_PAGE, 'text/html; charset=utf-8'),
      'WB_CONFIG_INVALID',
      false,
      'source',
    ],
    [
      "an unknown route in FastAPI's words",
      answer(404, { detail: 'Not Found' }),
      'WB_CONFIG_INVALID',
      false,
      'source',
    ],
    [
      'ENDPOINT_NOT_FOUND',
      answer(404, { error_code: 'ENDPOINT_NOT_FOUND', message: 'no such' }),
      'WB_CONFIG_INVALID',
      false,
      'source',
    ],
    [
      'an invalid path',
      answer(400, { error_code: 'INVALID_PARAMETER_VALUE', message: 'Invalid path' }),
      'WB_UNSUPPORTED',
      false,
      'file',
    ],
    [
      'another 400',
      answer(400, { error_code: 'INVALID_PARAMETER_VALUE', message: 'max_results' }),
      'WB_USAGE',
      false,
      'request',
    ],
    [
      '401 as the plain text of basic-auth, called HTML',
      answer(401, 'You are not authenticated.', 'text/html'),
      'WB_UNAUTHENTICATED',
      true,
      'source',
    ],
    [
      '403 as plain text',
      answer(403, 'Permission denied', 'text/plain'),
      'WB_PERMISSION_DENIED',
      false,
      'source',
    ],
    ['408', answer(408, ''), 'WB_TIMEOUT', true, 'source'],
    [
      '429',
      answer(429, { error_code: 'REQUEST_LIMIT_EXCEEDED', message: 'slow' }),
      'WB_RATE_LIMITED',
      true,
      'source',
    ],
    [
      '500',
      answer(500, { error_code: 'INTERNAL_ERROR', message: 'boom' }),
      'WB_UNAVAILABLE',
      true,
      'source',
    ],
    ['500 as an HTML page', answer(500, ERROR_PAGE, 'text/html'), 'WB_UNAVAILABLE', true, 'source'],
    [
      '501',
      answer(501, {
        error_code: 'NOT_IMPLEMENTED',
        message: 'Multipart download is not supported',
      }),
      'WB_UNSUPPORTED',
      false,
      'request',
    ],
    [
      '502 of a proxy',
      answer(502, '<html><title>502 Bad Gateway</title></html>', 'text/html'),
      'WB_UNAVAILABLE',
      true,
      'source',
    ],
    [
      '503',
      answer(503, { error_code: 'TEMPORARILY_UNAVAILABLE', message: 'busy' }),
      'WB_UNAVAILABLE',
      true,
      'source',
    ],
    [
      '503 of a server that does not serve artifacts',
      answer(503, DISABLED, 'text/html'),
      'WB_CONFIG_INVALID',
      false,
      'source',
    ],
    [
      "the same in FastAPI's words",
      answer(503, {
        detail:
          'Artifact serving is disabled. Run `mlflow server` with `--serve-artifacts` to enable.',
      }),
      'WB_CONFIG_INVALID',
      false,
      'source',
    ],
    ['504', answer(504, ''), 'WB_TIMEOUT', true, 'source'],
    [
      'a redirect',
      { ...answer(302, ''), location: 'https://login.example/x?y' },
      'WB_SIGN_IN_PAGE',
      false,
      'source',
    ],
  ] as const)('%s has its code, retry and scope', (_, given, code, retryable, scope) => {
    const error = errorOfAnswer(given, asked);
    expect(error).toMatchObject({
      code,
      retryable,
      scope,
      operation: 'resolve',
      store: 'mlflow',
      path: 'x',
    });
    expect(error.message).toContain('http://h:5000');
  });

  it('keeps how long the server asks to wait', () => {
    const error = errorOfAnswer({ ...answer(429, ''), retryAfterMs: 7_000 }, asked);
    expect(error.retryAfterMs).toBe(7_000);
  });

  it("shows the server's own words, of a page its title", () => {
    expect(errorOfAnswer(answer(500, ERROR_PAGE, 'text/html'), asked).message).toContain(
      'an HTML page "500 Internal Server Error"',
    );
    expect(errorOfAnswer(answer(500, { detail: 'why' }), asked).message).toContain('why (500)');
  });

  it.each([
    'An error occurred (404) when calling the HeadObject operation: Not Found',
    'NoSuchKey',
    'BlobNotFound',
  ])('500 that may mean 404 is told by its text: %s', (message) => {
    expect(mayMeanMissing(answer(500, { error_code: 'INTERNAL_ERROR', message }))).toBe(true);
    expect(mayMeanMissing(answer(503, { error_code: 'INTERNAL_ERROR', message }))).toBe(false);
  });

  it('that a feature is absent is told from that a file is', () => {
    expect(meansFeatureAbsent(answer(501, ''))).toBe(true);
    expect(meansFeatureAbsent(answer(404, NOT_FOUND_PAGE, 'text/html'))).toBe(true);
    expect(meansFeatureAbsent(answer(404, { error_code: 'RESOURCE_DOES_NOT_EXIST' }))).toBe(false);
  });
});

/** As MLflow passes on what the library of its storage says of one file. */
function ofStorage(words: string, file = 'model/x'): FailedAnswer {
  const root = `sftp://ada:s3cret@h/${'long/'.repeat(100)}`;
  const message = `The following failures occurred while downloading one or more artifacts from ${root}:\n##### File ${file} #####\n${words}`;
  return answer(500, { error_code: 'INTERNAL_ERROR', message });
}

describe('a server whose storage refuses it', () => {
  it.each([
    ['[Errno 13] Permission denied', 'file'],
    ["[Errno 13] Permission denied: '/data/mlartifacts/x'", 'file'],
    ['550 /mlflow/x: Permission denied', 'file'],
    ['An error occurred (403) when calling the HeadObject operation: Forbidden', 'file'],
    [
      'An error occurred (AccessDenied) when calling the GetObject operation: Access Denied.',
      'file',
    ],
    [
      'This request is not authorized to perform this operation.\nErrorCode:AuthorizationFailure',
      'file',
    ],
    [
      '403 GET https://storage.googleapis.com/download/x: ada does not have storage.objects.get access',
      'file',
    ],
    [
      'An error occurred (InvalidAccessKeyId) when calling the GetObject operation: no such key',
      'source',
    ],
    ['Unable to locate credentials', 'source'],
    ['Server failed to authenticate the request.\nErrorCode:AuthenticationFailed', 'source'],
    [
      '401 GET https://storage.googleapis.com/x: Anonymous caller does not have storage.objects.get access',
      'source',
    ],
  ])('lacks a right, which is not tried again: %s', (words, scope) => {
    const error = errorOfAnswer(ofStorage(words), asked);
    expect(error).toMatchObject({ code: 'WB_PERMISSION_DENIED', retryable: false, scope });
    expect(error.message).toContain('Its operator');
    expect(error.message).not.toContain('s3cret');
  });

  it.each([
    ['[Errno 111] Connection refused', 'model/x'],
    ['The read operation timed out', 'Permission denied'],
    ['550 /mlflow/why 403 AccessDenied: Try again', 'why 403 AccessDenied'],
  ])('is told from one that fails for a while: %s, of the file %s', (words, path) => {
    const error = errorOfAnswer(ofStorage(words, path), { ...asked, path });
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true });
  });
});

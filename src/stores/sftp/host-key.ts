/** What is said of a server whose key is not the one that is known. */
import type { WaybillError } from '../../model/errors.js';
import { shellQuote } from '../../model/shell-quote.js';
import type { SftpTarget } from './config.js';
import { connectError } from './errors.js';
import { fingerprintOf, knownName, typeOf, type KnownKey, type Verdict } from './known-hosts.js';

const FINAL = { scope: 'source', retryable: false, advice: '' } as const;

/** The error of a host key that is not taken. */
export function refuseHostKey(
  verdict: Exclude<Verdict, { kind: 'known' }>,
  key: Buffer,
  shown: string,
  target: SftpTarget,
): WaybillError {
  const { hostKeyName: name, port, host, knownHostsFiles } = target;
  const fingerprint = `${typeOf(key)} ${fingerprintOf(key)}`;
  const file = knownHostsFiles[0] ?? '~/.ssh/known_hosts';
  // Under an alias the line needs that name.
  const renamed = name === knownName(host, port) ? '' : `| sed ${shellQuote(`s|^[^ ]*|${name}|`)} `;
  const scan = `ssh-keyscan ${port === 22 ? '' : `-p ${port} `}${shellQuote(host)} ${renamed}>> ${shellQuote(file)}`;
  if (verdict.kind === 'unknown') {
    return refusal(
      `${shown} has a host key that is not known (${fingerprint}): compare it with what the owner of the server says, then run \`${scan}\``,
    );
  }
  const where = placeOf(verdict.of);
  if (verdict.kind === 'revoked') {
    return refusal(
      `${shown} shows a host key that is revoked in ${where} (${fingerprint}): ask the owner of the server`,
    );
  }
  if (verdict.kind === 'authority') {
    return refusal(
      `${shown} is known through a certificate authority (${where}), which Waybill does not check: compare its key (${fingerprint}) with what the owner of the server says, then run \`${scan}\``,
    );
  }
  return refusal(
    `${shown} has another host key than ${where} says: it shows ${fingerprint}, known is ${verdict.of.type} ${fingerprintOf(verdict.of.key)}. ` +
      'Somebody may be listening in between. If the owner of the server has changed the key, run ' +
      `\`ssh-keygen -f ${shellQuote(verdict.of.file)} -R ${shellQuote(name)}\`, then \`${scan}\``,
  );
}

function placeOf({ file, line }: KnownKey): string {
  return `${file}:${line}`;
}

function refusal(message: string): WaybillError {
  return connectError('WB_UNAVAILABLE', message, FINAL);
}

/** The last net for secrets in messages: whatever is shown passes here (rule 3). */
import { hideSecretLooking } from '../model/secret-text.js';

/** Values that must never be shown. Short ones would blot out innocent text. */
const MIN_SECRET_LENGTH = 6;

/** Takes known secrets, userinfo, signatures and authorization headers out of text. */
export class Redactor {
  private readonly secrets = new Set<string>();

  /** Remembers values that were read as secrets. */
  learn(values: Iterable<string>): void {
    for (const value of values) {
      if (value.length >= MIN_SECRET_LENGTH) this.secrets.add(value);
    }
  }

  /** The text without them. */
  redact(text: string): string {
    let clean = text;
    for (const secret of this.secrets) clean = clean.replaceAll(secret, '***');
    return hideSecretLooking(clean);
  }
}

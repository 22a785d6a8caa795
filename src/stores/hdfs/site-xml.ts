/** A configuration file of Hadoop (`core-site.xml`), as names and values. */
import { Parser } from 'htmlparser2';

/** What one file says. */
export interface SiteFile {
  readonly values: ReadonlyMap<string, string>;
  /** Files that it takes in with `xi:include`, as they are written. */
  readonly includes: readonly string[];
}

/** Reads a file; undefined: the text is no configuration of Hadoop. */
export function parseSiteXml(xml: string): SiteFile | undefined {
  const reader = new SiteReader();
  const parser = new Parser(reader, { xmlMode: true, decodeEntities: true });
  parser.end(xml);
  return reader.file();
}

class SiteReader {
  private readonly open: string[] = [];
  private readonly values = new Map<string, string>();
  private readonly includes: string[] = [];
  private property: { name?: string; value?: string } = {};
  private text = '';
  private isClosed = false;

  onopentag(name: string, attributes: Readonly<Record<string, string>>): void {
    this.open.push(name);
    this.text = '';
    if (name === 'property') this.property = {};
    const { name: key, value, href } = attributes;
    // A short form that newer releases take: <property name="..." value="..."/>.
    if (name === 'property' && key !== undefined && value !== undefined) {
      this.property = { name: key, value };
    }
    if (/(^|:)include$/.test(name) && href !== undefined) this.includes.push(href);
  }

  ontext(text: string): void {
    this.text += text;
  }

  onclosetag(name: string, isImplied: boolean): void {
    const inProperty = this.open.at(-2) === 'property';
    if (inProperty && name === 'name') this.property.name = this.text.trim();
    if (inProperty && name === 'value') this.property.value = this.text.trim();
    if (name === 'property' && this.property.name !== undefined) {
      this.values.set(this.property.name, this.property.value ?? '');
    }
    if (this.open.length === 1 && name === 'configuration' && !isImplied) this.isClosed = true;
    this.open.pop();
  }

  file(): SiteFile | undefined {
    return this.isClosed ? { values: this.values, includes: this.includes } : undefined;
  }
}

/** Deeper nested is only what names itself. */
const MAX_EXPANSIONS = 20;

/**
 * A value with its `${name}`s replaced by other values of the configuration, or by what `known` knows of the machine
 * (`user.name`); what neither knows stays as it is, as with Hadoop.
 */
export function expanded(
  text: string,
  values: ReadonlyMap<string, string>,
  known: ReadonlyMap<string, string>,
): string {
  let current = text;
  for (let round = 0; round < MAX_EXPANSIONS; round += 1) {
    const next = current.replace(
      /\$\{([^}$\s]+)\}/g,
      (whole, name: string) => known.get(name) ?? values.get(name) ?? whole,
    );
    if (next === current) return current;
    current = next;
  }
  return current;
}

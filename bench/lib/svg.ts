/** Bars for the pages: one for each contender, shorter is faster. */
import { figuresOf, type Figures } from './report.js';
import type { CaseResult } from './run-case.js';

const WIDTH = 760;
const LABELS = 300;
const BAR = 18;
const GAP = 8;
const BARS = WIDTH - LABELS - 70;

/** An SVG image of the medians of one case; what has no figures is left out. */
export function svgOf(result: CaseResult): string {
  const figures = figuresOf(result).filter((one) => one.seconds !== undefined);
  const longest = Math.max(...figures.map((one) => one.seconds ?? 0), Number.MIN_VALUE);
  let y = 34;
  const parts: string[] = [];
  for (const place of new Set(figures.map((one) => one.place))) {
    y += 14;
    parts.push(`<text x="8" y="${y}" class="p">to ${place}</text>`);
    y += GAP;
    for (const one of figures.filter((figure) => figure.place === place)) {
      parts.push(...barOf(one, y, longest, result.baseline));
      y += BAR + GAP;
    }
  }
  const scaled = result.scale === 1 ? '' : ` (scale ${result.scale})`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + GAP}" role="img">
<title>${escapeXml(`${result.name}: seconds, medians of ${result.rounds}`)}</title>
<style>text{font:13px sans-serif;fill:#222}.t{font-weight:bold}.p{fill:#666}.o{fill:#1769aa}.n{fill:#b9c4cf}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="20" class="t">${escapeXml(`${result.name}${scaled}: seconds, shorter is better`)}</text>
${parts.join('\n')}
</svg>
`;
}

function barOf(
  { contender, seconds = 0 }: Figures,
  y: number,
  longest: number,
  baseline: string,
): readonly string[] {
  const width = Math.max(1, Math.round((seconds / longest) * BARS));
  const kind = contender.startsWith(baseline) ? 'o' : 'n';
  const middle = y + BAR - 4;
  return [
    `<text x="${LABELS - 8}" y="${middle}" text-anchor="end">${escapeXml(contender)}</text>`,
    `<rect x="${LABELS}" y="${y}" width="${width}" height="${BAR}" class="${kind}"/>`,
    `<text x="${LABELS + width + 6}" y="${middle}">${seconds.toFixed(2)}</text>`,
  ];
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** What a program showed, in the one form of its bundle that says most. */
export interface RichValue {
  kind: 'picture' | 'svg' | 'html' | 'json' | 'text';
  mime: string;
  /** Base64 of a picture, else text. */
  text: string;
}

const pictures = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'] as const;
const maxJsonCharacters = 256 * 1024;
const rowPx = 26;
const frameHeight = { least: 64, most: 360 } as const;

/** The best that can be shown of a Jupyter mime bundle; undefined: nothing in it. */
export function richValue(data: Readonly<Record<string, string>>): RichValue | undefined {
  for (const mime of pictures) {
    const text = data[mime];
    if (text !== undefined) return { kind: 'picture', mime, text: text.replace(/\s+/g, '') };
  }
  const svg = data['image/svg+xml'];
  if (svg !== undefined) return { kind: 'svg', mime: 'image/svg+xml', text: svg };
  const html = data['text/html'];
  if (html !== undefined) return { kind: 'html', mime: 'text/html', text: html };
  const json = data['application/json'];
  if (json !== undefined) return { kind: 'json', mime: 'application/json', text: prettyJson(json) };
  const plain = data['text/plain'] ?? data['text/markdown'] ?? data['text/latex'];
  if (plain !== undefined) return { kind: 'text', mime: 'text/plain', text: plain };
  const [other] = Object.keys(data);
  return other === undefined ? undefined : { kind: 'text', mime: other, text: `${other}: it can't be shown here.` };
}

/** For an <img>: there an SVG runs no script and loads nothing. */
export function pictureUrl({ kind, mime, text }: RichValue): string {
  if (kind === 'picture' || !text.trimStart().startsWith('<')) return `data:${mime};base64,${text.replace(/\s+/g, '')}`;
  return `data:${mime};charset=utf-8,${encodeURIComponent(text.toWellFormed())}`;
}

/**
 * A page of its own around HTML that a program made. The frame that shows it has a sandbox without scripts; that nothing is fetched
 * either is said here.
 */
export function framePage(html: string, dark: boolean): string {
  return `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"><style>:root{color-scheme:${dark ? 'dark' : 'light'};font:12px/1.4 system-ui,sans-serif}body{margin:0}table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:3px 8px;text-align:right;border:0;border-bottom:1px solid color-mix(in srgb,CanvasText 18%,transparent)}tbody th{text-align:left}</style><body>${html}`;
}

/** A guess, px: what is in a frame of another origin can't be measured. */
export function frameHeightOf(html: string): number {
  const rows = html.match(/<tr[\s>]/gi)?.length ?? html.match(/<(?:p|div|li|br|h\d)[\s>/]/gi)?.length ?? 2;
  return Math.min(Math.max((rows + 1) * rowPx, frameHeight.least), frameHeight.most);
}

function prettyJson(text: string): string {
  if (text.length > maxJsonCharacters) return text;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    // Shown as it came.
    return text;
  }
}

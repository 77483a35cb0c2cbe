import { nameOf } from '../file-paths.ts';

export type FileIcon = 'py' | 'ts' | 'xml' | 'img' | 'doc' | 'file';

interface FileKind {
  /** As people call it. */
  language: string;
  icon: FileIcon;
  grammar?: Grammar;
}

export type Grammar = 'javascript' | 'typescript' | 'jsx' | 'tsx' | 'python' | 'xml' | 'json' | 'markdown' | 'css' | 'html';

const extensions: Record<string, FileKind> = {
  py: { language: 'Python', icon: 'py', grammar: 'python' },
  pyi: { language: 'Python', icon: 'py', grammar: 'python' },
  js: { language: 'JavaScript', icon: 'ts', grammar: 'javascript' },
  mjs: { language: 'JavaScript', icon: 'ts', grammar: 'javascript' },
  cjs: { language: 'JavaScript', icon: 'ts', grammar: 'javascript' },
  jsx: { language: 'JavaScript', icon: 'ts', grammar: 'jsx' },
  ts: { language: 'TypeScript', icon: 'ts', grammar: 'typescript' },
  mts: { language: 'TypeScript', icon: 'ts', grammar: 'typescript' },
  cts: { language: 'TypeScript', icon: 'ts', grammar: 'typescript' },
  tsx: { language: 'TypeScript', icon: 'ts', grammar: 'tsx' },
  json: { language: 'JSON', icon: 'doc', grammar: 'json' },
  jsonc: { language: 'JSON', icon: 'doc', grammar: 'javascript' },
  webmanifest: { language: 'JSON', icon: 'doc', grammar: 'json' },
  xml: { language: 'XML', icon: 'xml', grammar: 'xml' },
  xsd: { language: 'XML', icon: 'xml', grammar: 'xml' },
  xsl: { language: 'XML', icon: 'xml', grammar: 'xml' },
  svg: { language: 'SVG', icon: 'img', grammar: 'xml' },
  html: { language: 'HTML', icon: 'xml', grammar: 'html' },
  htm: { language: 'HTML', icon: 'xml', grammar: 'html' },
  vue: { language: 'Vue', icon: 'xml', grammar: 'html' },
  css: { language: 'CSS', icon: 'ts', grammar: 'css' },
  scss: { language: 'SCSS', icon: 'ts', grammar: 'css' },
  md: { language: 'Markdown', icon: 'doc', grammar: 'markdown' },
  markdown: { language: 'Markdown', icon: 'doc', grammar: 'markdown' },
  csv: { language: 'CSV', icon: 'doc' },
  yml: { language: 'YAML', icon: 'doc' },
  yaml: { language: 'YAML', icon: 'doc' },
  toml: { language: 'TOML', icon: 'doc' },
  ini: { language: 'INI', icon: 'doc' },
  txt: { language: 'Plain text', icon: 'doc' },
  log: { language: 'Log', icon: 'doc' },
  sh: { language: 'Shell', icon: 'ts' },
  go: { language: 'Go', icon: 'ts' },
  rs: { language: 'Rust', icon: 'ts' },
  java: { language: 'Java', icon: 'ts' },
  c: { language: 'C', icon: 'ts' },
  h: { language: 'C', icon: 'ts' },
  cpp: { language: 'C++', icon: 'ts' },
  php: { language: 'PHP', icon: 'ts' },
  r: { language: 'R', icon: 'ts' },
  sql: { language: 'SQL', icon: 'doc' },
};

const pictures = new Set(['png', 'jpg', 'jpeg', 'gif', 'webp', 'avif', 'bmp', 'ico']);
const names: Record<string, FileKind> = {
  Dockerfile: { language: 'Dockerfile', icon: 'doc' },
  Makefile: { language: 'Makefile', icon: 'doc' },
  LICENSE: { language: 'Plain text', icon: 'doc' },
};

// Maps: a plain object also has what every object has, such as `constructor`.
const byExtension = new Map(Object.entries(extensions));
const byName = new Map(Object.entries(names));

export function fileKind(path: string): FileKind {
  const name = nameOf(path);
  if (isPicture(path)) return { language: 'Image', icon: 'img' };
  return byName.get(name) ?? byExtension.get(extension(name)) ?? { language: 'Plain text', icon: name.startsWith('.') ? 'doc' : 'file' };
}

/** A picture that is text as well: people edit it, and look at it. */
export function isDrawing(path: string): boolean {
  return extension(nameOf(path)) === 'svg';
}

/** Shown as a picture, and as nothing else. */
export function isPicture(path: string): boolean {
  return pictures.has(extension(nameOf(path)));
}

function extension(name: string): string {
  const cut = name.lastIndexOf('.');
  return cut < 0 ? '' : name.slice(cut + 1).toLowerCase();
}

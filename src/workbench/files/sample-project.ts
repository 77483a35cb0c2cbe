// A file of its own, which comes when it is first asked for. Vite puts in the contents; nothing but the page can load this module.
declare global {
  interface ImportMeta {
    glob(
      files: string | readonly string[],
      options: { query: string; import: string; eager: true; exhaustive?: true },
    ): Record<string, string>;
  }
}

type Content = { text: string } | { base64: string };

const texts = import.meta.glob(['../../../examples/library-loans/**', '!../../../examples/library-loans/**/*.png'], {
  query: '?raw',
  import: 'default',
  eager: true,
  exhaustive: true,
});
const pictures = import.meta.glob('../../../examples/library-loans/**/*.png', { query: '?inline', import: 'default', eager: true });

/** The project of examples/library-loans, as it is to be written. */
export const sampleFiles: readonly ({ path: string } & Content)[] = [
  ...Object.entries(texts).map(([source, text]) => ({ path: pathOf(source), text })),
  ...Object.entries(pictures).map(([source, url]) => ({ path: pathOf(source), base64: url.slice(url.indexOf(',') + 1) })),
];

function pathOf(source: string): string {
  return source.slice(source.indexOf('library-loans/') + 'library-loans/'.length);
}

import { LanguageSupport } from '@codemirror/language';
import { styleTags, tags } from '@lezer/highlight';
import type { Grammar } from '../documents/file-kinds.ts';

/** Each grammar is a file of its own, loaded when the first document needs it. */
export async function loadGrammar(grammar: Grammar): Promise<LanguageSupport> {
  switch (grammar) {
    case 'python':
      return pythonSupport();
    case 'xml':
      return (await import('@codemirror/lang-xml')).xml();
    case 'json':
      return (await import('@codemirror/lang-json')).json();
    case 'markdown':
      return (await import('@codemirror/lang-markdown')).markdown();
    case 'css':
      return (await import('@codemirror/lang-css')).css();
    case 'html':
      return (await import('@codemirror/lang-html')).html();
    case 'javascript':
    case 'typescript':
    case 'jsx':
    case 'tsx':
      return (await import('@codemirror/lang-javascript')).javascript({
        typescript: grammar === 'typescript' || grammar === 'tsx',
        jsx: grammar === 'jsx' || grammar === 'tsx',
      });
  }
}

/** A decorator's whole name is coloured, not only its sign. */
async function pythonSupport(): Promise<LanguageSupport> {
  const { python, pythonLanguage } = await import('@codemirror/lang-python');
  const names = styleTags({ 'Decorator/VariableName Decorator/PropertyName Decorator/"."': tags.annotation });
  return new LanguageSupport(pythonLanguage.configure({ props: [names] }), python().support);
}

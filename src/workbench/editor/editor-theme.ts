import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** Colours are the tokens', which follow the theme by themselves: a change of theme redraws nothing here. */
const theme = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'transparent', color: 'var(--fg)', fontSize: 'var(--code)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--font-code)',
    lineHeight: 'var(--code-lead)',
    fontVariantLigatures: 'none',
    scrollbarWidth: 'thin',
    scrollbarColor: 'var(--line-strong) transparent',
  },
  '.cm-content': { padding: '4px 0 24px', caretColor: 'var(--fg)' },
  '.cm-line': { padding: '0 24px 0 6px' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--ed-gutter)', border: 'none', fontSize: 'var(--text-sm)' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 0 0 var(--s-3)', minWidth: '36px', textAlign: 'right' },
  '.cm-gutter.cm-bars': { width: '12px' },
  '.cm-bars .cm-gutterElement': { padding: '0' },
  '.cm-foldGutter .cm-gutterElement': { width: '14px', padding: '0', color: 'var(--fg-3)' },
  '.cm-activeLine': { backgroundColor: 'var(--ed-line)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--ed-line)', color: 'var(--fg)' },
  '.cm-cursor': { borderLeft: '2px solid var(--fg)', marginLeft: '-1px' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--ed-select)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': { backgroundColor: 'var(--ed-select)' },
  '.cm-selectionMatch': { backgroundColor: 'var(--pressed)', borderRadius: 'var(--s-1)' },
  '.cm-searchMatch': { backgroundColor: 'var(--ed-find)', borderRadius: 'var(--s-1)' },
  '.cm-searchMatch.cm-searchMatch-selected': { backgroundColor: 'var(--ed-find-on)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--pressed)', outline: '1px solid var(--line-strong)' },
  '&.cm-focused .cm-nonmatchingBracket': { color: 'var(--bad)' },
  '.cm-foldPlaceholder': {
    backgroundColor: 'var(--hover)',
    border: 'none',
    color: 'var(--fg-2)',
    padding: '0 var(--s-3)',
    margin: '0 var(--s-1)',
  },
  '.cm-panels': { backgroundColor: 'var(--inset)', color: 'var(--fg)' },
  '.cm-panels.cm-panels-top': { borderBottom: '1px solid var(--line)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', border: 'none', borderRadius: 'var(--r-2)', boxShadow: 'var(--shadow-2)' },
});

const highlight = HighlightStyle.define([
  {
    tag: [tags.keyword, tags.modifier, tags.operatorKeyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword, tags.self],
    color: 'var(--sx-keyword)',
  },
  { tag: [tags.string, tags.special(tags.string), tags.regexp, tags.character, tags.attributeValue], color: 'var(--sx-string)' },
  { tag: [tags.number], color: 'var(--sx-number)' },
  { tag: [tags.bool, tags.null, tags.atom], color: 'var(--sx-const)' },
  { tag: [tags.comment, tags.docComment, tags.quote], color: 'var(--sx-comment)', fontStyle: 'italic' },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.function(tags.definition(tags.variableName))],
    color: 'var(--sx-func)',
  },
  { tag: [tags.className, tags.definition(tags.className), tags.typeName, tags.namespace, tags.tagName], color: 'var(--sx-type)' },
  { tag: [tags.attributeName, tags.meta, tags.annotation, tags.processingInstruction], color: 'var(--sx-attr)' },
  { tag: [tags.punctuation, tags.separator, tags.bracket, tags.operator, tags.derefOperator], color: 'var(--sx-punct)' },
  { tag: [tags.link, tags.url], color: 'var(--accent)' },
  { tag: tags.heading, color: 'var(--sx-func)', fontWeight: '600' },
  { tag: tags.strong, fontWeight: '600' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: tags.monospace, color: 'var(--sx-string)' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

export const editorTheme: Extension = [theme, syntaxHighlighting(highlight)];

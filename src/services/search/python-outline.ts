import { parser } from '@lezer/python';
import type { OutlineSymbol, SymbolKind } from '../../contract/search.ts';
import { LineStarts } from './line-starts.ts';
import type { Outline } from './outline.ts';

type SyntaxNode = ReturnType<(typeof parser)['parse']>['topNode'];

/** Symbols of Python, by Lezer. */
export function outlineOfPython(text: string): Outline {
  const tree = parser.parse(text);
  const outliner = new Outliner(text);
  outliner.statements(tree.topNode, 'module', 0);
  let problems = 0;
  tree.iterate({ enter: ({ type }) => void (problems += type.isError ? 1 : 0) });
  return { symbols: outliner.symbols, problems };
}

type Where = 'module' | 'class' | 'function';

class Outliner {
  readonly symbols: OutlineSymbol[] = [];
  readonly #text: string;
  readonly #lines: LineStarts;

  constructor(text: string) {
    this.#text = text;
    this.#lines = new LineStarts(text);
  }

  statements(parent: SyntaxNode, where: Where, depth: number): void {
    const known = new Set<string>();
    const inside = (node: SyntaxNode): void => {
      for (let child = node.firstChild; child !== null; child = child.nextSibling) {
        switch (child.name) {
          case 'FunctionDefinition':
            this.#define(child, where === 'class' ? 'method' : 'function', 'function', depth);
            break;
          case 'ClassDefinition':
            this.#define(child, 'class', 'class', depth);
            break;
          case 'AssignStatement':
            if (where !== 'function') this.#assign(child, where, depth, known);
            break;
          // What is defined on a condition is defined.
          case 'DecoratedStatement':
          case 'IfStatement':
          case 'TryStatement':
          case 'WithStatement':
          case 'Body':
            inside(child);
            break;
          default:
        }
      }
    };
    inside(parent);
  }

  #define(node: SyntaxNode, kind: SymbolKind, inside: Where, depth: number): void {
    const name = node.getChild('VariableName');
    const body = node.getChild('Body');
    if (name !== null) this.#add(name, node, kind, depth);
    if (body !== null) this.statements(body, inside, name === null ? depth : depth + 1);
  }

  /** Each name once, however often it is given a value. */
  #assign(node: SyntaxNode, where: Where, depth: number, known: Set<string>): void {
    const targets: SyntaxNode[] = [];
    let last: SyntaxNode[] = [];
    for (let child = node.firstChild; child !== null; child = child.nextSibling) {
      if (child.name === 'VariableName') last.push(child);
      else if (child.name === 'AssignOp' || child.name === 'TypeDef') {
        targets.push(...last);
        last = [];
      }
    }
    for (const target of targets) {
      const name = this.#nameOf(target);
      if (known.has(name)) continue;
      known.add(name);
      this.#add(target, node, where === 'class' ? 'property' : /^[A-Z][A-Z\d_]*$/.test(name) ? 'constant' : 'variable', depth);
    }
  }

  /** What begins with an underscore is of no interest to others, by custom (PEP 8). */
  #add(name: SyntaxNode, whole: SyntaxNode, kind: SymbolKind, depth: number): void {
    const text = this.#nameOf(name);
    // A body ends with its last line break.
    let end = whole.to;
    while (end > whole.from && /\s/.test(this.#text.charAt(end - 1))) end -= 1;
    this.symbols.push({
      name: text,
      kind,
      ...this.#lines.placeOf(name.from),
      endLine: this.#lines.lineOf(Math.max(whole.from, end - 1)),
      depth,
      exported: depth === 0 && !text.startsWith('_'),
    });
  }

  #nameOf({ from, to }: SyntaxNode): string {
    return this.#text.slice(from, to);
  }
}

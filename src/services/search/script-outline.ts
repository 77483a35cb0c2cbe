import type * as oxc from 'oxc-parser';
import type { Node, ParseResult, ParserOptions } from 'oxc-parser';
import { OutriggerError } from '../../contract/errors.ts';
import type { OutlineSymbol, SymbolKind } from '../../contract/search.ts';
import { LineStarts } from './line-starts.ts';
import type { Outline } from './outline.ts';

type Oxc = Pick<typeof oxc, 'parseSync' | 'rawTransferSupported'>;
let parser: Promise<Oxc> | undefined;
/** The tree comes through shared memory, four times as fast as through JSON; 6 GiB of address space are reserved for it, of which little is used. */
let sharesMemory: boolean | undefined;
/** Not among the published types yet (napi/parser/src-js/wrap.js of oxc). */
const sharing = { experimentalRawTransfer: true } as ParserOptions;

/** Symbols of TypeScript and JavaScript, by oxc. Throws TOOL_MISSING where the optional package oxc-parser is not installed. */
export async function outlineOfScript(text: string, path: string): Promise<Outline> {
  parser ??= import('oxc-parser').catch((cause: unknown) => {
    throw new OutriggerError(
      'TOOL_MISSING',
      'The package oxc-parser is not installed: there are no symbols of TypeScript and JavaScript.',
      {
        details: { tool: 'oxc-parser' },
        cause,
      },
    );
  });
  const { program, errors } = parse(await parser, path, text);
  const outliner = new Outliner(text, /x$/i.test(path));
  outliner.statements(program.body, 0, false);
  return { symbols: outliner.symbols, problems: errors.length };
}

function parse({ parseSync, rawTransferSupported }: Oxc, path: string, text: string): ParseResult {
  sharesMemory ??= rawTransferSupported();
  try {
    return parseSync(path, text, sharesMemory ? sharing : {});
  } catch (error) {
    // Where address space is limited (ulimit -v), there is no room for it.
    if (!sharesMemory || !(error instanceof RangeError)) throw error;
    sharesMemory = false;
    return parseSync(path, text);
  }
}

class Outliner {
  readonly symbols: OutlineSymbol[] = [];
  readonly #lines: LineStarts;
  readonly #mayHoldJsx: boolean;

  constructor(text: string, mayHoldJsx: boolean) {
    this.#mayHoldJsx = mayHoldJsx;
    this.#lines = new LineStarts(text);
  }

  statements(nodes: readonly Node[], depth: number, exported: boolean): void {
    const before = this.symbols.length;
    for (const node of nodes) this.#statement(node, depth, exported);
    const listed = new Set(nodes.flatMap(namesExportedBy));
    if (listed.size === 0) return;
    for (const symbol of this.symbols.slice(before)) if (symbol.depth === depth && listed.has(symbol.name)) symbol.exported = true;
  }

  #statement(node: Node, depth: number, exported: boolean): void {
    switch (node.type) {
      case 'ExportNamedDeclaration':
        if (node.declaration !== null) this.#statement(node.declaration, depth, true);
        return;
      case 'ExportDefaultDeclaration':
        this.#exportDefault(node.declaration, depth);
        return;
      case 'FunctionDeclaration':
      case 'TSDeclareFunction':
        if (node.id !== null) this.#add(node.id.name, this.#functionKind(node.id.name), node, node.id, depth, exported);
        if (node.body !== null) this.#inFunction(node.body, depth + 1);
        return;
      case 'ClassDeclaration':
        if (node.id !== null) this.#add(node.id.name, 'class', node, node.id, depth, exported);
        this.#members(node.body.body, depth + 1);
        return;
      case 'TSInterfaceDeclaration':
        this.#add(node.id.name, 'interface', node, node.id, depth, exported);
        this.#signatures(node.body.body, depth + 1);
        return;
      case 'TSTypeAliasDeclaration':
        this.#add(node.id.name, 'type', node, node.id, depth, exported);
        if (node.typeAnnotation.type === 'TSTypeLiteral') this.#signatures(node.typeAnnotation.members, depth + 1);
        return;
      case 'TSEnumDeclaration':
        this.#add(node.id.name, 'enum', node, node.id, depth, exported);
        for (const member of node.body.members) this.#key(member, member.id, 'member', depth + 1);
        return;
      case 'TSModuleDeclaration':
        this.#add(nameOf(node.id) ?? 'global', 'namespace', node, node.id, depth, exported);
        if (node.body?.type === 'TSModuleBlock') this.statements(node.body.body, depth + 1, false);
        return;
      case 'VariableDeclaration':
        for (const declarator of node.declarations) this.#variable(declarator, node.kind === 'const', depth, exported);
        return;
      default:
    }
  }

  #exportDefault(declaration: Node, depth: number): void {
    if ((declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration') && declaration.id !== null) {
      this.#statement(declaration, depth, true);
      return;
    }
    if (declaration.type === 'TSInterfaceDeclaration') {
      this.#statement(declaration, depth, true);
      return;
    }
    const kind =
      isFunction(declaration) || declaration.type === 'FunctionDeclaration' ? 'function' : isClass(declaration) ? 'class' : 'constant';
    this.#add('default', kind, declaration, declaration, depth, true);
    this.#insideOf(declaration, depth + 1);
  }

  #variable(declarator: Node & { type: 'VariableDeclarator' }, constant: boolean, depth: number, exported: boolean): void {
    const { id, init } = declarator;
    if (id.type !== 'Identifier') {
      for (const name of boundNames(id)) this.#add(name.name, constant ? 'constant' : 'variable', name, name, depth, exported);
      return;
    }
    const kind = init === null ? undefined : isFunction(init) ? this.#functionKind(id.name) : isClass(init) ? 'class' : undefined;
    this.#add(id.name, kind ?? (constant ? 'constant' : 'variable'), declarator, id, depth, exported);
    if (init !== null) this.#insideOf(init, depth + 1);
  }

  /** What stands inside of a value that has a name. */
  #insideOf(value: Node, depth: number): void {
    if (isClass(value)) this.#members(value.body.body, depth);
    else if (isFunction(value) && value.body !== null) this.#inFunction(value.body, depth);
    else if (value.type === 'ObjectExpression') {
      for (const property of value.properties) {
        if (property.type !== 'Property' || property.computed) continue;
        const isMethod = isFunction(property.value);
        this.#key(property, property.key, isMethod ? 'method' : 'property', depth);
      }
    } else if (value.type === 'TSAsExpression' || value.type === 'TSSatisfiesExpression') this.#insideOf(value.expression, depth);
  }

  /** Functions and classes in a function; its variables are of no interest from outside. */
  #inFunction(body: Node, depth: number): void {
    if (body.type !== 'BlockStatement') return;
    for (const node of body.body) {
      if (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') this.#statement(node, depth, false);
      else if (node.type === 'VariableDeclaration')
        for (const declarator of node.declarations)
          if (declarator.init !== null && (isFunction(declarator.init) || isClass(declarator.init)))
            this.#variable(declarator, node.kind === 'const', depth, false);
    }
  }

  #members(nodes: readonly Node[], depth: number): void {
    for (const node of nodes) {
      if (node.type === 'MethodDefinition' || node.type === 'TSAbstractMethodDefinition') {
        this.#key(node, node.key, 'method', depth);
        if (node.value.body !== null) this.#inFunction(node.value.body, depth + 1);
      } else if (node.type === 'PropertyDefinition' || node.type === 'TSAbstractPropertyDefinition' || node.type === 'AccessorProperty') {
        this.#key(node, node.key, node.value !== null && isFunction(node.value) ? 'method' : 'property', depth);
      }
    }
  }

  #signatures(nodes: readonly Node[], depth: number): void {
    for (const node of nodes) {
      if (node.type === 'TSPropertySignature') this.#key(node, node.key, 'property', depth);
      else if (node.type === 'TSMethodSignature') this.#key(node, node.key, 'method', depth);
    }
  }

  #key(whole: Node, key: Node, kind: SymbolKind, depth: number): void {
    const name = nameOf(key);
    if (name !== undefined) this.#add(name, kind, whole, key, depth, false);
  }

  #functionKind(name: string): SymbolKind {
    return this.#mayHoldJsx && /^\p{Lu}/u.test(name) ? 'component' : 'function';
  }

  #add(name: string, kind: SymbolKind, whole: Node, at: Node, depth: number, exported: boolean): void {
    this.symbols.push({
      name,
      kind,
      ...this.#lines.placeOf(at.start),
      endLine: this.#lines.lineOf(Math.max(whole.start, whole.end - 1)),
      depth,
      exported,
    });
  }
}

type FunctionNode = Extract<Node, { type: 'ArrowFunctionExpression' | 'FunctionExpression' }>;
type ClassNode = Extract<Node, { type: 'ClassExpression' | 'ClassDeclaration' }>;

function isFunction(node: Node): node is FunctionNode {
  return node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression';
}

function isClass(node: Node): node is ClassNode {
  return node.type === 'ClassExpression' || node.type === 'ClassDeclaration';
}

function nameOf(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'PrivateIdentifier') return `#${node.name}`;
  if (node.type === 'Literal') return String(node.value);
  if (node.type === 'TSQualifiedName') return `${nameOf(node.left)}.${node.right.name}`;
  return undefined;
}

/** Names of this text that a statement exports without declaring them. */
function namesExportedBy(node: Node): string[] {
  if (node.type === 'ExportDefaultDeclaration') return node.declaration.type === 'Identifier' ? [node.declaration.name] : [];
  if (node.type !== 'ExportNamedDeclaration' || node.source !== null) return [];
  return node.specifiers.flatMap(({ local }) => nameOf(local) ?? []);
}

type IdentifierNode = Extract<Node, { type: 'Identifier' }>;

function boundNames(pattern: Node): IdentifierNode[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern as IdentifierNode];
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) => boundNames(property.type === 'RestElement' ? property.argument : property.value));
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element === null ? [] : boundNames(element)));
    case 'AssignmentPattern':
      return boundNames(pattern.left);
    case 'RestElement':
      return boundNames(pattern.argument);
    default:
      return [];
  }
}

// The rules of ARCHITECTURE.md's tree, as a pure function over source texts: layers look one way, each power has one owner,
// nothing goes in circles. test/boundaries.test.ts runs it over src and shows that each rule can fail.
import { posix } from 'node:path';
import ts from 'typescript';

/** A rule that one file or area may break, and why. `where` is a file or folder under src; an entry that nothing needs is a problem. */
export interface Exception {
  rule: Rule;
  where: string;
  reason: string;
}

export type Rule =
  | 'layer'
  | 'cycle'
  | 'name'
  | 'barrel'
  | 'zod'
  | 'pure'
  | 'browser'
  | 'view'
  | 'spawn'
  | 'listen'
  | 'environment'
  | 'write'
  | 'database'
  | 'computed import'
  | 'missing';

interface Import {
  specifier: string;
  typeOnly: boolean;
  /** Imported names; `*` for a namespace, a default import or a bare import. */
  names: string[];
}

interface Source {
  path: string;
  imports: Import[];
  tree: ts.SourceFile;
}

const ground = ['services/state', 'services/workspace', 'services/processes'];

// What each part may import besides itself. A service is a part of its own; `services` in a list means any of them.
const mayImport: Record<string, string[]> = {
  contract: [],
  core: [],
  config: ['contract', 'core'],
  net: ['contract', 'core'],
  services: ['contract', 'core', ...ground],
  transports: ['net', 'contract', 'core'],
  adapters: ['net', 'contract', 'core'],
  sidecar: ['services', 'transports', 'adapters', 'net', 'config', 'contract', 'core'],
  hub: ['transports', 'adapters', 'net', 'config', 'contract', 'core'],
  client: ['contract', 'core'],
  supervisor: ['client', 'contract', 'core'],
  workbench: ['client', 'contract', 'core'],
  cli: ['services', 'sidecar', 'hub', 'supervisor', 'client', 'transports', 'adapters', 'net', 'config', 'contract', 'core'],
  'index.ts': ['sidecar'],
};

// What these may take from the contract at run time; everything else of it they take as types, so that zod stays out of the browser.
const runtimeContract: Record<string, string[]> = {
  client: ['errors.ts', 'access.ts', 'wire.ts', 'version.ts'],
  workbench: [],
};

const owners: { rule: Rule; modules: string[]; parts: string[]; says: string }[] = [
  {
    rule: 'spawn',
    modules: ['child_process', 'cluster'],
    parts: ['services/processes', 'supervisor'],
    says: 'only services/processes spawns (and supervisor its sidecar)',
  },
  {
    rule: 'listen',
    modules: ['http', 'https', 'http2', 'net', 'tls', 'dgram', 'fastify'],
    parts: ['net'],
    says: 'only net/ opens sockets',
  },
  { rule: 'listen', modules: ['ws'], parts: ['net', 'client'], says: 'only net/ opens sockets (and client/ dials)' },
  {
    rule: 'database',
    modules: ['sqlite'],
    parts: ['services/state', 'hub'],
    says: 'only services/state has a database (and the hub its own)',
  },
  { rule: 'zod', modules: ['zod'], parts: ['contract'], says: 'only the contract describes shapes with zod' },
];

/** Loads what the host names. */
const operationModules = 'sidecar/operation-modules.ts';
const environmentOwners = ['config', 'supervisor'];
const writeOwners = ['services/workspace', 'services/state', 'supervisor'];
const publishedEntries = ['index.ts', 'contract/operations.ts', 'client/client.ts', 'supervisor/supervisor.ts', 'hub/hub.ts'];
const vagueNames = /(^|\/)(utils?|helpers?|types?|manager|common|misc)\.tsx?$/;

const writing = new Set(
  [
    ...[
      'appendFile',
      'chmod',
      'chown',
      'copyFile',
      'cp',
      'fchmod',
      'fchown',
      'ftruncate',
      'futimes',
      'lchmod',
      'lchown',
      'link',
      'lutimes',
    ],
    ...['mkdir', 'mkdtemp', 'rename', 'rm', 'rmdir', 'symlink', 'truncate', 'unlink', 'utimes', 'write', 'writeFile', 'writev'],
  ].flatMap((name) => [name, `${name}Sync`]),
).add('createWriteStream');
const readingFlags = new Set(['O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_DIRECTORY', 'O_PATH', 'O_NOATIME', 'O_CLOEXEC']);

/** All broken rules of a tree, `files` being paths under src with their text. Test files are free of all rules but names and views. */
export function boundaryProblems(files: ReadonlyMap<string, string>, exceptions: readonly Exception[] = []): string[] {
  const problems: string[] = [];
  const used = new Set<Exception>();
  const report = (rule: Rule, path: string, text: string): void => {
    const exception = exceptions.find(({ rule: of, where }) => of === rule && (path === where || path.startsWith(`${where}/`)));
    if (exception !== undefined) used.add(exception);
    else problems.push(`${rule}: ${path} ${text}`);
  };

  const sources = new Map<string, Source>();
  for (const [path, text] of files) {
    checkName(path, report);
    const source = parse(path, text);
    checkViews(source, report);
    if (!isTest(path)) sources.set(path, source);
  }
  for (const source of sources.values()) {
    checkLayers(source, files, report);
    checkPurity(source, report);
    checkOwners(source, report);
    checkTree(source, report);
    checkWrites(source, report);
  }
  checkBrowser(sources, report);
  checkCycles(sources, report);
  for (const { rule, where } of exceptions.filter((exception) => !used.has(exception))) {
    problems.push(`exception: nothing in ${where} needs the exception from "${rule}" any more; remove it`);
  }
  return problems;
}

type Report = (rule: Rule, path: string, text: string) => void;

function parse(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, path.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS);
  const imports: Import[] = [];
  walk(tree, (node) => {
    const found = importOf(node);
    if (found !== undefined) imports.push(found);
  });
  return { path, imports, tree };
}

function importOf(node: ts.Node): Import | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    const clause = node.importClause;
    const bindings = clause?.namedBindings;
    const elements = bindings !== undefined && ts.isNamedImports(bindings) ? [...bindings.elements] : undefined;
    const values = elements?.filter((element) => !element.isTypeOnly).map((element) => (element.propertyName ?? element.name).text);
    const whole = elements === undefined || clause?.name !== undefined;
    const typeOnly = clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || (!whole && elements.length > 0 && values?.length === 0);
    return { specifier: node.moduleSpecifier.text, typeOnly, names: [...(values ?? []), ...(whole ? ['*'] : [])] };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly, names: ['*'] };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { specifier: node.argument.literal.text, typeOnly: true, names: [] };
  }
  if (ts.isCallExpression(node) && node.arguments[0] !== undefined && ts.isStringLiteralLike(node.arguments[0])) {
    const isImport =
      node.expression.kind === ts.SyntaxKind.ImportKeyword || /^(require|import\.meta\.resolve)$/.test(node.expression.getText());
    if (isImport) return { specifier: node.arguments[0].text, typeOnly: false, names: ['*'] };
  }
  // `new URL('./x-worker.ts', import.meta.url)`: how a worker names its file.
  if (ts.isNewExpression(node) && node.expression.getText() === 'URL' && node.arguments?.[1]?.getText() === 'import.meta.url') {
    const [file] = node.arguments;
    if (file !== undefined && ts.isStringLiteralLike(file) && /\.tsx?$/.test(file.text))
      return { specifier: file.text, typeOnly: false, names: [] };
  }
  return undefined;
}

function checkName(path: string, report: Report): void {
  if (vagueNames.test(path)) report('name', path, 'says nothing about what it holds');
  if (/(^|\/)index\//.test(path)) report('name', path, 'is in a folder called index');
  if (/(^|\/)index\.tsx?$/.test(path) && path !== 'index.ts') report('name', path, 'is an index file; only src/index.ts is one');
  if (!path.split('/').every((part) => /^[a-z0-9]+([-.][a-z0-9]+)*$/.test(part))) report('name', path, 'is not in kebab-case');
}

// Node runs .ts as it is but not .tsx, so what tests import must be free of it.
function checkViews({ path, imports }: Source, report: Report): void {
  if (path.endsWith('.tsx') && partOf(path) !== 'workbench') report('view', path, 'is a view outside the workbench');
  if (path.endsWith('.tsx')) return;
  for (const { specifier } of imports) if (specifier.endsWith('.tsx')) report('view', path, `imports the view ${specifier}; only views do`);
}

function checkLayers({ path, imports }: Source, files: ReadonlyMap<string, string>, report: Report): void {
  const part = partOf(path);
  const allowed = mayImport[part.startsWith('services/') ? 'services' : part];
  if (allowed === undefined) return report('layer', path, 'is in a folder that has no rule; add one to test/kit/boundaries.ts');
  for (const { specifier, typeOnly } of imports.filter(({ specifier }) => specifier.startsWith('.'))) {
    const target = resolve(path, specifier);
    if (target.startsWith('..')) {
      if (target !== '../package.json') report('layer', path, `imports ${specifier}, which is outside src`);
      continue;
    }
    if (isTest(target)) report('layer', path, `imports the test file ${target}`);
    if (!files.has(target) && /\.tsx?$/.test(target)) report('missing', path, `imports ${target}, which does not exist`);
    const to = partOf(target);
    if (to === part) continue;
    const fits = allowed.some((name) => to === name || (name === 'services' && to.startsWith('services/')));
    if (!fits) report('layer', path, `must not import ${target}`);
    const runtime = runtimeContract[part];
    if (to === 'contract' && !typeOnly && runtime !== undefined && !runtime.includes(target.slice('contract/'.length))) {
      report('browser', path, `takes more than types from ${target}`);
    }
  }
}

function checkPurity({ path, imports }: Source, report: Report): void {
  const part = partOf(path);
  for (const { specifier, typeOnly } of imports.filter(({ specifier }) => !specifier.startsWith('.'))) {
    if (part === 'core' || (part === 'contract' && specifier !== 'zod')) report('pure', path, `must not import ${specifier}`);
    else if ((part === 'client' || part === 'workbench') && specifier.startsWith('node:') && !typeOnly) {
      report('browser', path, `runs in browsers and must not import ${specifier}`);
    }
  }
}

function checkOwners({ path, imports }: Source, report: Report): void {
  const part = partOf(path);
  for (const { specifier, typeOnly, names } of imports) {
    const module = specifier.replace(/^node:/, '').replace(/^(@[^/]+\/[^/]+|[^/]+)\/.*$/, '$1');
    for (const owner of owners) {
      // A type gives no power, but a schema's type is the contract's to name.
      if (!owner.modules.includes(module) || owner.parts.includes(part) || (typeOnly && owner.rule !== 'zod')) continue;
      report(owner.rule, path, `imports ${specifier}: ${owner.says}`);
    }
    if (module === 'zod' && !typeOnly && names.some((name) => name !== '*'))
      report('zod', path, `names { ${names.join(', ')} }: import * as z`);
    if (module === 'process' && !typeOnly && names.includes('env') && !environmentOwners.includes(part)) {
      report('environment', path, 'imports the environment: only config reads it');
    }
  }
}

/** What can't be told from imports alone: the environment, listening, computed imports, barrels. */
function checkTree({ path, tree }: Source, report: Report): void {
  const part = partOf(path);
  const mayReadEnvironment = environmentOwners.includes(part);
  walk(tree, (node) => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    if (!mayReadEnvironment && readsEnvironment(node)) report('environment', path, `reads process.env in line ${line}: only config does`);
    if (ts.isCallExpression(node)) {
      const [first] = node.arguments;
      const computes = node.expression.kind === ts.SyntaxKind.ImportKeyword && first !== undefined && !ts.isStringLiteralLike(first);
      if (computes && path !== operationModules) {
        report('computed import', path, `imports what no rule can see in line ${line}`);
      }
      const listens = ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'listen';
      if (listens && part !== 'net') report('listen', path, `listens in line ${line}: only net/ does`);
    }
    if (
      ts.isExportDeclaration(node) &&
      node.moduleSpecifier !== undefined &&
      node.exportClause === undefined &&
      !publishedEntries.includes(path)
    ) {
      report('barrel', path, `re-exports ${node.moduleSpecifier.getText()} whole: only published entry points do`);
    }
  });
}

/** Writing calls of node:fs, whatever they are called here, and `open` with flags that are not plainly for reading. */
function checkWrites({ path, tree }: Source, report: Report): void {
  if (writeOwners.includes(partOf(path))) return;
  const { namespaces, functions } = fsBindings(tree);
  const says = 'only services/workspace and services/state write';
  for (const name of functions.values()) if (writing.has(name)) report('write', path, `imports ${name}: ${says}`);
  walk(tree, (node) => {
    if (!ts.isCallExpression(node)) return;
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    const { expression: called } = node;
    if (called.kind === ts.SyntaxKind.ImportKeyword && isFs(node.arguments[0]))
      report('write', path, `imports node:fs in line ${line} where no rule can see`);
    const member = ts.isPropertyAccessExpression(called) && namespaces.has(called.expression.getText().replace(/\.promises$/, ''));
    const name = member ? called.name.text : functions.get(called.getText());
    if (name === undefined) return;
    if (member && writing.has(name)) report('write', path, `calls ${name} in line ${line}: ${says}`);
    if (/^open(Sync)?$/.test(name) && !opensForReading(node))
      report('write', path, `opens a file in line ${line} in a way that may write: ${says}`);
  });
}

/** The local names of node:fs: of the module itself, and of single functions of it (with their true names). */
function fsBindings(tree: ts.SourceFile): { namespaces: Set<string>; functions: Map<string, string> } {
  const namespaces = new Set<string>();
  const functions = new Map<string, string>();
  for (const statement of tree.statements) {
    if (!ts.isImportDeclaration(statement) || !isFs(statement.moduleSpecifier)) continue;
    const { name, namedBindings } = statement.importClause ?? {};
    if (name !== undefined) namespaces.add(name.text);
    if (namedBindings === undefined) continue;
    if (ts.isNamespaceImport(namedBindings)) namespaces.add(namedBindings.name.text);
    else {
      for (const element of namedBindings.elements) {
        const imported = (element.propertyName ?? element.name).text;
        if (imported === 'promises') namespaces.add(element.name.text);
        else if (!element.isTypeOnly) functions.set(element.name.text, imported);
      }
    }
  }
  return { namespaces, functions };
}

function isFs(node: ts.Expression | undefined): boolean {
  return node !== undefined && ts.isStringLiteralLike(node) && /^(node:)?fs(\/promises)?$/.test(node.text);
}

function readsEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'env' && isProcess(node.expression);
  if (ts.isElementAccessExpression(node)) return isProcess(node.expression) && /^['"`]env['"`]$/.test(node.argumentExpression.getText());
  if (
    ts.isVariableDeclaration(node) &&
    ts.isObjectBindingPattern(node.name) &&
    node.initializer !== undefined &&
    isProcess(node.initializer)
  ) {
    return node.name.elements.some((element) => (element.propertyName ?? element.name).getText() === 'env');
  }
  return false;
}

function isProcess(node: ts.Expression): boolean {
  return node.getText() === 'process' || node.getText() === 'globalThis.process';
}

function opensForReading({ arguments: [, flags] }: ts.CallExpression): boolean {
  if (flags === undefined || /^['"`]r['"`]$/.test(flags.getText())) return true;
  const names = flags.getText().match(/\bO_[A-Z]+\b/g) ?? [];
  const rest = flags.getText().replace(/\b(fs|constants|O_[A-Z]+)\b|[.|()\s]/g, '');
  return names.length > 0 && rest === '' && names.every((name) => readingFlags.has(name));
}

/** zod must not reach a browser through something that looks harmless. */
function checkBrowser(sources: ReadonlyMap<string, Source>, report: Report): void {
  for (const { path } of sources.values()) {
    if (!['client', 'workbench'].includes(partOf(path))) continue;
    const seen = new Set<string>([path]);
    for (const current of seen) {
      for (const { specifier, typeOnly } of sources.get(current)?.imports ?? []) {
        if (typeOnly) continue;
        if (specifier === 'zod') report('browser', path, `brings zod into browsers through ${current}`);
        else if (specifier.startsWith('.')) seen.add(resolve(current, specifier));
      }
    }
  }
}

function checkCycles(sources: ReadonlyMap<string, Source>, report: Report): void {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start >= 0) return report('cycle', path, `imports itself through ${[...trail.slice(start + 1), path].join(' -> ')}`);
    if (done.has(path)) return;
    trail.push(path);
    for (const { specifier } of sources.get(path)?.imports ?? []) if (specifier.startsWith('.')) visit(resolve(path, specifier));
    trail.pop();
    done.add(path);
  };
  for (const path of sources.keys()) visit(path);
}

function walk(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => walk(child, see));
}

function resolve(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}

// services/git/git.ts is part of services/git; every other part is a top folder, or a file right under src.
function partOf(path: string): string {
  const [first = '', second] = path.split('/');
  return first === 'services' && second !== undefined ? `services/${second}` : first;
}

function isTest(path: string): boolean {
  return /\.(test|deep)\.ts$/.test(path);
}

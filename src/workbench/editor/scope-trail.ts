import { syntaxTree } from '@codemirror/language';
import type { EditorState } from '@codemirror/state';

const scopes =
  /^(ClassDefinition|FunctionDefinition|ClassDeclaration|FunctionDeclaration|MethodDeclaration|InterfaceDeclaration|EnumDeclaration|TypeAliasDeclaration)$/;
const names = ['VariableName', 'VariableDefinition', 'PropertyDefinition', 'TypeDefinition', 'PropertyName'];
const longest = 80;

/** The classes and functions around a position, outermost first. */
export function scopeTrail(state: EditorState, position: number): string[] {
  const trail: string[] = [];
  for (
    let node = syntaxTree(state).resolveInner(position, -1) as ReturnType<ReturnType<typeof syntaxTree>['resolve']> | null;
    node !== null;
    node = node.parent
  ) {
    if (!scopes.test(node.name)) continue;
    const named = names.map((name) => node?.getChild(name)).find((child) => child !== null && child !== undefined);
    if (named !== undefined && named !== null) trail.unshift(state.sliceDoc(named.from, Math.min(named.to, named.from + longest)));
  }
  return trail;
}

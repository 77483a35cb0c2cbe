import { type Extension, RangeSet, RangeSetBuilder, StateEffect, StateField, Text } from '@codemirror/state';
import { type EditorView, gutter, GutterMarker, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { changedChunks } from '../changes/text-changes.ts';
import { lateCode } from '../late-code.ts';
import { withoutReturns } from './line-ends.ts';

class Bar extends GutterMarker {
  override readonly elementClass: string;
  constructor(kind: 'add' | 'mod' | 'del') {
    super();
    this.elementClass = `bar-${kind}`;
  }
}

const bars = { add: new Bar('add'), mod: new Bar('mod'), del: new Bar('del') };
const setBars = StateEffect.define<RangeSet<GutterMarker>>();
const setBase = StateEffect.define<string | undefined>();
const againMs = 300;

const barField = StateField.define<RangeSet<GutterMarker>>({
  create: () => RangeSet.empty,
  update(value, transaction) {
    const set = transaction.effects.find((effect) => effect.is(setBars));
    return set === undefined ? value.map(transaction.changes) : (set.value as RangeSet<GutterMarker>);
  },
});

const baseField = StateField.define<Text | undefined>({
  create: () => undefined,
  update(value, transaction) {
    for (const effect of transaction.effects)
      if (effect.is(setBase)) return effect.value === undefined ? undefined : Text.of(effect.value.split('\n'));
    return value;
  },
});

/** Tells the bars what the text was at HEAD; undefined: it is not known there, and there are no bars. */
export function showChangesFrom(view: EditorView, base: string | undefined): void {
  view.dispatch({ effects: setBase.of(base) });
}

/** A bar beside each line that differs from HEAD. Compared a moment after the last key, by code that is loaded then. */
export const changeBars: Extension = [
  baseField,
  barField,
  gutter({ class: 'cm-bars', markers: (view) => view.state.field(barField) }),
  ViewPlugin.define((view) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let gone = false;
    let loading: Promise<{ changedChunks: typeof changedChunks } | undefined> | undefined;
    let asked = 0;
    const compare = async (): Promise<void> => {
      const mine = ++asked;
      const base = view.state.field(baseField);
      if (base === undefined) return view.dispatch({ effects: setBars.of(RangeSet.empty) });
      loading ??= lateCode(
        () => import('../changes/text-changes.ts'),
        () => !gone,
      );
      const code = await loading;
      if (code === undefined || gone || mine !== asked) return;
      const { doc } = view.state;
      const plain = withoutReturns(doc);
      const builder = new RangeSetBuilder<GutterMarker>();
      for (const chunk of code.changedChunks(base, plain)) {
        // An empty text has one line for the comparison, and none for who reads it.
        const kind = chunk.fromA === chunk.toA || base.length === 0 ? 'add' : chunk.fromB === chunk.toB || doc.length === 0 ? 'del' : 'mod';
        const end = Math.min(kind === 'del' ? chunk.fromB : chunk.endB, plain.length);
        for (let at = Math.min(chunk.fromB, plain.length); at <= end; ) {
          const line = plain.lineAt(at);
          const { from } = doc.line(line.number);
          builder.add(from, from, bars[kind]);
          at = line.to + 1;
        }
      }
      view.dispatch({ effects: setBars.of(builder.finish()) });
    };
    return {
      update(update: ViewUpdate) {
        const told = update.transactions.some((one) => one.effects.some((effect) => effect.is(setBase)));
        if (!told && (!update.docChanged || update.state.field(baseField) === undefined)) return;
        clearTimeout(timer);
        timer = setTimeout(() => void compare(), told ? 0 : againMs);
      },
      destroy() {
        gone = true;
        clearTimeout(timer);
      },
    };
  }),
];

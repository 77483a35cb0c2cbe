import type { ComponentChildren } from 'preact';
import type { Actor } from '../actor.ts';
import { Menu } from '../changes/menu.tsx';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { clockTime } from '../words.ts';
import { feedTime, rowHeight } from './feed-rows.ts';

/** Where a row stands in the stream. */
export interface ArticlePlace {
  /** Px from the top of the feed. */
  top: number;
  position: number;
  size: number;
  /** Of the group that begins with this row. */
  heading: string | undefined;
  /** A row of the same group follows. */
  linked: boolean;
  marked: boolean;
}

/** What can be done with a row. */
export interface RowAction {
  label: string;
  icon: string;
  /** With what it is done to, where the label alone does not say. */
  name?: string;
  title?: string;
  /** When it is done it can't be done again: the focus goes on to what the row is about. */
  once?: boolean;
  run: () => void;
}

/** Said of each Undo. */
export const keepsEdits = 'Takes it back, and keeps what was edited since';

interface FeedArticleProps {
  place: ArticlePlace;
  /** Its shape says what, its colour who. */
  actor: Actor;
  at: number;
  now: number;
  /** All of it in words, but the heading. */
  label: string;
  /** Of what kind it is, for tests. */
  kind: string;
  path?: string;
  children: ComponentChildren;
  note: ComponentChildren;
  actions: readonly RowAction[];
  revision?: ComponentChildren;
}

/** One row of the stream: who, what, how, and when. */
export function FeedArticle({ place, actor, at, now, label, kind, path, children, note, actions, revision }: FeedArticleProps) {
  const { value: phone } = useWorkbench().phone;
  const { top, position, size, heading, linked, marked } = place;
  return (
    <article
      class={`fr${marked ? ' on' : ''}${linked ? ' linked' : ''}`}
      style={{ transform: `translateY(${top}px)`, height: `${rowHeight}px` }}
      aria-posinset={position}
      aria-setsize={size}
      aria-label={`${heading === undefined ? '' : `${heading}: `}${label}`}
      data-testid="activity-row"
      data-kind={kind}
      data-path={path}
    >
      <Avatar actor={actor} />
      <div class="what">
        <div class="did" dir="auto">
          {children}
        </div>
        <div class="sub ell" dir="auto">
          {note}
        </div>
      </div>
      {!phone && (
        <span class="acts">
          {actions.map((action) => (
            <ActionButton key={action.label} action={action} />
          ))}
        </span>
      )}
      {revision}
      <time class="when num" dateTime={new Date(at).toISOString()} title={clockTime(at)}>
        {feedTime(at, now)}
      </time>
      {phone && actions.length > 0 && <Menu label={`More of ${label}`} icon="more" items={actions} />}
    </article>
  );
}

function ActionButton({ action: { label, icon, name, title, once = false, run } }: { action: RowAction }) {
  return (
    <button
      type="button"
      class="btn quiet sm"
      aria-label={name}
      title={title}
      onClick={(event) => {
        if (once) event.currentTarget.closest('article')?.querySelector<HTMLElement>('button.path')?.focus();
        run();
      }}
    >
      <Icon name={icon} />
      {label}
    </button>
  );
}

import type { ComponentChildren } from 'preact';
import type { Actor } from '../actor.ts';
import { Avatar } from '../shell/avatar.tsx';
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
  actions: ComponentChildren;
  revision?: ComponentChildren;
}

/** One row of the stream: who, what, how, and when. */
export function FeedArticle({ place, actor, at, now, label, kind, path, children, note, actions, revision }: FeedArticleProps) {
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
      <span class="acts">{actions}</span>
      {revision}
      <time class="when num" dateTime={new Date(at).toISOString()} title={clockTime(at)}>
        {feedTime(at, now)}
      </time>
    </article>
  );
}

import { sayActor } from '../actor.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Revision } from '../shell/revision.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import { type ActivityKind, revisionRange } from './feed-rows.ts';

const kindNames: Record<ActivityKind, string> = {
  files: 'Changes of files',
  commits: 'Commits',
  checkpoints: 'Checkpoints',
  runs: 'Runs',
  deploys: 'Deploys',
};

export function ActivityFilters() {
  const workbench = useWorkbench();
  const { feed, activity, lastVisit } = workbench;
  const { value: filter } = feed.filter;
  const { value: range } = feed.range;
  const midnight = new Date(workbench.now()).setHours(0, 0, 0, 0);
  const since = [
    ...(lastVisit === undefined ? [] : [{ text: 'My last visit', at: lastVisit }]),
    { text: 'Today', at: midnight },
    { text: 'All', at: 0 },
  ];
  return (
    <div class="pane" role="tabpanel" aria-labelledby="rail-activity">
      <div class="sp-h">
        <h2>Activity</h2>
      </div>
      <div class="scroll">
        <fieldset>
          <legend class="sec">Who</legend>
          {activity.actors.value.map(({ actor, count: revisions }) => (
            <label key={actor.key} class="tr">
              <input
                type="checkbox"
                checked={!filter.without.has(actor.key)}
                onChange={() => {
                  const without = new Set(filter.without);
                  if (!without.delete(actor.key)) without.add(actor.key);
                  feed.setFilter({ without });
                }}
              />
              <Avatar actor={actor} small />
              <span class="grow ell" dir="auto">
                {workbench.isMe(actor)
                  ? 'you'
                  : actor.kind === 'run'
                    ? 'runs'
                    : actor.kind === 'task'
                      ? 'tasks'
                      : actor.kind === 'outside'
                        ? 'outside'
                        : sayActor(actor)}
              </span>
              <span class="xs faint num">{revisions.toLocaleString('en')}</span>
            </label>
          ))}
          {activity.actors.value.length === 0 && (
            <p class="hint">{activity.known.value ? 'Nobody has done anything yet.' : 'Asking who did something…'}</p>
          )}
        </fieldset>
        <Kinds />
        <label class="sec" for="activity-where">
          Where
        </label>
        <div class="inset">
          <input
            id="activity-where"
            class="inp"
            data-focus
            placeholder="Any path, e.g. models/"
            spellcheck={false}
            value={filter.where}
            onInput={(event) => feed.setFilter({ where: event.currentTarget.value })}
          />
        </div>
        <div class="sec" id="activity-since">
          Since
        </div>
        <div class="inset">
          <div class="seg" role="group" aria-labelledby="activity-since">
            {since.map(({ text, at }) => (
              <button key={text} type="button" aria-pressed={filter.since === at} onClick={() => feed.setFilter({ since: at })}>
                {text}
              </button>
            ))}
          </div>
        </div>
      </div>
      <div class="sr-sum">
        <span class="grow ell num">{count(range.count, 'revision')} listed</span>
        {range.count > 0 && <Revision number={range.last} text={revisionRange(range)} />}
      </div>
    </div>
  );
}

/** Kinds that there are something of, and those that were left out. */
function Kinds() {
  const { feed, activity } = useWorkbench();
  const { withoutKinds } = feed.filter.value;
  const counts = Map.groupBy(activity.deeds.value, ({ kind }): ActivityKind => kind);
  const kinds = (Object.keys(kindNames) as ActivityKind[]).filter((kind) => kind === 'files' || counts.has(kind) || withoutKinds.has(kind));
  return (
    <fieldset>
      <legend class="sec">What</legend>
      {kinds.map((kind) => (
        <label key={kind} class="tr">
          <input
            type="checkbox"
            checked={!withoutKinds.has(kind)}
            onChange={() => {
              const without = new Set(withoutKinds);
              if (!without.delete(kind)) without.add(kind);
              feed.setFilter({ withoutKinds: without });
            }}
          />
          <span class="grow ell">{kindNames[kind]}</span>
          <span class="xs faint num">
            {(kind === 'files' ? feed.range.value.count : (counts.get(kind)?.length ?? 0)).toLocaleString('en')}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

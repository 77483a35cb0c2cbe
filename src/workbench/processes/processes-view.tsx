import { useRef } from 'preact/hooks';
import type { ProcessInfo } from '../../contract/processes.ts';
import { Icon } from '../shell/icon.tsx';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize, longTime, spentTime } from '../words.ts';
import { LogView } from './log-view.tsx';
import { endSentence, isRunning, portUrl, stateWords } from './process-words.ts';
import { SignalMenu } from './signal-menu.tsx';
import { sayStarter } from './started-by.ts';
import { joinCommand } from './split-command.ts';
import { isForInputMethod } from '../shell/keys.ts';

export function ProcessesView() {
  const { bottom, processes } = useWorkbench();
  const { value: id } = bottom.log;
  const process = id === undefined ? undefined : processes.get(id);
  if (process !== undefined) return <ProcessLogView key={process.id} process={process} />;
  return <ProcessTable />;
}

function ProcessTable() {
  const workbench = useWorkbench();
  const { bottom, processes, canExecute } = workbench;
  const box = useRef<HTMLDivElement>(null);
  const rows = processes.programs.value;
  void processes.tick.value;
  useWantedFocus('bottom', () =>
    box.current?.querySelector<HTMLElement>(`[data-process="${CSS.escape(bottom.lastLog ?? '')}"] .cmd, [data-focus]`)?.focus(),
  );
  const onKeyDown = (event: KeyboardEvent): void => {
    const list = [...(box.current?.querySelectorAll<HTMLElement>('.cmd') ?? [])];
    const at = list.indexOf(event.target as HTMLElement);
    if (at < 0) return;
    const to =
      event.key === 'ArrowDown'
        ? at + 1
        : event.key === 'ArrowUp'
          ? at - 1
          : event.key === 'Home'
            ? 0
            : event.key === 'End'
              ? list.length - 1
              : -1;
    const row = rows[at];
    if (list[to] !== undefined) list[to].focus();
    else if (event.key === 'Delete' && canExecute.value && row !== undefined) {
      if (isRunning(row)) void workbench.programs.stop(row.id);
      else void workbench.programs.remove(row.id).then(() => (list[at + 1] ?? list[at - 1])?.focus());
    } else return;
    event.preventDefault();
  };
  if (rows.length === 0) return <NothingHasRun />;
  return (
    <div class="scroll procs" ref={box} onKeyDown={onKeyDown}>
      <table class="dense">
        <thead>
          <tr>
            <th scope="col">Process</th>
            <th scope="col" class="hide-m">
              Started by
            </th>
            <th scope="col">State</th>
            <th scope="col" class="r hide-m">
              CPU
            </th>
            <th scope="col" class="r hide-m">
              Memory
            </th>
            <th scope="col" class="r hide-m">
              Log
            </th>
            <th scope="col" class="hide-m">
              Read to
            </th>
            <th class="acts">
              {canExecute.value ? (
                <button type="button" class="btn quiet sm" onClick={() => (workbench.overlay.value = { name: 'start' })}>
                  <Icon name="plus" />
                  <span>
                    Start<span class="hide-m"> a process</span>
                  </span>
                </button>
              ) : (
                <span class="unseen">Actions</span>
              )}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((process, index) => (
            <Row key={process.id} process={process} first={index === 0} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NothingHasRun() {
  const workbench = useWorkbench();
  const { processes, canExecute } = workbench;
  const button = useRef<HTMLButtonElement>(null);
  useWantedFocus('bottom', () => button.current?.focus(), processes.all.value !== undefined);
  if (processes.all.value === undefined) return <p class="hint">Asking what runs…</p>;
  if (processes.absent.value !== undefined)
    return <p class="hint">What runs can't be seen with this token: {processes.absent.value.message}</p>;
  return (
    <div class="bot-empty">
      <p>No processes yet.</p>
      {canExecute.value && (
        <button type="button" class="btn sm" data-focus ref={button} onClick={() => (workbench.overlay.value = { name: 'start' })}>
          <Icon name="run" />
          Start a process
        </button>
      )}
    </div>
  );
}

function Row({ process, first }: { process: ProcessInfo; first: boolean }) {
  const workbench = useWorkbench();
  const { bottom, processes } = workbench;
  const { id, title, residentBytes, startedAt, endedAt, path } = process;
  const running = isRunning(process);
  const share = processes.share(id);
  const now = workbench.now();
  const since = running
    ? `Started ${longTime(startedAt, now)}`
    : `${endSentence(process)} After ${spentTime((endedAt ?? now) - startedAt)}`;
  return (
    <tr data-testid="process" data-process={id}>
      <td class="wide">
        <span class="row">
          <button
            type="button"
            class="cmd ell mono"
            data-focus={first ? true : undefined}
            title={`${joinCommand(process.argv)}\n${path === '' ? 'In the top folder' : `In ${path}`}`}
            onClick={() => bottom.showLog(id)}
            dir="auto"
          >
            {title}
          </button>
          <Ports process={process} />
          {process.tag !== undefined && <span class="chip hide-m">{process.tag}</span>}
        </span>
      </td>
      <td class="hide-m">{sayStarter(workbench, process.startedBy)}</td>
      <td title={since}>
        <State process={process} />
      </td>
      <td class="r hide-m">{running && share !== undefined ? `${Math.round(share * 100)} %` : ''}</td>
      <td class="r hide-m">{residentBytes === undefined || !running ? '' : byteSize(residentBytes)}</td>
      <td class="r hide-m">{byteSize(written(process))}</td>
      <td class="hide-m">
        <ReadTo process={process} />
      </td>
      <td class="acts">
        <RowActions process={process} />
      </td>
    </tr>
  );
}

function RowActions({ process }: { process: ProcessInfo }) {
  const workbench = useWorkbench();
  const { id, title } = process;
  if (!workbench.canExecute.value) return null;
  if (isRunning(process)) {
    const stopping = workbench.programs.stopping.value.has(id);
    return (
      <button
        type="button"
        class="ib"
        aria-label={stopping ? `${title} is being stopped` : `Stop ${title}`}
        title={stopping ? 'Being stopped: 5 s after SIGTERM comes SIGKILL' : 'Stop (Del)'}
        onClick={() => void workbench.programs.stop(id)}
      >
        {stopping ? <i class="spin" /> : <Icon name="stop" />}
      </button>
    );
  }
  return (
    <>
      {!isDeployment(process) && (
        <button
          type="button"
          class="ib"
          aria-label={`Start ${title} again`}
          title="Start again"
          onClick={() => void workbench.programs.restart(id)}
        >
          <Icon name="refresh" />
        </button>
      )}
      <button
        type="button"
        class="ib"
        aria-label={`Remove ${title} and its log`}
        title="Remove it and its log (Del)"
        onClick={() => void workbench.programs.remove(id)}
      >
        <Icon name="bin" />
      </button>
    </>
  );
}

function ReadTo({ process }: { process: ProcessInfo }) {
  const { processes } = useWorkbench();
  const { output } = process;
  const read = processes.read.value.get(process.id) ?? 0;
  const unread = written(process) - read;
  const lost = output.stdout.lost + output.stderr.lost;
  return (
    <>
      <span class="num">{read.toLocaleString('en')}</span>{' '}
      {lost > 0 ? (
        <span class="warn xs">{byteSize(lost)} lost</span>
      ) : unread > 0 ? (
        <span class="faint xs">{byteSize(unread)} unread</span>
      ) : (
        <span class="ok xs">at end</span>
      )}
    </>
  );
}

function State({ process }: { process: ProcessInfo }) {
  const { tone, text } = stateWords(process);
  return (
    <span class={`stt ${tone}`}>
      <i />
      {text}
    </span>
  );
}

function Ports({ process: { ports, host } }: { process: ProcessInfo }) {
  const unique = new Map(ports.map((one) => [one.port, one]));
  if (unique.size === 0) return null;
  return (
    <span class="ports">
      {[...unique.values()].slice(0, 4).map(({ port, address }) => {
        const url = portUrl(address, port, host, location.hostname);
        return url === undefined ? (
          <span key={port} class="mono faint" title={`Listens on ${address}, which can't be reached from here`}>
            :{port}
          </span>
        ) : (
          <a key={port} class="mono" href={url} target="_blank" rel="noreferrer noopener" title={`Open ${url}`}>
            :{port}
          </a>
        );
      })}
    </span>
  );
}

/** One process: its log, and what can be done with it. */
function ProcessLogView({ process }: { process: ProcessInfo }) {
  const workbench = useWorkbench();
  const { bottom, canExecute } = workbench;
  const { id, title } = process;
  const box = useRef<HTMLDivElement>(null);
  const running = isRunning(process);
  const back = (): void => bottom.showTable();
  useWantedFocus('bottom', () => box.current?.querySelector<HTMLElement>('.log')?.focus());
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isForInputMethod(event) || event.key !== 'Escape' || event.defaultPrevented) return;
    event.preventDefault();
    back();
  };
  return (
    <div class="bot-pane" ref={box} onKeyDown={onKeyDown}>
      <div class="log-head">
        <button type="button" class="ib" aria-label="All processes (Esc)" title="All processes (Esc)" onClick={back}>
          <Icon name="back" />
        </button>
        <b class="ell mono" dir="auto" title={joinCommand(process.argv)}>
          {title}
        </b>
        <Ports process={process} />
        <State process={process} />
        <span class="faint sm ell hide-m grow">
          {sayStarter(workbench, process.startedBy)}, {longTime(process.startedAt, workbench.now())}
          {process.problem !== undefined && ` · ${process.problem}`}
        </span>
        {canExecute.value && running && (
          <>
            <button
              type="button"
              class="btn sm"
              disabled={workbench.programs.stopping.value.has(id)}
              onClick={() => void workbench.programs.stop(id)}
            >
              <Icon name="stop" />
              {workbench.programs.stopping.value.has(id) ? 'Stopping…' : 'Stop'}
            </button>
            <SignalMenu id={id} />
          </>
        )}
        {canExecute.value && !isDeployment(process) && (
          <button type="button" class="btn sm" onClick={() => void workbench.programs.restart(id)}>
            <Icon name="refresh" />
            {running ? 'Restart' : 'Start again'}
          </button>
        )}
        {canExecute.value && !running && (
          <button
            type="button"
            class="ib"
            aria-label={`Remove ${title} and its log`}
            title="Remove it and its log"
            onClick={() => void workbench.programs.remove(id).then(back)}
          >
            <Icon name="bin" />
          </button>
        )}
      </div>
      <LogView id={id} />
    </div>
  );
}

/** These are begun where one at a time is seen to. */
function isDeployment({ tag }: ProcessInfo): boolean {
  return tag?.startsWith('deploy:') === true;
}

function written({ output: { stdout, stderr } }: ProcessInfo): number {
  return stdout.end + stderr.end;
}

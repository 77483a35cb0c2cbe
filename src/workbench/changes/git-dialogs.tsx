import { useSignal } from '@preact/signals';
import { ClashDialog } from '../checkpoints/clash-dialog.tsx';
import { Dialog } from '../shell/dialog.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { longTime } from '../words.ts';
import { BranchList } from './branch-list.tsx';
import type { GitDialog } from './git-dialog.ts';

type Of<K extends GitDialog['kind']> = Extract<GitDialog, { kind: K }>;

/** Whatever source control asks now. */
export function GitDialogs({ dialog }: { dialog: GitDialog }) {
  switch (dialog.kind) {
    case 'question':
      return <Question key={dialog.title} dialog={dialog} />;
    case 'text':
      return <TextQuestion key={dialog.title} dialog={dialog} />;
    case 'credentials':
      return <CredentialsQuestion key={String(dialog.refused)} dialog={dialog} />;
    case 'branches':
      return <BranchList />;
    case 'stashes':
      return <Stashes />;
    case 'clash':
      return <ClashDialog clash={dialog.clash} />;
  }
}

function Cancel() {
  const { overlay } = useWorkbench();
  return (
    <button type="button" class="btn" onClick={() => (overlay.value = undefined)}>
      Cancel
    </button>
  );
}

function Question({ dialog }: { dialog: Of<'question'> }) {
  const { overlay } = useWorkbench();
  const { title, text, files = [], choices, dismiss = 'Cancel' } = dialog;
  const isLoss = choices.every(({ tone }) => tone === 'bad');
  return (
    <Dialog label={title} class="dlg ask" centred>
      <h1>{title}</h1>
      <p class="dim">{text}</p>
      {files.length > 0 && (
        <ul class="ask-files" aria-label="Files" tabIndex={0}>
          {files.map((file) => (
            <li key={file} class="path ell" title={file}>
              {file}
            </li>
          ))}
        </ul>
      )}
      <div class="btns">
        {choices.map(({ label, tone, run }, index) => (
          <button
            key={label}
            type="button"
            class={`btn${tone === 'pri' ? ' pri' : ''}${tone === 'bad' ? ' lose' : ''}`}
            data-first={index === 0 && !isLoss ? true : undefined}
            onClick={() => {
              overlay.value = undefined;
              run();
            }}
          >
            {label}
          </button>
        ))}
        <button type="button" class="btn" data-first={isLoss ? true : undefined} onClick={() => (overlay.value = undefined)}>
          {dismiss}
        </button>
      </div>
    </Dialog>
  );
}

function TextQuestion({ dialog }: { dialog: Of<'text'> }) {
  const { overlay } = useWorkbench();
  const { title, label, text, initial, action, optional = false, run } = dialog;
  const value = useSignal(initial);
  const isReady = optional || (value.value.trim() !== '' && value.value.trim() !== (initial === '' ? undefined : initial));
  // A proposed name is as good as a typed one.
  const isProposed = initial !== '' && action.startsWith('Create') && value.value.trim() !== '';
  return (
    <Dialog label={title} class="dlg ask" centred>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!isReady && !isProposed) return;
          overlay.value = undefined;
          run(value.value.trim());
        }}
      >
        <h1>{title}</h1>
        {text !== undefined && <p class="dim">{text}</p>}
        <label class="lab" for="ask-text">
          {label}
          {optional && <span class="faint"> (may be left empty)</span>}
        </label>
        <input
          id="ask-text"
          class="inp"
          data-first
          autocomplete="off"
          spellcheck={false}
          maxLength={250}
          value={value.value}
          onInput={(event) => (value.value = event.currentTarget.value)}
        />
        <div class="btns">
          <button type="submit" class="btn pri" disabled={!isReady && !isProposed}>
            {action}
          </button>
          <Cancel />
        </div>
      </form>
    </Dialog>
  );
}

function CredentialsQuestion({ dialog }: { dialog: Of<'credentials'> }) {
  const { overlay } = useWorkbench();
  const { title, refused, run } = dialog;
  const username = useSignal('');
  const password = useSignal('');
  return (
    <Dialog label={title} class="dlg ask" centred>
      <form
        autocomplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          if (password.value === '') return;
          overlay.value = undefined;
          run({ username: username.value.trim() || 'git', password: password.value });
        }}
      >
        <h1>{title}</h1>
        <p class="dim">What you type is used for this one call and kept nowhere. A token goes where the password is.</p>
        {refused && (
          <p class="sm bad row" role="alert">
            <Icon name="err" />
            <span>It did not take that name and password.</span>
          </p>
        )}
        <label class="lab" for="ask-user">
          Name
        </label>
        <input
          id="ask-user"
          class="inp"
          data-first
          autocomplete="off"
          spellcheck={false}
          value={username.value}
          onInput={(event) => (username.value = event.currentTarget.value)}
        />
        <label class="lab" for="ask-password">
          Password or token
        </label>
        <input
          id="ask-password"
          class="inp"
          type="password"
          autocomplete="off"
          value={password.value}
          onInput={(event) => (password.value = event.currentTarget.value)}
        />
        <div class="btns">
          <button type="submit" class="btn pri" disabled={password.value === ''}>
            Go on
          </button>
          <Cancel />
        </div>
      </form>
    </Dialog>
  );
}

function Stashes() {
  const workbench = useWorkbench();
  const { git, branches } = workbench;
  const { value: stashes } = git.stashes;
  const now = workbench.now();
  return (
    <Dialog label="Put aside" class="pop stashes" titled>
      {stashes.length === 0 ? (
        <p class="hint">Nothing is put aside.</p>
      ) : (
        <ul class="lst">
          {stashes.map((stash) => (
            <li key={stash.hash} class="stash row">
              <span class="grow">
                <span class="ell" dir="auto" title={stash.subject}>
                  {stash.subject}
                </span>
                <span class="sub">{longTime(stash.at, now)}</span>
              </span>
              <button
                type="button"
                class="btn sm"
                aria-label={`Apply ${stash.subject}`}
                onClick={() => void branches.stash('apply', stash)}
              >
                Apply
              </button>
              <button
                type="button"
                class="btn sm"
                aria-label={`Apply and drop ${stash.subject}`}
                onClick={() => void branches.stash('pop', stash)}
              >
                Apply and drop
              </button>
              <button
                type="button"
                class="ib"
                aria-label={`Drop ${stash.subject}`}
                title="Drop"
                onClick={() => void branches.stash('drop', stash)}
              >
                <Icon name="bin" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  );
}

// Every bound on what a peer or a folder can make grow, what happens beyond it, and the test that shows it. Values are read from the code.
import fs from 'node:fs';
import path from 'node:path';
import { optionRow } from '../src/config/options.ts';
import { defaultPeerLimits } from '../src/core/peer.ts';

const root = path.dirname(import.meta.dirname);

/** `unit` says how a number is shown; `beyond` what happens; `test` is a file and a title in it, absent where no test stands for the limit yet. */
export const limitParts = [
  {
    name: 'Calls',
    rows: [
      option('limits.inputBytes', '`INPUT_TOO_LARGE`', [
        'src/transports/http/http.test.ts',
        'with a body that is no JSON, too long or of another type is refused',
      ]),
      option('limits.outputBytes', '`OUTPUT_TOO_LARGE`', [
        'src/contract/dispatch.test.ts',
        'is bounded, as is each item and all that is gathered',
      ]),
      option('limits.uploadBytes', '`INPUT_TOO_LARGE`; the file is as it was', [
        'src/services/workspace/operations.test.ts',
        'stops at its limit and leaves nothing',
      ]),
      option('limits.callsPerCaller', '`TOO_MANY`', [
        'src/contract/dispatch.test.ts',
        'when the caller has too many in flight; other callers do not notice',
      ]),
      option('limits.requestsPerMinute', '`TOO_MANY`, with `Retry-After`'),
      constant('tokens that are kept', 'src/sidecar/callers.ts', 'MAX_TOKENS', 'count', '`TOO_MANY`', [
        'src/sidecar/callers.test.ts',
        'tokens that ended make room for new ones after a day, revoked or expired',
      ]),
      option('stopGraceMs', 'calls under way are ended', [
        'src/sidecar/drain.test.ts',
        'after the grace the answer is no, and the next wait starts afresh',
      ]),
    ],
  },
  {
    name: 'Processes, terminals, deployments',
    rows: [
      option('processes.max', '`TOO_MANY_PROCESSES`', [
        'src/services/processes/process-table.test.ts',
        'there is an end to how many run, and to how many are remembered',
      ]),
      option('processes.keep', 'the oldest is forgotten, with its output', [
        'src/services/processes/process-table.test.ts',
        'there is an end to how many run, and to how many are remembered',
      ]),
      option('processes.headBytes', 'what follows is kept as long as it is of the end; the rest is counted', [
        'src/services/processes/process-table.test.ts',
        'of endless output the start and the end are kept, with nobody there, and what is between is counted',
      ]),
      option('processes.tailBytes', 'what came before is counted', [
        'src/services/processes/process-table.test.ts',
        'of endless output the start and the end are kept, with nobody there, and what is between is counted',
      ]),
      option('terminals.scrollback', 'older lines are gone from the screen', [
        'src/services/terminals/terminals.test.ts',
        'who comes later sees the true screen: colours, the other buffer, the title, and what was scrolled away',
      ]),
      constant(
        'what a terminal has not shown yet',
        'src/services/terminals/screen.ts',
        'MAX_BEHIND_BYTES',
        'bytes',
        'the program is held back',
        [
          'src/services/terminals/terminals.test.ts',
          'a viewer who is slow gets the screen instead of everything that led to it, and ends with the same',
        ],
      ),
      option('odoo.timeoutMs', 'the program is ended, the deployment failed', [
        'test/flows/deploy.test.ts',
        'one at a time; what takes too long is ended, also when it does not listen',
      ]),
      constant('lines of a log that the page holds', 'src/workbench/processes/log-lines.ts', 'lines', 'count', 'the oldest are dropped', [
        'src/workbench/processes/log-lines.test.ts',
        'of endless output the end stays, within its bounds',
      ]),
      constant(
        'text of a log that the page holds',
        'src/workbench/processes/log-lines.ts',
        'characters',
        'characters',
        'the oldest lines are dropped',
        ['src/workbench/processes/log-lines.test.ts', 'of endless output the end stays, within its bounds'],
      ),
      option('deploy.keep', 'the oldest is forgotten'),
    ],
  },
  {
    name: 'Connections',
    rows: [
      option('limits.connections', '`TOO_MANY` before the handshake', [
        'src/net/websocket.test.ts',
        'sockets beyond the most are refused before the handshake',
      ]),
      constant('TCP connections of a listener', 'src/net/listener.ts', 'maxConnections', 'count', 'the connection is closed', [
        'src/net/listener.test.ts',
        'connections beyond the most are turned away',
      ]),
      constant('time for the head of a request', 'src/net/listener.ts', 'headersTimeoutMs', 'ms', '408 and the connection is closed', [
        'src/net/listener.test.ts',
        'a head that does not come whole in time is refused',
      ]),
      constant('silence inside a request, or between two', 'src/net/listener.ts', 'idleTimeoutMs', 'ms', 'the connection is closed', [
        'src/net/listener.test.ts',
        'a body that stops coming ends the connection; an answer that takes its time does not',
      ]),
      constant('head of a request', 'src/net/listener.ts', 'maxHeaderBytes', 'bytes', '431 and the connection is closed'),
      constant('a reader of an answer that takes nothing', 'src/net/response-flow.ts', 'stallMs', 'ms', 'the call is canceled'),
      option('limits.heartbeatMs', 'a socket that is silent for twice as long is cut', [
        'src/net/websocket.test.ts',
        'a socket that answers no ping is cut; one that does is kept',
      ]),
    ],
  },
  {
    name: 'RPC',
    rows: [
      option('limits.frameBytes', '`BAD_FRAME`; far beyond it close 1009', [
        'src/transports/ws/ws.test.ts',
        'a message far over the limit ends the socket',
      ]),
      value('requests in flight on a connection', defaultPeerLimits.maxRequests, 'count', '`TOO_MANY`', [
        'src/core/peer.test.ts',
        'beyond the number of requests in flight is refused',
      ]),
      value('messages that can not be understood', defaultPeerLimits.maxBadFrames, 'count', '`BAD_FRAME` each; one more and close 1002', [
        'src/core/peer.test.ts',
        'is given up after too much junk, each piece answered until then',
      ]),
      value(
        'a message that is sent',
        defaultPeerLimits.maxSendLength,
        'characters',
        '`OUTPUT_TOO_LARGE`, or `INPUT_TOO_LARGE` for a request',
        ['src/core/peer.test.ts', 'with an answer over the limit says so'],
      ),
      value('bytes queued for a slow reader', defaultPeerLimits.pauseAboveBytes, 'bytes', 'streams wait and nothing more is read from it', [
        'src/core/peer.test.ts',
        'waits while the socket has too much queued, and reading is paused',
      ]),
      value('bytes queued for a reader that stands still', defaultPeerLimits.maxBufferedBytes, 'bytes', 'close 4508', [
        'src/core/peer.test.ts',
        'is given up when the other side leaves too much unread',
      ]),
      constant(
        'frames of one stream under way without credit',
        'src/core/peer-stream.ts',
        'windowFrames',
        'count',
        'the call ends with `BAD_FRAME`',
        ['src/core/peer.test.ts', 'sent beyond its credit ends the call that it belongs to'],
      ),
      constant('items of one frame together', 'src/core/peer-stream.ts', 'maxItemsLength', 'characters', 'they go in several frames', [
        'src/core/peer.test.ts',
        'carries what is emitted together in one frame, of 64 KiB at most',
      ]),
      constant('bytes of one frame', 'src/core/peer-stream.ts', 'maxBytesLength', 'bytes', '`BAD_FRAME`', [
        'src/core/peer.test.ts',
        'of bytes is cut into frames of 64 KiB, in both directions',
      ]),
      constant('time between keepalives, at least', 'src/core/peer.ts', 'minKeepaliveMs', 'ms', 'they come no more often', [
        'src/core/peer.test.ts',
        'come while nothing else does, at most once a second, and end with the request',
      ]),
      constant('calls under way after the end of stdin', 'src/transports/stdio/stdio.ts', 'defaultDrainMs', 'ms', 'they are aborted', [
        'src/transports/stdio/stdio.test.ts',
        'a call without an end is aborted some time after the input ended',
      ]),
    ],
  },
  {
    name: 'Files and changes',
    rows: [
      constant('a path', 'src/contract/paths.ts', 'MAX_PATH_BYTES', 'bytes', '`BAD_PATH`', [
        'src/contract/paths.test.ts',
        'a wire path is refused for what would leave the folder or can not be a name',
      ]),
      constant('links followed for one path', 'src/services/workspace/containment.ts', 'MAX_LINKS', 'count', '`PATH_ESCAPES`', [
        'src/services/workspace/containment.test.ts',
        'loops end, and dangling links inside are made by a write',
      ]),
      constant('a file read or written in one turn', 'src/services/workspace/content.ts', 'SMALL_BYTES', 'bytes', 'it is taken in pieces'),
      constant(
        'a file known by its hash',
        'src/services/workspace/content.ts',
        'HASH_MAX_BYTES',
        'bytes',
        'it is known by inode, size and time',
        ['src/services/workspace/workspace.test.ts', 'of a file too large to hash is known by the same ETag when it is read'],
      ),
      constant('changes of one batch', 'src/contract/files.ts', 'MAX_BATCH_CHANGES', 'count', '`BAD_INPUT`', [
        'src/services/workspace/batch.test.ts',
        'a thousand changes are made in one go; one more, or too many bytes, or too long an answer, is refused before',
      ]),
      constant(
        'new contents of one batch together, and the files that it reads',
        'src/services/workspace/batch-plan.ts',
        'MAX_BATCH_BYTES',
        'bytes',
        '`INPUT_TOO_LARGE`; nothing is changed',
        [
          'src/services/workspace/batch.test.ts',
          'a thousand changes are made in one go; one more, or too many bytes, or too long an answer, is refused before',
        ],
      ),
      constant(
        'earlier contents in the undo of a batch',
        'src/services/workspace/batch-plan.ts',
        'MAX_UNDO_BYTES',
        'bytes',
        '`notUndoable` says so instead',
        ['src/services/workspace/batch.test.ts', 'says what can not be undone, and why'],
      ),
      constant(
        'entries in a folder that a batch removes',
        'src/services/workspace/batch-plan.ts',
        'MAX_REMOVED',
        'count',
        '`INPUT_TOO_LARGE`',
      ),
      option('changes.keep', 'older cursors are answered with `resync`', [
        'src/services/workspace/journal.test.ts',
        'that is older than what is kept, or ahead, or no cursor, is never answered with a gap',
      ]),
      option('git.timeoutMs', '`PROCESS_TIMEOUT`; the whole group of processes is ended', [
        'src/services/git/git.test.ts',
        'a hook that hangs is ended with all that it started; one that refuses is quoted',
      ]),
      constant(
        'output of a program',
        'src/services/processes/processes.ts',
        'DEFAULT_MAX_OUTPUT_BYTES',
        'bytes',
        'the rest is left out and counted',
        ['src/services/git/git.test.ts', 'a patch that is too long ends with a line, and says how much is missing'],
      ),
    ],
  },
  {
    name: 'git',
    rows: [
      option('git.networkTimeoutMs', '`PROCESS_TIMEOUT`; the whole group of processes is ended', [
        'src/services/git/network.test.ts',
        'a conversation that hangs is ended when the call is, with all its programs, and keeps nobody from committing',
      ]),
      constant('commands that only read at once', 'src/services/git/git.ts', 'MAX_READERS', 'count', 'they wait for their turn'),
      constant(
        'conversations with other machines at once',
        'src/services/git/git.ts',
        'MAX_CONVERSATIONS',
        'count',
        'they wait for their turn',
      ),
      constant('a list that git gives', 'src/services/git/git.ts', 'MAX_LIST_BYTES', 'bytes', '`"truncated":true`'),
      value('lines of all hunks of one answer', 100_000, 'count', 'whole hunks are left out and counted', [
        'src/services/git/hunks.test.ts',
        'too many lines end the answer between two hunks, and what is left out is counted',
      ]),
      constant('files of which hunks are named', 'src/services/git/staging.ts', 'MAX_HUNK_FILES', 'count', '`BAD_INPUT`', [
        'src/services/git/hunks.test.ts',
        'hunks of too many files are refused, and so is a file that is named twice over',
      ]),
      constant('files that git does not know, of one answer', 'src/services/git/untracked.ts', 'MAX_FILES', 'count', '`truncated`', [
        'src/services/git/hunks.test.ts',
        'lines are counted without being sent, and what is too large or too many is said to be cut',
      ]),
      constant(
        'progress that waits for a slow listener',
        'src/services/git/progress-feed.ts',
        'MAX_PHASES',
        'count',
        'the newest of each phase is told',
        ['src/services/git/parse-progress.test.ts', 'a slow listener gets the newest of each phase, and the last'],
      ),
      constant('a line of progress', 'src/services/git/parse-progress.ts', 'MAX_LINE', 'characters', 'it is no progress', [
        'src/services/git/parse-progress.test.ts',
        'pieces may end anywhere, and a line that never ends is not kept',
      ]),
      constant('wait after commits that failed by themselves', 'src/services/git/auto-commit.ts', 'MAX_WAIT_MS', 'ms', 'it grows no more', [
        'src/services/git/auto-commit.test.ts',
        'a failure is told once for each try, later each time, and does not go round',
      ]),
      constant(
        'files of a commit whose editors are named',
        'src/services/git/co-authors.ts',
        'MAX_PATHS',
        'count',
        'those of further files are not',
      ),
    ],
  },
  {
    name: 'Documents',
    rows: [
      option('documents.maxBytes', '`DOCUMENT_TOO_LARGE`, close 4415', [
        'test/flows/documents.test.ts',
        'binary, invalid and oversize files, folders and escapes are refused for good, with a reason',
      ]),
      constant(
        'saves that begin by themselves',
        'src/services/documents/save-pace.ts',
        'SAVES_PER_SECOND',
        'count',
        'they wait for their turn; the log has what was typed',
        ['src/services/documents/save-pace.test.ts', 'a few saves begin at once; of hundreds, the rest follow in order and evenly spaced'],
      ),
      option('documents.maxOpen', '`TOO_MANY_DOCUMENTS`, close 4529; one that nobody is in is put away first'),
      option('limits.documentFrameBytes', 'close 1009', [
        'src/net/websocket.test.ts',
        'a message over the limit closes the socket with 1009',
      ]),
      constant(
        'bytes queued for a slow member',
        'src/services/documents/room.ts',
        'MAX_BEHIND_BYTES',
        'bytes',
        'it is skipped, then gets the whole state',
      ),
      constant('presence of one client', 'src/services/documents/presence.ts', 'MAX_STATE_CHARS', 'characters', 'close 4422'),
      constant('clients behind one socket', 'src/services/documents/presence.ts', 'MAX_CLIENTS_PER_CHANNEL', 'count', 'close 4422'),
      constant(
        'stored documents',
        'src/services/documents/document-store.ts',
        'KEEP_DOCUMENTS',
        'count',
        'the history of those used longest ago is forgotten; their files stay',
      ),
      constant(
        'one segment of the update log',
        'src/services/documents/document-store.ts',
        'SEGMENT_BYTES',
        'bytes',
        'documents are written whole and the log begins anew',
      ),
    ],
  },
  {
    name: 'Search',
    rows: [
      constant('time of one search', 'src/services/search/ripgrep.ts', 'SEARCH_TIMEOUT_MS', 'ms', '`PROCESS_TIMEOUT`'),
      constant('an expression without ripgrep', 'src/services/search/plain-search.ts', 'TIMEOUT_MS', 'ms', '`PROCESS_TIMEOUT`', [
        'test/flows/search.test.ts',
        'without ripgrep a search answers all the same, and says that it is plain',
      ]),
      constant('file that is indexed', 'src/services/search/indexed-search.ts', 'MAX_FILE_BYTES', 'bytes', 'each search reads it'),
      constant(
        'wait of a search for the newest change',
        'src/services/search/search.ts',
        'CATCH_UP_MS',
        'ms',
        'all files are read instead',
      ),
      constant(
        'file that is searched without ripgrep',
        'src/services/search/plain-search-worker.ts',
        'MAX_FILE_BYTES',
        'bytes',
        'it is left out',
      ),
      constant(
        'a message of ripgrep that is read whole',
        'src/services/search/rg-messages.ts',
        'maxBytes',
        'bytes',
        'of a longer line only the part around its first match is read',
        [
          'src/services/search/long-line.test.ts',
          'of a line of megabytes the part around the first match is shown, with all matches in it and where it stands',
        ],
      ),
      constant('file with an outline', 'src/services/search/operations.ts', 'MAX_OUTLINE_BYTES', 'bytes', '`OUTPUT_TOO_LARGE`', [
        'test/flows/search-load.test.ts',
        'a line of 100 MB is searched, shown around its match, and not held in memory; its outline is refused',
      ]),
      constant(
        'symbols that are kept',
        'src/services/search/symbols.ts',
        'MAX_SYMBOLS',
        'count',
        'further files have none, and `complete` is false',
      ),
    ],
  },
  {
    name: 'MCP',
    rows: [
      constant(
        'sessions',
        'src/transports/mcp/sessions.ts',
        'maxSessions',
        'count',
        'the one unused for longest makes room, else `TOO_MANY`',
      ),
      constant('sessions of one caller', 'src/transports/mcp/sessions.ts', 'maxSessionsPerCaller', 'count', 'as above'),
      constant(
        'an answer of a tool',
        'src/transports/mcp/mcp-server.ts',
        'defaultMaxResultBytes',
        'bytes',
        'its middle is left out, counted and said',
        ['test/flows/mcp.test.ts', 'answers are bounded: beginning and end stay, and what is left out is counted and said'],
      ),
      constant('content of a resource', 'src/transports/mcp/mcp-server.ts', 'defaultMaxResourceBytes', 'bytes', '`OUTPUT_TOO_LARGE`', [
        'test/flows/mcp.test.ts',
        'a resource that is too long is refused whole, and a long list comes in pages',
      ]),
      constant(
        'resources that are listed',
        'src/transports/mcp/resources.ts',
        'maxListed',
        'count',
        'they are reached by their address alone',
      ),
    ],
  },
  {
    name: 'A host and its child',
    rows: [
      constant('edits of one batch', 'src/supervisor/apply-edits.ts', 'maxEdits', 'count', '`invalidEdit`'),
      constant('file in a batch', 'src/supervisor/apply-edits.ts', 'maxFileBytes', 'bytes', '`invalidEdit`'),
      constant('a line of the child’s log', 'src/supervisor/child-link.ts', 'maxLogLineBytes', 'bytes', 'the rest of it is left out'),
      constant('files watched without a sidecar', 'src/supervisor/node-watch.ts', 'maxFiles', 'count', 'changes are not told'),
    ],
  },
  {
    name: 'Platxa shapes',
    rows: [
      option('limits.jsonMessagesPerS', 'close 4003', [
        'test/flows/platxa.test.ts',
        'too many messages a second end the socket, a burst below the limit does not',
      ]),
      constant('an upload of `POST /files/{path}/upload`', 'src/adapters/platxa/rest.ts', 'MAX_UPLOAD_BYTES', 'bytes', '413', [
        'test/flows/platxa.test.ts',
        'uploads take bytes as they are, up to 10 MB, whole or not at all',
      ]),
      constant('entries of `GET /files`', 'src/adapters/platxa/rest.ts', 'MAX_FILES', 'count', '`"truncated":true`'),
      constant('documents of one socket', 'src/adapters/platxa/json-socket.ts', 'MAX_DOCUMENTS', 'count', '`TOO_MANY_DOCUMENTS`'),
    ],
  },
  {
    name: 'Code runs',
    rows: [
      option('code.atOnce', 'the run waits its turn', [
        'test/flows/code-runs.test.ts',
        'runs wait their turn, say how many are before them, and one too many is refused',
      ]),
      option('code.queue', '`TOO_MANY_RUNS`', [
        'test/flows/code-runs.test.ts',
        'runs wait their turn, say how many are before them, and one too many is refused',
      ]),
      option('code.maxWallMs', 'the limit is this, and a note says so', [
        'test/flows/code-runs.test.ts',
        'limits that are out of bounds are brought into them, and said',
      ]),
      option('code.maxMemoryBytes', 'the limit is this, and a note says so', [
        'test/flows/code-runs.test.ts',
        'limits that are out of bounds are brought into them, and said',
      ]),
      option('code.maxOutputBytes', 'the limit is this, and a note says so', [
        'test/flows/code-runs.test.ts',
        'limits that are out of bounds are brought into them, and said',
      ]),
      option('code.maxDiskBytes', 'the limit is this, and a note says so', [
        'test/flows/code-runs.test.ts',
        'limits that are out of bounds are brought into them, and said',
      ]),
      option('code.fileBytes', '`INPUT_TOO_LARGE`; one that a run wrote is not taken up, and counted'),
      option('code.sessionFiles', '`TOO_MANY_SESSION_FILES`; one that a run wrote is not taken up, and counted', [
        'test/flows/code-runs.test.ts',
        'code with NUL, of ten megabytes, with names of which nothing is left, and too many files',
      ]),
      option('code.producedFiles', 'they stay in the folder and are counted', [
        'test/flows/code-runs.test.ts',
        'code with NUL, of ten megabytes, with names of which nothing is left, and too many files',
      ]),
      option('code.sessions', '`TOO_MANY_SESSIONS`'),
      option('code.sessionMs', 'the session is removed, with its files'),
      option('code.stateBytes', 'a note says that it is not kept'),
      option('code.cacheBytes', 'what was used longest ago goes'),
      option('code.warm', 'a run starts cold'),
      option('code.live', 'the interpreter that was used longest ago ends; its variables are kept', [
        'test/flows/code-runs.test.ts',
        'variables live on in a session, in Python and in JavaScript, also when their interpreter is gone',
      ]),
    ],
  },
  {
    name: 'Code API and runner API',
    rows: [
      constant(
        'rounds of calls of tools of one program',
        'src/adapters/code-api/programmatic.ts',
        'MAX_ROUNDS',
        'count',
        '`"status":"error"`',
        ['test/flows/code-api.test.ts', 'are ended after 20 rounds'],
      ),
      constant('programs that call tools at a time', 'src/adapters/code-api/programmatic.ts', 'MAX_HELD', 'count', '429', [
        'test/flows/code-api.test.ts',
        'wait for no more than a few at a time, and end with the sidecar',
      ]),
      constant('the wait for the results of a round', 'src/adapters/code-api/programmatic.ts', 'HOLD_MS', 'ms', 'the program is ended'),
      constant('computing in one round', 'src/adapters/code-api/programmatic.ts', 'MAX_TIMEOUT_MS', 'ms', '`Time limit exceeded`'),
      constant('tools of one program', 'src/adapters/code-api/programmatic.ts', 'MAX_TOOLS', 'count', '400'),
      constant(
        'seconds of `timeout` of `POST /execute`',
        'src/adapters/runner/execute.ts',
        'MAX_TIMEOUT_S',
        's',
        'so much is taken, and the answer says so',
        ['test/flows/runner-api.test.ts', 'a time limit out of bounds is brought into them, and the answer says so'],
      ),
    ],
  },
  {
    name: 'Checkpoints',
    rows: [
      option('checkpoints.keep', 'the oldest are dropped', [
        'test/flows/checkpoints.test.ts',
        'the oldest checkpoints are dropped by count and by age, with the refs that kept their objects',
      ]),
      option('checkpoints.keepDays', 'they are dropped', [
        'test/flows/checkpoints.test.ts',
        'the oldest checkpoints are dropped by count and by age, with the refs that kept their objects',
      ]),
      option('checkpoints.maxFileBytes', 'the file is named, not stored', [
        'test/flows/checkpoints.test.ts',
        'ignored files, folders that are not watched, and files that are too large stay out, and are never touched',
      ]),
      constant('names of files that are too large', 'src/services/checkpoints/snapshots.ts', 'MAX_OMITTED', 'count', '`INPUT_TOO_LARGE`'),
      constant(
        'files of one restore or revert',
        'src/services/checkpoints/restoring.ts',
        'MAX_FILES',
        'count',
        '`INPUT_TOO_LARGE`; nothing is changed',
      ),
      constant(
        'contents that one restore or revert holds',
        'src/services/checkpoints/git-store.ts',
        'MAX_BLOB_BYTES',
        'bytes',
        '`OUTPUT_TOO_LARGE`',
      ),
      constant(
        'contents kept to tell people from runs under way',
        'src/services/checkpoints/other-hands.ts',
        'MAX_KEPT_BYTES',
        'bytes',
        'hunks of more are not told apart: revert asks about the whole file',
        [
          'src/services/checkpoints/tell-apart.test.ts',
          'more steps than are told apart, and more contents than are kept, are said to be lost',
        ],
      ),
      constant('the same of one file', 'src/services/checkpoints/other-hands.ts', 'MAX_FILE_BYTES', 'bytes', 'the same', [
        'src/services/checkpoints/tell-apart.test.ts',
        'what is too large to be kept is told apart by its hashes, or said to be lost',
      ]),
      constant('turns of people and a run at one file', 'src/services/checkpoints/other-hands.ts', 'MAX_STEPS', 'count', 'the same', [
        'src/services/checkpoints/tell-apart.test.ts',
        'more steps than are told apart, and more contents than are kept, are said to be lost',
      ]),
      constant(
        'wait of a run for the checkpoint before it',
        'src/services/checkpoints/checkpoints.ts',
        'MAX_WAIT_MS',
        'ms',
        'it starts without one',
      ),
    ],
  },
  {
    name: 'The exec agent',
    rows: [
      constant('connections with the token', 'native/exec-agent.c', 'MAX_CONNECTIONS', 'count', 'refused', [
        'test/flows/exec-agent-frames.test.ts',
        'more connections than it takes are refused until one ends',
      ]),
      constant('connections that have not shown the token', 'native/exec-agent.c', 'MAX_NEWCOMERS', 'count', 'others wait', [
        'test/flows/exec-agent-frames.test.ts',
        'who is slow or silent is cut off, and holds up those who come meanwhile for a moment alone',
      ]),
      constant('time to show the token', 'native/exec-agent.c', 'TOKEN_WITHIN_MS', 'ms', 'the connection is closed', [
        'test/flows/exec-agent-frames.test.ts',
        'who is slow or silent is cut off, and holds up those who come meanwhile for a moment alone',
      ]),
      constant('programs at once', 'native/exec-agent.c', 'DEFAULT_MAX_PROGRAMS', 'count', '`TOO_MANY_PROCESSES`', [
        'test/flows/exec-agent.test.ts',
        'two sidecars at once have programs of their own and share the limit of the agent',
      ]),
      constant('a command line with its variables', 'src/services/processes/agent-wire.ts', 'maxStartBytes', 'bytes', '`BAD_INPUT`', [
        'src/services/processes/agent-wire.test.ts',
        'a start that the agent would not take is none',
      ]),
      constant('arguments, and variables', 'src/services/processes/agent-wire.ts', 'maxStrings', 'count', '`BAD_INPUT`', [
        'src/services/processes/agent-wire.test.ts',
        'a start that the agent would not take is none',
      ]),
      constant('input on its way to a program', 'src/services/processes/agent-wire.ts', 'inputWindowBytes', 'bytes', 'who writes waits', [
        'test/flows/exec-agent.test.ts',
        'input comes whole at the pace of the program, and is dropped when nobody reads it',
      ]),
      constant(
        'output of a program that nobody read yet',
        'src/services/processes/agent-output.ts',
        'windowBytes',
        'bytes',
        'the program waits; an agent that sends more is given up',
        ['test/flows/exec-agent.test.ts', 'a slow reader holds a program of 100 MB back, and neither the agent nor we grow'],
      ),
      constant('frames that the agent has to send', 'native/exec-agent.c', 'ENOUGH_TO_SEND', 'bytes', 'it reads nothing more', [
        'test/flows/exec-agent-frames.test.ts',
        'a reader that takes nothing while it asks for much holds itself up, and nothing grows',
      ]),
    ],
  },
];

function option(key, beyond, test) {
  const row = optionRow(key);
  return { limit: `\`${key}\``, value: shown(row.default, row.unit), beyond, test };
}

function value(limit, number, unit, beyond, test) {
  return { limit, value: shown(number, unit), beyond, test };
}

function constant(limit, file, name, unit, beyond, test) {
  return value(limit, constantOf(file, name), unit, beyond, test);
}

/** `const NAME = 4 * 1024;`, `name: 20_000,` or `#define NAME (64u * 1024)` as it stands in a source file. */
function constantOf(file, name) {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  const found = new RegExp(`(?:const ${name} =|\\b${name}:|#define ${name}) \\(?([\\d_u *]+?)\\)? *[;,}\\n]`).exec(text);
  if (found === null) throw new Error(`There is no constant ${name} in ${file}.`);
  return found[1].split('*').reduce((product, factor) => product * Number(factor.replaceAll(/[_u]/g, '')), 1);
}

function shown(number, unit) {
  if (unit === 'ms') return number % 1000 === 0 ? `${number / 1000} s` : `${number} ms`;
  if (unit === 'bytes' || unit === 'characters') {
    const steps = ['', 'Ki', 'Mi', 'Gi'];
    let step = 0;
    let left = number;
    while (left >= 1024 && left % 1024 === 0 && step < steps.length - 1) {
      left /= 1024;
      step++;
    }
    const amount = left.toLocaleString('en');
    return unit === 'bytes' ? `${amount} ${steps[step]}B` : `${amount}${steps[step] === '' ? '' : ` ${steps[step]}`} characters`;
  }
  return number.toLocaleString('en');
}

// Every bound on what a peer or a folder can make grow, what happens beyond it, and the test that shows it. Values are read from the code.
import fs from 'node:fs';
import path from 'node:path';
import { optionRow } from '../src/config/options.ts';
import { defaultPeerLimits } from '../src/core/peer.ts';

const root = path.dirname(import.meta.dirname);

/** `unit` says how a number is shown; `beyond` what happens; `test` is a file and a title in it. */
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
      constant(
        'levels of arrays and objects in one another, in JSON',
        'src/core/json-text.ts',
        'MAX_JSON_DEPTH',
        'count',
        '`BAD_INPUT`, `BAD_FRAME`',
        ['test/flows/deep-json.test.ts', 'a body, a frame or a message that is nested deeper than 500 levels is a mistake of who sent it'],
      ),
      option('limits.uploadBytes', '`INPUT_TOO_LARGE`; the file is as it was', [
        'src/services/workspace/operations.test.ts',
        'stops at its limit and leaves nothing',
      ]),
      constant(
        'a name that somebody with the main token goes by',
        'src/contract/access.ts',
        'MAX_PERSON_CHARS',
        'characters',
        'it is cut',
        [
          'src/client/named-caller.test.ts',
          'who holds a token with others is told of by the own name, over ${over}; who has one alone, by that of the token',
        ],
      ),
      option('limits.callsPerCaller', '`TOO_MANY`', [
        'src/contract/dispatch.test.ts',
        'when the caller has too many in flight; other callers do not notice',
      ]),
      option('limits.requestsPerMinute', '`TOO_MANY`, with `Retry-After`', [
        'test/flows/limits.test.ts',
        'requests of one address beyond the most of a minute are refused, and told to come back',
      ]),
      constant(
        'addresses of which their requests are counted',
        'src/sidecar/request-counts.ts',
        'MAX_ADDRESSES',
        'count',
        'those that came longest ago are counted anew',
        [
          'src/sidecar/request-counts.test.ts',
          'of five thousand addresses it is known how often they asked, and of more those that came longest ago are counted anew',
        ],
      ),
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
      constant('arguments of a program', 'src/contract/processes.ts', 'MAX_ARGUMENTS', 'count', '`BAD_INPUT`', [
        'src/contract/counted.test.ts',
        'as many arguments, variables and parameters as may be are read; of one more argument none is',
      ]),
      constant('parameters of a deployment', 'src/contract/deploy.ts', 'MAX_PARAMETERS', 'count', '`BAD_INPUT`', [
        'src/contract/counted.test.ts',
        'arguments, variables and parameters are counted before one is read: of too many no more is said than that',
      ]),
      constant('variables that a program is given', 'src/contract/processes.ts', 'MAX_VARIABLES', 'count', '`BAD_INPUT`', [
        'src/services/processes/process-table.test.ts',
        'a program is given 1,000 variables; one more is refused wherever one is started',
      ]),
      constant(
        'arguments and variables of a program in a terminal',
        'src/services/processes/local-host.ts',
        'MAX_IN_TERMINAL',
        'count',
        '`BAD_INPUT`; it is not started',
        [
          'src/services/processes/local-host.test.ts',
          'takes 300 arguments and variables together; one more is refused, and it is not started',
        ],
      ),
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
      constant('links that a terminal of the page holds', 'src/core/guard-terminal.ts', 'MAX_LINKS', 'count', 'their text is text alone', [
        'src/core/guard-terminal.test.ts',
        'links that a program writes over one another fill no memory: ${most} are kept',
      ]),
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
      constant('pattern of a parameter of a deployment', 'src/services/deploy/plan-argv.ts', 'PATTERN_MS', 'ms', '`BAD_INPUT`', [
        'src/services/deploy/plan-argv.test.ts',
        'a pattern that an engine is caught in refuses the value after a second, and a default of it breaks the profile',
      ]),
      option('deploy.keep', 'the oldest is forgotten', [
        'src/services/deploy/deployments.test.ts',
        'what is remembered has an end, here and in the state, and the oldest goes',
      ]),
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
      constant('body that is read before anybody says who sends it', 'src/net/authenticate.ts', 'strangersBodyBytes', 'bytes', '401', [
        'test/flows/strangers.test.ts',
        'a long body of nobody is refused before it is read, wherever it is sent',
      ]),
      constant(
        'bodies of strangers together, in which a key may stand',
        'src/adapters/code-api/keyless-bodies.ts',
        'MAX_BYTES',
        'bytes',
        '`TOO_MANY`',
        [
          'test/flows/strangers.test.ts',
          'bodies in which a key may stand are read for strangers up to a sum, and those with a key in the header beside them',
        ],
      ),
      constant('time for the head of a request', 'src/net/listener.ts', 'headersTimeoutMs', 'ms', '408 and the connection is closed', [
        'src/net/listener.test.ts',
        'a head that does not come whole in time is refused',
      ]),
      constant('silence inside a request, or between two', 'src/net/listener.ts', 'idleTimeoutMs', 'ms', 'the connection is closed', [
        'src/net/listener.test.ts',
        'a body that stops coming ends the connection; an answer that takes its time does not',
      ]),
      constant('head of a request', 'src/net/listener.ts', 'maxHeaderBytes', 'bytes', '431 and the connection is closed', [
        'src/net/listener.test.ts',
        'a head of more than 64 KiB is refused, and its connection closed',
      ]),
      constant('a reader of an answer that takes nothing', 'src/net/response-flow.ts', 'stallMs', 'ms', 'the call is canceled', [
        'src/net/response-flow.test.ts',
        'a reader that takes nothing for two minutes is given up, and its call is canceled',
      ]),
      constant(
        'what comes with a message in pieces, beyond what the message may hold',
        'src/net/websocket.ts',
        'BESIDE_MESSAGE_BYTES',
        'bytes',
        'the socket is cut',
        [
          'src/net/websocket.test.ts',
          'a message that comes in pieces keeps no more than it may hold and a MiB beside: who sends more among them is cut',
        ],
      ),
      option('limits.heartbeatMs', 'a socket that is silent for twice as long is cut', [
        'src/net/websocket.test.ts',
        'a socket that answers no ping is cut; one that does is kept',
      ]),
    ],
  },
  {
    name: 'RPC',
    rows: [
      option('limits.frameBytes', '`INPUT_TOO_LARGE` to a request, else `BAD_FRAME`; far beyond it close 1009', [
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
      constant('a file read or written in one turn', 'src/services/workspace/content.ts', 'SMALL_BYTES', 'bytes', 'it is taken in pieces', [
        'src/services/workspace/workspace.test.ts',
        'a file of up to 256 KiB is written and read in one turn; a longer one in pieces, between which others have theirs',
      ]),
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
        '`INPUT_TOO_LARGE`; nothing is changed',
        [
          'src/services/workspace/batch.test.ts',
          'a folder of 5,000 entries is removed in a batch; one entry more, and nothing of the batch is done',
        ],
      ),
      option('limits.outputBytes', 'of what edits may add to a text: `INPUT_TOO_LARGE`; nothing is changed', [
        'src/services/workspace/edit-work.test.ts',
        'edits that would add more than a whole text may hold are refused, and nothing is written',
      ]),
      constant(
        'times that long edits of an open document are worked out anew, as somebody types',
        'src/services/workspace/edit-file.ts',
        'MAX_EDIT_ATTEMPTS',
        'count',
        '`BUSY_FILE`; nothing is changed',
        [
          'src/services/workspace/edit-work.test.ts',
          'of a document in which somebody types all the time are given up; edits of a short one are not',
        ],
      ),
      option('changes.keep', 'older cursors are answered with `resync`', [
        'src/services/workspace/journal.test.ts',
        'that is older than what is kept, or ahead, or no cursor, is never answered with a gap',
      ]),
      option('git.timeoutMs', '`PROCESS_TIMEOUT`; the whole group of processes is ended', [
        'src/services/git/git.test.ts',
        'a filter that hangs is ended with all that it started',
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
      constant('commands that only read at once', 'src/services/git/git.ts', 'MAX_READERS', 'count', 'they wait for their turn', [
        'src/services/git/git.test.ts',
        'four commands read at once and two conversations go on; the next waits until one of them has ended',
      ]),
      constant(
        'conversations with other machines at once',
        'src/services/git/git.ts',
        'MAX_CONVERSATIONS',
        'count',
        'they wait for their turn',
        [
          'src/services/git/git.test.ts',
          'four commands read at once and two conversations go on; the next waits until one of them has ended',
        ],
      ),
      constant('a list that git gives', 'src/services/git/git.ts', 'MAX_LIST_BYTES', 'bytes', '`"truncated":true`', [
        'src/services/git/git.test.ts',
        'of a list of git that is longer than 64 MiB what follows is left out, no name is cut, and it is said',
      ]),
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
        [
          'src/services/git/committing.test.ts',
          'of the files of a commit the first 500 are asked for their editors, and it is said that there are more',
        ],
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
        'what an open document may grow to, times `documents.maxBytes`',
        'src/services/documents/sizes.ts',
        'GROWS_TO',
        'times',
        'close 4415; what came before is saved, and there after a crash',
        [
          'test/flows/documents-places.test.ts',
          'a document that grows past what may be opened is saved, and found again after kill -9; beyond four times that its writer is refused',
        ],
      ),
      constant(
        'all that is in an open document, times that',
        'src/services/documents/sizes.ts',
        'BYTES_OF_A_UNIT',
        'times',
        'likewise, at twice as much at the latest; it begins anew when it is opened again and nothing in it is unsaved',
        [
          'src/services/documents/documents.test.ts',
          'what is put into a document beside its text has an end, after which it begins anew; what is written over takes no room',
        ],
      ),
      constant(
        'levels of values, and of types, in one another in a document',
        'src/core/json-text.ts',
        'MAX_JSON_DEPTH',
        'count',
        'close 4422; what others sent is taken',
        [
          'src/services/documents/room.test.ts',
          'types in one another go down 500 levels; who makes more is refused, and what others sent in the same turn is taken',
        ],
      ),
      constant(
        'saves that begin by themselves',
        'src/services/documents/save-pace.ts',
        'SAVES_PER_SECOND',
        'count',
        'they wait for their turn; the log has what was typed',
        ['src/services/documents/save-pace.test.ts', 'a few saves begin at once; of hundreds, the rest follow in order and evenly spaced'],
      ),
      constant(
        'files that saves replaced and a program may have open',
        'src/services/documents/replaced-files.ts',
        'MOST_REPLACED',
        'count',
        'the one that was written to longest ago is let go; each of them is after five seconds',
        [
          'src/services/documents/replaced-files.test.ts',
          'is let go where more are replaced than may be followed: the one that was written to longest ago',
        ],
      ),
      constant('room of these on the disk', 'src/services/documents/replaced-files.ts', 'MOST_REPLACED_BYTES', 'bytes', 'likewise', [
        'src/services/documents/replaced-files.test.ts',
        'is let go where those that are followed would take more room on the disk than they may',
      ]),
      option('documents.maxOpen', '`TOO_MANY_DOCUMENTS`, close 4529; one that nobody is in is put away first', [
        'test/flows/documents.test.ts',
        'beyond the most that are open a document is refused, unless one that nobody is in can be put away for it',
      ]),
      constant(
        'documents that one caller is in, for each that may still be opened',
        'src/services/documents/shares.ts',
        'SHARE_OF_FREE',
        'count',
        '`TOO_MANY_DOCUMENTS`, close 4529; of `documents.maxOpen` nine tenths while nobody else is in any',
        [
          'src/services/documents/documents.test.ts',
          'one caller does not hold all that may be open: others can open some, and where others are it may always go',
        ],
      ),
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
        [
          'src/services/documents/room.test.ts',
          'a member with more than 1 MiB queued is skipped, and gets the whole state when it has taken that',
        ],
      ),
      constant('presence of one client', 'src/services/documents/presence.ts', 'MAX_STATE_CHARS', 'characters', 'close 4422', [
        'test/flows/documents.test.ts',
        'presence that is too long, or of too many clients behind one socket, ends that socket and no other',
      ]),
      constant('clients behind one socket', 'src/services/documents/presence.ts', 'MAX_CLIENTS_PER_CHANNEL', 'count', 'close 4422', [
        'test/flows/documents.test.ts',
        'presence that is too long, or of too many clients behind one socket, ends that socket and no other',
      ]),
      constant(
        'people who left and are known to have',
        'src/services/documents/presence.ts',
        'MAX_LEFT',
        'count',
        'the first of them are forgotten',
        ['src/services/documents/presence.test.ts', 'of 1,000 who left it is remembered'],
      ),
      constant(
        'refusals of documents that are remembered, for who asks again within a second',
        'src/adapters/y-websocket/refusals.ts',
        'MAX_REMEMBERED',
        'count',
        'the first of them are forgotten',
        ['src/adapters/y-websocket/refusals.test.ts', 'a thousand refusals are remembered, the last ones'],
      ),
      constant('how much later such a one is told', 'src/adapters/y-websocket/refusals.ts', 'HOLD_MS', 'ms', '–', [
        'src/adapters/y-websocket/refusals.test.ts',
        'who asks at once again for what is refused for good, as providers before y-websocket 3.1 do without end, is told so later each time',
      ]),
      constant(
        'documents on one socket of Hocuspocus',
        'src/adapters/hocuspocus/hocuspocus.ts',
        'MAX_CHANNELS',
        'count',
        'refused, with the reason',
        ['test/flows/hocuspocus.test.ts', 'a socket has a thousand documents at most'],
      ),
      constant('characters of their names there', 'src/adapters/hocuspocus/hocuspocus.ts', 'MAX_ADDRESS_CHARS', 'count', 'close 4422', [
        'test/flows/hocuspocus.test.ts',
        'what is no message closes the socket; what is for no open document, and what nobody knows, is passed over',
      ]),
      constant(
        'what is told there to somebody who does not read',
        'src/adapters/hocuspocus/document-channel.ts',
        'MAX_UNREAD_BYTES',
        'bytes',
        'nothing is read from there',
        ['test/flows/hocuspocus.test.ts', 'who sends and never reads is not read from, however much is to be told to it'],
      ),
      constant(
        'what comes there for a document that is being opened',
        'src/adapters/hocuspocus/document-channel.ts',
        'MAX_WAITING_BYTES',
        'bytes',
        'nothing is read until it is open',
        [
          'src/adapters/hocuspocus/document-channel.test.ts',
          'what comes before a document is open waits; beyond a bound nothing more is read',
        ],
      ),
      constant('sockets there that brought no token yet', 'src/net/websocket.ts', 'MAX_STRANGERS', 'count', '`TOO_MANY`', [
        'test/flows/hocuspocus.test.ts',
        'a hundred who say not who they are hold up nobody who says so with the upgrade',
      ]),
      constant('how long they may take', 'src/net/websocket.ts', 'STRANGER_MS', 'ms', 'close 4401', [
        'test/flows/hocuspocus.test.ts',
        'who says not who it is gets no document, and is closed after ten seconds; so is who sends too much before',
      ]),
      constant('what they may send until then', 'src/net/websocket.ts', 'STRANGER_BYTES', 'bytes', 'cut', [
        'test/flows/hocuspocus.test.ts',
        'who says not who it is gets no document, and is closed after ten seconds; so is who sends too much before',
      ]),
      constant(
        'clients in one presence message, beyond those that are there',
        'src/services/documents/room.ts',
        'MAX_UNKNOWN_PRESENT',
        'count',
        'close 4422',
        [
          'src/services/documents/room.test.ts',
          'presence of 10,000 clients more than are there is read, and of still more it ends the socket',
        ],
      ),
      constant(
        'clients that a member knows and the document does not',
        'src/services/documents/room.ts',
        'MAX_UNKNOWN_CLIENTS',
        'count',
        'close 4422',
        [
          'src/services/documents/room.test.ts',
          'who knows 200,000 clients more than the document is answered, and who knows still more is refused, also with read access',
        ],
      ),
      constant(
        'pieces that wait for others that nobody sent yet',
        'src/services/documents/waiting.ts',
        'MAX_WAITING_PIECES',
        'count',
        'close 4422; they are not taken',
        [
          'src/services/documents/room.test.ts',
          '100,000 pieces may wait for what nobody knows; who sends more that wait is refused, and the others go on',
        ],
      ),
      constant('clients of whom something waits so', 'src/services/documents/waiting.ts', 'MAX_WAITING_CLIENTS', 'count', 'the same', [
        'src/services/documents/room.test.ts',
        'something of 1,000 clients may wait for what nobody knows; who sends of more is refused, and the others go on',
      ]),
      constant('all that waits so', 'src/services/documents/waiting.ts', 'MAX_WAITING_BYTES', 'bytes', 'the same', [
        'src/services/documents/room.test.ts',
        '16 MiB may wait for what nobody knows; who sends more that wait is refused, and the others go on',
      ]),
      constant(
        'stored documents',
        'src/services/documents/document-store.ts',
        'KEEP_DOCUMENTS',
        'count',
        'the history of those used longest ago is forgotten; their files stay',
        [
          'src/services/documents/document-store.test.ts',
          'of 5,000 documents the history is kept; of more, the one used longest ago is forgotten, and its file stays',
        ],
      ),
      constant(
        'new ones beyond that, until they are counted',
        'src/services/documents/document-store.ts',
        'MOST_NEW',
        'count',
        'the same; what is open stays',
        [
          'src/services/documents/document-store.test.ts',
          'documents that are only looked at, one after the other, are forgotten while the sidecar runs',
        ],
      ),
      constant(
        'one segment of the update log',
        'src/services/documents/document-store.ts',
        'SEGMENT_BYTES',
        'bytes',
        'documents are written whole and the log begins anew',
        ['src/services/documents/documents.test.ts', 'a log of more than 16 MiB is begun anew, with each document written whole'],
      ),
    ],
  },
  {
    name: 'Search',
    rows: [
      constant(
        'time of one search',
        'src/services/search/ripgrep.ts',
        'SEARCH_TIMEOUT_MS',
        'ms',
        'what was found is answered, with `timedOut`; `search.replace`: `PROCESS_TIMEOUT`',
        [
          'src/services/search/search.test.ts',
          'a search that is not done after ten minutes is ended with its program, and answers what it found, as not all',
        ],
      ),
      constant('an expression without ripgrep', 'src/services/search/plain-search.ts', 'TIMEOUT_MS', 'ms', 'likewise', [
        'src/services/search/plain-search.test.ts',
        'an expression that is not done after a minute is ended',
      ]),
      constant('globs of one search without ripgrep', 'src/core/glob.ts', 'MAX_CHARACTERS', 'characters', '`BAD_PATTERN`', [
        'src/core/glob.test.ts',
        'a glob that is malformed, stands for too many, or is too long is refused, and what is wrong is said',
      ]),
      constant('globs that one stands for, there', 'src/core/glob.ts', 'MAX_ALTERNATIVES', 'count', '`BAD_PATTERN`', [
        'src/core/glob.test.ts',
        'a glob that is malformed, stands for too many, or is too long is refused, and what is wrong is said',
      ]),
      constant('file that is indexed', 'src/services/search/indexed-search.ts', 'MAX_FILE_BYTES', 'bytes', 'each search reads it', [
        'src/services/search/search.test.ts',
        'a file of more than 64 MiB is not in the index: each search reads it',
      ]),
      constant(
        'wait of a search for the newest change',
        'src/services/search/search.ts',
        'CATCH_UP_MS',
        'ms',
        'all files are read instead',
        [
          'src/services/search/search.test.ts',
          'a search waits 150 ms for the index to have the newest change, then reads all files and finds it',
        ],
      ),
      constant(
        'file that is searched without ripgrep',
        'src/services/search/plain-search-worker.ts',
        'MAX_FILE_BYTES',
        'bytes',
        'it is left out',
        ['src/services/search/plain-search.test.ts', 'a file of more than 128 MiB is left out, and the others are searched'],
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
      constant(
        'places that one call replaces',
        'src/services/search/rg-replacements.ts',
        'MAX_MATCHES',
        'count',
        '`OUTPUT_TOO_LARGE`; nothing is replaced',
        [
          'test/flows/search-replace.test.ts',
          'more than 500,000 places, or more than a batch holds of what they become, are refused, and nothing is replaced',
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
        [
          'src/services/search/symbols.test.ts',
          'when as many symbols are kept as may be, further files have none, and the answer is said not to be complete',
        ],
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
        'the caller’s own that is unused for longest makes room, else `TOO_MANY`',
        [
          'src/transports/mcp/endpoint.test.ts',
          'beyond the most of a caller, or of all, takes the place of its own idle one; where none is idle, it is refused',
        ],
      ),
      constant('sessions of one caller', 'src/transports/mcp/sessions.ts', 'maxSessionsPerCaller', 'count', 'as above', [
        'src/transports/mcp/endpoint.test.ts',
        'beyond the most of a caller, or of all, takes the place of its own idle one; where none is idle, it is refused',
      ]),
      constant(
        'an answer of a tool',
        'src/transports/mcp/mcp-server.ts',
        'defaultMaxResultBytes',
        'bytes',
        'its middle is left out, counted and said',
        ['test/flows/mcp.test.ts', 'answers are bounded: beginning and end stay, and what is left out is counted and said'],
      ),
      constant(
        'images in an answer of a tool, as base64',
        'src/transports/mcp/mcp-server.ts',
        'defaultMaxImageBytes',
        'bytes',
        'it is left out, and said',
        [
          'src/transports/mcp/item-images.test.ts',
          'images become content of their own up to so many bytes; what is no image, or can not be shown, stays as it is',
        ],
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
        ['src/transports/mcp/resources.test.ts', '20,000 entries are listed and no more; what lies beyond is read by its address'],
      ),
      constant('resources that one client follows', 'src/transports/mcp/resource-feed.ts', 'maxFollowed', 'count', '`TOO_MANY`', [
        'src/transports/mcp/resource-feed.test.ts',
        'beyond the most, no further resource is followed',
      ]),
      constant('addresses of one of them', 'src/transports/mcp/resource-feed.ts', 'maxSpellings', 'count', '`TOO_MANY`', [
        'src/transports/mcp/resource-feed.test.ts',
        'a resource is told by each spelling that was asked for, until that spelling is no more; beyond eight, none is taken',
      ]),
    ],
  },
  {
    name: 'A host and its child',
    rows: [
      constant('a host that takes no answer', 'src/transports/stdio/stdio.ts', 'defaultStallMs', 'ms', 'the connection ends', [
        'src/transports/stdio/stdio.test.ts',
        'a host that takes nothing for too long is given up, whose end would not be noticed; one that takes something is not',
      ]),
      constant('edits of one batch', 'src/supervisor/apply-edits.ts', 'maxEdits', 'count', '`invalidEdit`', [
        'src/supervisor/apply-edits.test.ts',
        'a batch of more than 10,000 edits is refused, and so is a file of more than 64 MiB, before or after',
      ]),
      constant('file in a batch', 'src/supervisor/apply-edits.ts', 'maxFileBytes', 'bytes', '`invalidEdit`', [
        'src/supervisor/apply-edits.test.ts',
        'a batch of more than 10,000 edits is refused, and so is a file of more than 64 MiB, before or after',
      ]),
      constant('a line of the child’s log', 'src/supervisor/child-link.ts', 'maxLogLineBytes', 'bytes', 'a note stands in its place', [
        'src/supervisor/sidecar-supervisor.test.ts',
        'a line of the log of the child is shown up to 8 KiB; in place of a longer one stands a note',
      ]),
      constant(
        'files watched without a sidecar',
        'src/supervisor/node-watch.ts',
        'maxFiles',
        'count',
        'changes are not told, only `resync` at each look',
        [
          'src/supervisor/node-backend.test.ts',
          'of more files than are watched no change is told, only again and again that all is to be read anew',
        ],
      ),
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
      constant('entries of `GET /files`', 'src/adapters/platxa/rest.ts', 'MAX_FILES', 'count', '`"truncated":true`', [
        'src/adapters/platxa/rest.test.ts',
        '100,000 entries are listed and no more, in one folder or in several, and it is said that there are more',
      ]),
      constant('documents of one socket', 'src/adapters/platxa/json-socket.ts', 'MAX_DOCUMENTS', 'count', '`TOO_MANY_DOCUMENTS`', [
        'src/adapters/platxa/json-socket.test.ts',
        'a socket may be in 1,000 documents; one more is refused, and the others go on',
      ]),
      constant(
        'what is told there to somebody who does not read',
        'src/adapters/platxa/json-socket.ts',
        'MAX_BEHIND_BYTES',
        'bytes',
        'nothing is read from there',
        [
          'src/adapters/platxa/json-socket.test.ts',
          'who sends and does not read is not read from until the answers are taken, whatever a document wants meanwhile',
        ],
      ),
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
      option('code.fileBytes', '`INPUT_TOO_LARGE`; one that a run wrote is not taken up, and counted', [
        'test/flows/code-faults.test.ts',
        'what a session may hold is bounded: files, their size, what one run gives back, and sessions',
      ]),
      option('code.sessionFiles', '`TOO_MANY_SESSION_FILES`; one that a run wrote is not taken up, and counted', [
        'test/flows/code-runs.test.ts',
        'code with NUL, of ten megabytes, with names of which nothing is left, and too many files',
      ]),
      option('code.sessionBytes', '`SESSION_FULL`; a run that adds more is ended', [
        'test/flows/code-faults.test.ts',
        'a session holds so much and no more, of runs and of uploads, until something is removed',
      ]),
      constant(
        'files and folders that one run makes',
        'src/services/exec/isolation/ladder.ts',
        'DEFAULT_NEW_FILES',
        'count',
        'the run is ended',
        [
          'test/flows/code-faults.test.ts',
          'too many files and folders too deep in one another end a run, and its answer says which it was',
        ],
      ),
      constant('levels of folders in that of a run', 'native/folders.h', 'DEEPEST', 'count', 'the run is ended', [
        'test/flows/code-faults.test.ts',
        'too many files and folders too deep in one another end a run, and its answer says which it was',
      ]),
      option('code.producedFiles', 'they stay in the folder and are counted', [
        'test/flows/code-runs.test.ts',
        'code with NUL, of ten megabytes, with names of which nothing is left, and too many files',
      ]),
      option('code.sessions', '`TOO_MANY_SESSIONS`', [
        'test/flows/code-faults.test.ts',
        'what a session may hold is bounded: files, their size, what one run gives back, and sessions',
      ]),
      option('code.sessionMs', 'the session is removed, with its files', [
        'test/flows/code-faults.test.ts',
        'sessions end after their life time with their folders, though nobody asks, and never with a run or an interpreter at work in them',
      ]),
      option('code.stateBytes', 'a note says that it is not kept', [
        'test/flows/code-sessions.test.ts',
        'variables are kept again and again: functions, what is made of others, let and const',
      ]),
      option('code.cacheBytes', 'what was used longest ago goes', [
        'src/services/exec/compile-cache.test.ts',
        'puts of one key at the same time leave one whole entry, and beyond its size the oldest go',
      ]),
      option('code.warm', 'a run starts cold', [
        'src/services/exec/interpreters/warm-pool.test.ts',
        'after the first run some wait for the next ones, each is given once, and others take their place',
      ]),
      option('code.live', 'the interpreter that was used longest ago ends; its variables are kept', [
        'test/flows/code-sessions.test.ts',
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
      constant('the wait for the results of a round', 'src/adapters/code-api/programmatic.ts', 'HOLD_MS', 'ms', 'the program is ended', [
        'src/adapters/code-api/programmatic.test.ts',
        'a program whose calls of tools nobody answers for five minutes is ended',
      ]),
      constant('computing in one round', 'src/adapters/code-api/programmatic.ts', 'MAX_TIMEOUT_MS', 'ms', '`Time limit exceeded`', [
        'src/adapters/code-api/programmatic.test.ts',
        'a program that computes for more than five minutes between its calls is ended, whatever time was asked for',
      ]),
      constant('tools of one program', 'src/adapters/code-api/programmatic.ts', 'MAX_TOOLS', 'count', '400', [
        'src/adapters/code-api/programmatic.test.ts',
        'a program may call a hundred tools, and no more',
      ]),
      constant(
        'seconds of `timeout` of `POST /execute`',
        'src/adapters/runner/execute.ts',
        'MAX_TIMEOUT_S',
        's',
        'so much is taken, and the answer says so',
        ['test/flows/runner-api.test.ts', 'a time limit out of bounds is brought into them, and the answer says so'],
      ),
      constant(
        'runs with variables of the runner API that wait for each other',
        'src/adapters/runner/working-folder.ts',
        'MAX_WAITING',
        'count',
        '`TOO_MANY_RUNS`',
        [
          'test/flows/runner-api.test.ts',
          'of runs with variables so many wait for each other in the folder; those who go away are none of them',
        ],
      ),
      constant(
        'runs of the runner API that wait for those that began before there were files',
        'src/adapters/runner/working-folder.ts',
        'MAX_WAITING',
        'count',
        '`TOO_MANY_RUNS`',
        [
          'test/flows/runner-api.test.ts',
          'so many runs wait for one that began before there were files; those who go away are none of them',
        ],
      ),
    ],
  },
  {
    name: 'The wire of E2B',
    rows: [
      constant('entries of one list', 'src/adapters/e2b/filesystem.ts', 'MAX_ENTRIES', 'count', '`resource_exhausted`', [
        'src/adapters/e2b/filesystem.test.ts',
        'a list has a hundred thousand entries, and one more is refused, however deep it lies',
      ]),
      constant('watchers that are asked', 'src/adapters/e2b/watching.ts', 'MAX_POLLED', 'count', '`resource_exhausted`', [
        'src/adapters/e2b/watching.test.ts',
        'there are a hundred watchers that are asked, and no more',
      ]),
      constant('events of one that nobody asks', 'src/adapters/e2b/watching.ts', 'MAX_EVENTS', 'count', '`out_of_range`, once', [
        'src/adapters/e2b/watching.test.ts',
        'of a watcher that nobody asks ten thousand events are kept, and who asks then is told that some are missing, once',
      ]),
      constant('a watcher that nobody asks', 'src/adapters/e2b/watching.ts', 'IDLE_MS', 'ms', 'it ends', [
        'src/adapters/e2b/watching.test.ts',
        'a watcher that nobody asks for ten minutes ends',
      ]),
    ],
  },
  {
    name: 'History of files',
    rows: [
      option('history.maxBytes', 'the oldest are dropped', [
        'src/services/history/kept-texts.test.ts',
        'the oldest go when there are too many, and when they are too old; what is seen again is young',
      ]),
      option('history.keepDays', 'they are dropped', [
        'src/services/history/kept-texts.test.ts',
        'the oldest go when there are too many, and when they are too old; what is seen again is young',
      ]),
      option('history.maxFileBytes', 'nothing is kept of the file', [
        'test/flows/history.test.ts',
        'nothing is kept of what is ignored, in a git folder, binary or too large',
      ]),
      constant('texts that wait to be stored', 'src/services/history/kept-texts.ts', 'MAX_WAITING', 'count', 'more are not kept', [
        'src/services/history/kept-texts.test.ts',
        'what can’t be stored is told once, and more than can wait is not kept',
      ]),
      constant('the same', 'src/services/history/kept-texts.ts', 'MAX_WAITING_BYTES', 'bytes', 'the same', [
        'src/services/history/kept-texts.test.ts',
        'what can’t be stored is told once, and more than can wait is not kept',
      ]),
      constant(
        'files that wait to be looked at',
        'src/services/history/text-keeper.ts',
        'MAX_WAITING',
        'count',
        'the oldest are passed over',
        ['src/services/history/text-keeper.test.ts', 'of more files than can wait the first are passed over'],
      ),
      constant(
        'renames that one look back follows',
        'src/services/workspace/path-history.ts',
        'MAX_MOVES',
        'count',
        'the history ends there',
        ['src/services/workspace/path-history.test.ts', 'a file that was moved a hundred times is followed no further'],
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
      constant('names of files that are too large', 'src/services/checkpoints/snapshots.ts', 'MAX_OMITTED', 'count', '`INPUT_TOO_LARGE`', [
        'test/flows/checkpoints.test.ts',
        'of ten thousand files that are too large a checkpoint says the names, and of more there is none',
      ]),
      constant(
        'files of one restore or revert',
        'src/services/checkpoints/restoring.ts',
        'MAX_FILES',
        'count',
        '`INPUT_TOO_LARGE`; nothing is changed',
        ['test/flows/checkpoints.test.ts', 'five thousand files are restored at once, and of more nothing'],
      ),
      constant(
        'contents that one restore or revert holds',
        'src/services/checkpoints/git-store.ts',
        'MAX_BLOB_BYTES',
        'bytes',
        '`OUTPUT_TOO_LARGE`',
        ['src/services/checkpoints/git-store.test.ts', 'contents of more than 128 MiB together are not held'],
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
        [
          'src/services/checkpoints/checkpoints.test.ts',
          'a run waits twenty seconds for the checkpoint before it, and begins without one then',
        ],
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
  {
    name: 'Hub',
    rows: [
      constant('sockets, of agents and of others', 'src/hub/hub.ts', 'maxAgents', 'count', '429 before the handshake', [
        'test/flows/hub-limits.test.ts',
        'connections beyond the most are refused before the handshake, and one that ends makes room',
      ]),
      constant(
        'new connections of agents a second',
        'src/hub/hub.ts',
        'connectsPerS',
        'count',
        '503 before the handshake, with `Retry-After`',
        [
          'test/flows/hub-entry.test.ts',
          'more connections than may come at once are told when to come, before anything else is done for them',
        ],
      ),
      constant('time to say who it is', 'src/hub/greet-agent.ts', 'IDENTIFY_WITHIN_MS', 'ms', 'close 1008', [
        'test/flows/hub-limits.test.ts',
        'a connection that does not say who it is is closed after ten seconds',
      ]),
      constant(
        'wrong secrets for one agent from one address in a minute',
        'src/hub/refusals.ts',
        'MAX_WRONG_SECRETS',
        'count',
        'close 1008, with the time to wait; the right one gets in all the same',
        ['test/flows/hub-entry.test.ts', 'a right secret gets in while somebody else guesses at its id, from the same address too'],
      ),
      constant(
        'wrong secrets from one address in a minute that are answered',
        'src/hub/refusals.ts',
        'MAX_ANSWERED',
        'count',
        'close 1008 without a word; the right one gets in all the same',
        ['test/flows/hub-entry.test.ts', 'a right secret gets in while somebody else guesses at its id, from the same address too'],
      ),
      constant(
        'addresses, and pairs of address and agent, whose wrong secrets are counted',
        'src/hub/refusals.ts',
        'MAX_COUNTED',
        'count',
        'those that came longest ago are counted anew',
        ['src/hub/refusals.test.ts', 'of ten thousand addresses it is known what they tried, and of those the last'],
      ),
      constant(
        'silence of an agent: `--heartbeat-ms`',
        'src/hub/hub.ts',
        'heartbeatMs',
        'ms',
        'silent for twice as long and 10 s more, its socket is cut',
        ['src/net/websocket.test.ts', 'a socket that answers no ping is cut; one that does is kept'],
      ),
      constant('a frame, either way', 'src/contract/hub.ts', 'MAX_HUB_FRAME_BYTES', 'bytes', 'close 1009', [
        'test/flows/hub.test.ts',
        'frames that make no sense are answered and survived, too many end the connection, and others never notice',
      ]),
      constant(
        'frames in a minute that make no sense',
        'src/hub/agent-session.ts',
        'MAX_BAD_FRAMES',
        'count',
        'each is answered; one more and close 1008',
        [
          'test/flows/hub.test.ts',
          'frames that make no sense are answered and survived, too many end the connection, and others never notice',
        ],
      ),
      constant('the same before it said who it is, in all', 'src/hub/agent-session.ts', 'MAX_BAD_FRAMES', 'count', 'the same', [
        'test/flows/hub-limits.test.ts',
        'whoever has not said who he is may say a hundred things that make no sense, and no more',
      ]),
      constant(
        'frames of an agent that wait for the disk',
        'src/hub/agent-session.ts',
        'MAX_PENDING',
        'count',
        'nothing more is read of it',
        ['src/hub/fleet.test.ts', 'of an agent of which a thousand frames wait for the disk nothing is read until one of them is stored'],
      ),
      constant('the same, together', 'src/hub/agent-session.ts', 'MAX_PENDING_LENGTH', 'characters', 'nothing more is read of it', [
        'src/hub/fleet.test.ts',
        'of an agent of which frames of eight megabytes wait for the disk nothing is read until one of them is stored',
      ]),
      constant('what an agent has not read', 'src/hub/agent-session.ts', 'MAX_UNREAD_BYTES', 'bytes', 'close 4004', [
        'src/hub/fleet.test.ts',
        'an agent that has not read eight megabytes of answers is closed',
      ]),
      constant('the same, while tasks go out', 'src/hub/agent-session.ts', 'FULL_BYTES', 'bytes', 'further tasks wait', [
        'src/hub/fleet.test.ts',
        'tasks wait for an agent that has much to read, and go out when it has read it, but for those that it has no more',
      ]),
      constant('time in which it reads, where tasks wait for that', 'src/hub/agent-session.ts', 'READ_WITHIN_MS', 'ms', 'close 4004', [
        'src/hub/fleet.test.ts',
        'an agent that reads nothing for fifteen seconds while tasks wait for it is closed, and they are another one’s at once',
      ]),
      constant('labels of an agent', 'src/contract/hub.ts', 'MAX_LABELS', 'count', '`validation_failed`', [
        'test/flows/hub-limits.test.ts',
        'what an agent says of itself has bounds',
      ]),
      constant('steps that verify a task, as a link takes it', 'src/contract/hub.ts', 'MAX_STEPS', 'count', 'the task fails', [
        'src/contract/hub.test.ts',
        'a task may have a thousand steps that verify it, and a hundred tries after the first; one of more can not be read, and its field is named',
      ]),
      constant('its tries after the first', 'src/contract/hub.ts', 'MAX_RETRIES', 'count', 'the task fails', [
        'src/contract/hub.test.ts',
        'a task may have a thousand steps that verify it, and a hundred tries after the first; one of more can not be read, and its field is named',
      ]),
      constant(
        'words of the command of a verification step',
        'src/contract/hub.ts',
        'MAX_COMMAND_WORDS',
        'count',
        '`BAD_INPUT`; of a link the task fails',
        ['src/contract/hub.test.ts', 'the command of a step may have a thousand words, and no more'],
      ),
      value('capabilities of an agent', 1000, 'count', '`validation_failed`', [
        'test/flows/hub-limits.test.ts',
        'an agent that says it can do more than a thousand things is not let in',
      ]),
      constant(
        'secrets of an agent that hold',
        'src/hub/agent-registry.ts',
        'MAX_SECRETS',
        'count',
        'the oldest that it was sent and did not use ends',
        [
          'src/hub/agent-registry.test.ts',
          'at most eight secrets of an agent hold: beyond that the oldest that it was sent and did not use ends',
        ],
      ),
      constant('bodies of requests', 'src/hub/hub.ts', 'maxInputBytes', 'bytes', '`INPUT_TOO_LARGE`', [
        'test/flows/hub-limits.test.ts',
        'too many tasks at once, one that is too long and a list that is too long are refused whole',
      ]),
      constant('an answer', 'src/hub/hub.ts', 'maxOutputBytes', 'bytes', '`OUTPUT_TOO_LARGE`', [
        'src/contract/dispatch.test.ts',
        'is bounded, as is each item and all that is gathered',
      ]),
      constant('calls of one caller under way', 'src/hub/hub.ts', 'MAX_CALLS', 'count', '`TOO_MANY`', [
        'src/contract/dispatch.test.ts',
        'when the caller has too many in flight; other callers do not notice',
      ]),
      constant('news that wait for one who looks on', 'src/hub/operations.ts', 'MAX_NEWS', 'count', 'the oldest go', [
        'src/hub/fleet-followers.test.ts',
        'who looks on and takes nothing hears of the newest hundred changes when he does',
      ]),
      constant('the same, together', 'src/hub/operations.ts', 'MAX_NEWS_BYTES', 'bytes', 'the oldest go, and the next says `resync`', [
        'src/hub/fleet-followers.test.ts',
        'what waits for one who looks on and takes nothing is some megabytes, and he hears that there was more',
      ]),
      constant(
        'tasks and agents in one piece of news',
        'src/hub/operations.ts',
        'MAX_PIECE_LENGTH',
        'count',
        'the rest comes in further pieces',
        ['src/hub/operations.test.ts', 'who looks on hears of very much at once in pieces, each of which an answer can be'],
      ),
      constant(
        'one piece of news',
        'src/hub/operations.ts',
        'MAX_PIECE_BYTES',
        'bytes',
        'the rest comes in further pieces; one task comes whole',
        ['src/hub/operations.test.ts', 'who looks on hears of very much at once in pieces, each of which an answer can be'],
      ),
      constant(
        'agents that are looked at in one turn of the event loop',
        'src/hub/operations.ts',
        'AGENTS_AT_ONCE',
        'count',
        'others get their turn in between',
        ['src/hub/operations.test.ts', 'a list is whole, and holds nobody up'],
      ),
      constant(
        'a list of tasks, and an audit',
        'src/hub/operations.ts',
        'MAX_LIST_BYTES',
        'bytes',
        'it ends there and says so; who asks goes on',
        [
          'src/hub/operations.test.ts',
          'a list that is longer than an answer may be ends before, says that there is more, and goes on where it ended',
        ],
      ),
      constant('connections at the stop', 'src/hub/hub.ts', 'STOP_WITHIN_MS', 'ms', 'they are cut', [
        'test/flows/hub-limits.test.ts',
        'a stop waits two seconds for a request that does not end, and cuts its connection',
      ]),
    ],
  },
  {
    name: 'Tasks of a hub',
    rows: [
      constant('tasks of one request', 'src/contract/hub-operations.ts', 'MAX_TASKS_AT_ONCE', 'count', '`BAD_INPUT`', [
        'test/flows/hub-limits.test.ts',
        'too many tasks at once, one that is too long and a list that is too long are refused whole',
      ]),
      constant('a description', 'src/contract/hub-operations.ts', 'MAX_DESCRIPTION_LENGTH', 'characters', '`BAD_INPUT`', [
        'test/flows/hub-limits.test.ts',
        'too many tasks at once, one that is too long and a list that is too long are refused whole',
      ]),
      constant('a task, as its agent is told of it', 'src/hub/task-frames.ts', 'MAX_TASK_BYTES', 'bytes', '`INPUT_TOO_LARGE`', [
        'test/flows/hub-limits.test.ts',
        'a task that is larger than an agent can be told of is refused, with those beside it; the largest that is not is done',
      ]),
      constant(
        'tasks of one list',
        'src/contract/hub-operations.ts',
        'MAX_LIST',
        'count',
        '`BAD_INPUT`; the next page begins `before` the last',
        ['test/flows/hub-limits.test.ts', 'too many tasks at once, one that is too long and a list that is too long are refused whole'],
      ),
      constant(
        'tasks of one list on AgentCom’s paths',
        'src/adapters/agentcom/agentcom.ts',
        'MAX_LISTED',
        'count',
        'the oldest are left out',
        ['test/flows/hub-limits.test.ts', 'of more than a thousand tasks AgentCom’s list lacks the oldest'],
      ),
      value('attempts of a task, unless it says otherwise', 3, 'count', '`dead`, until an operator gives it more', [
        'test/flows/hub.test.ts',
        'a result whose verification failed does not count, and attempts end in the dead letters',
      ]),
      constant('a lease: `--lease-ms`', 'src/hub/hub.ts', 'leaseMs', 'ms', 'the task is granted anew under the next fence', [
        'test/flows/hub.test.ts',
        'a lease that nobody renews ends, pings renew it, and what is not held any more is named in the pong',
      ]),
      constant('the same of AgentCom’s sidecar', 'src/hub/hub.ts', 'plainLeaseMs', 'ms', 'the same', [
        'src/hub/fleet.test.ts',
        'a task of AgentCom’s sidecar that falls silent for ten minutes is granted anew under the next fence',
      ]),
      constant(
        'an offer: `--accept-ms`',
        'src/hub/hub.ts',
        'acceptWithinMs',
        'ms',
        'it goes to somebody else; the attempt does not count',
        ['test/flows/hub.test.ts', 'an offer that is not accepted in time goes to somebody else'],
      ),
      constant('time to end a cancelled task', 'src/hub/operations.ts', 'CANCEL_WITHIN_MS', 'ms', 'it is over, whatever its agent says', [
        'test/flows/hub.test.ts',
        'a cancelled task is over for whoever has it, and in the end whatever that one says',
      ]),
      constant('time before what was refused is offered again', 'src/hub/transition.ts', 'REFUSED_WAIT_MS', 'ms', 'it waits no longer', [
        'src/hub/transition.test.ts',
        'what was refused waits no longer than a second, however often that was and whatever its backoff is',
      ]),
      constant('why an agent refuses a task', 'src/contract/hub.ts', 'MAX_SHORT_REASON_LENGTH', 'characters', 'the rest is cut', [
        'src/hub/fleet.test.ts',
        'an agent that refuses at great length again and again does not make the hub grow by that',
      ]),
      constant('rest of AgentCom’s sidecar that was busy', 'src/hub/agent-session.ts', 'BUSY_MS', 'ms', 'it is offered work again', [
        'src/hub/fleet.test.ts',
        'AgentCom’s sidecar that was busy is left in peace for half a minute, and offered work again then',
      ]),
      constant('progress that is stored', 'src/hub/agent-session.ts', 'PROGRESS_EVERY_MS', 'ms', 'of each such time the newest', [
        'test/flows/hub.test.ts',
        'a thousand progress frames do not hold up the completion behind them',
      ]),
      constant('late results that are kept with a task', 'src/hub/transition.ts', 'KEPT_LATE', 'count', 'the oldest go', [
        'src/hub/transition.test.ts',
        'a result under an older fence is refused, and kept for an operator: the newest five',
      ]),
      constant('the same, together', 'src/hub/transition.ts', 'MAX_LATE_LENGTH', 'characters', 'of older ones it is kept that they came', [
        'src/hub/transition.test.ts',
        'of late results that take more than four megabytes the newest are kept, and of older ones that they came',
      ]),
      constant('what a task’s program wrote', 'src/hub/task-logs.ts', 'MAX_LOG_LENGTH', 'characters', 'the oldest goes', [
        'test/flows/hub-limits.test.ts',
        'of what the program of a task writes the end is kept, and of tasks those that wrote last',
      ]),
      constant(
        'a piece of that counts as at least',
        'src/hub/task-logs.ts',
        'MIN_PIECE_LENGTH',
        'characters',
        'fewer short ones are kept',
        ['src/hub/task-logs.test.ts', 'keeps as many of the newest as would take the room of all the text that is kept'],
      ),
      constant('tasks of which that is kept', 'src/hub/task-logs.ts', 'MAX_LOGS', 'count', 'those that wrote last stay', [
        'test/flows/hub-limits.test.ts',
        'of what the program of a task writes the end is kept, and of tasks those that wrote last',
      ]),
      constant('of these together', 'src/hub/task-logs.ts', 'MAX_TOGETHER_LENGTH', 'characters', 'those that wrote last stay', [
        'src/hub/task-logs.test.ts',
        '64 Mi characters are kept, of those that wrote last',
      ]),
      constant('held tasks in memory', 'src/hub/sqlite-task-store.ts', 'KNOWN_HELD', 'count', 'further ones are read from the disk', [
        'src/hub/sqlite-task-store.test.ts',
        'of more than ten thousand tasks that are held those that were used last are in memory, and the others on the disk',
      ]),
      constant('the same, together', 'src/hub/sqlite-task-store.ts', 'KNOWN_HELD_LENGTH', 'characters', 'the same', [
        'src/hub/sqlite-task-store.test.ts',
        'of tasks that failed with much to say and are held again, 32 Mi characters are in memory',
      ]),
      constant('what is large in requests, in memory', 'src/hub/sqlite-task-store.ts', 'KNOWN_LARGE_LENGTH', 'characters', 'the same', [
        'src/hub/sqlite-task-store.test.ts',
        'of large tasks that are held no more than 32 Mi characters are in memory, and each is told whole',
      ]),
      constant(
        'tasks that are granted in one commit',
        'src/hub/sqlite-task-store.ts',
        'GRANTED_AT_ONCE',
        'count',
        'others get their turn in between',
        ['src/hub/fleet.test.ts', 'agents that have room for thousands of tasks get them all, some hundreds in a turn of the event loop'],
      ),
      constant('due tasks in one commit', 'src/hub/sqlite-task-store.ts', 'REAPED_AT_ONCE', 'count', 'others get their turn in between', [
        'src/hub/sqlite-task-store.test.ts',
        'of many due tasks a thousand are seen to in a commit, and others get their turn before the rest',
      ]),
      constant(
        'large tasks that are granted, or due, in one commit',
        'src/hub/sqlite-task-store.ts',
        'READ_AT_ONCE',
        'characters',
        'others get their turn in between',
        ['src/hub/fleet.test.ts', 'an agent that has room for many large tasks gets them all, a few in a turn of the event loop'],
      ),
      constant(
        'text of a list that is read at once',
        'src/hub/operations.ts',
        'LISTED_LENGTH_AT_ONCE',
        'characters',
        'others get their turn in between',
        ['src/hub/operations.test.ts', 'of tasks with long reasons a list reads a few in a turn of the event loop, and is whole'],
      ),
      constant('lanes in memory', 'src/hub/ready-tasks.ts', 'KNOWN_LANES', 'count', 'they are read from the disk', [
        'src/hub/ready-tasks.test.ts',
        'more than ten thousand lanes are not all kept in memory: some are read again, and nothing that is ready is missed',
      ]),
      constant(
        'days that tasks which succeeded or were cancelled are kept: `--keep-days`',
        'src/hub/hub.ts',
        'keepDays',
        'count',
        'they go whole, with their audit',
        [
          'test/flows/hub.test.ts',
          'a task whose time is over is forgotten whole, and whoever still speaks of it, or stands on it, goes on',
        ],
      ),
      constant(
        'days that tasks which failed or are dead are kept: `--keep-failed-days`',
        'src/hub/hub.ts',
        'keepFailedDays',
        'count',
        'the same',
        ['test/flows/hub-limits.test.ts', 'what failed is kept for ninety days, longer than what succeeded, and goes whole then'],
      ),
      constant(
        'rows and pages that are taken away in one commit',
        'src/hub/ended-tasks.ts',
        'FORGOTTEN_AT_ONCE',
        'count',
        'the rest in the next; a single task goes whole',
        ['test/kit/task-store-suite.ts', 'many are forgotten a few at a time, and only those'],
      ),
      {
        limit: 'tasks that are not over, and the audit of tasks that are kept',
        value: 'none',
        beyond: 'renewals and progress add nothing',
        test: ['test/kit/task-store-suite.ts', 'what goes on for as long as a task runs does not make the audit grow'],
      },
    ],
  },
  {
    name: 'Link',
    rows: [
      constant('the wait before the next attempt', 'src/transports/hub-link/link.ts', 'MAX_DELAY_MS', 'ms', 'it grows no more', [
        'src/transports/hub-link/link.test.ts',
        'without jitter they are 1, 2, 4, 8, 16, 32, 60 and 60 s, exactly',
      ]),
      constant('a wait that the hub asks for', 'src/transports/hub-link/link.ts', 'MAX_COME_BACK_MS', 'ms', 'it is cut to this', [
        'src/transports/hub-link/link.test.ts',
        'an endless wish is cut to an hour, so that no timer overflows',
      ]),
      constant('the heartbeat that the hub asks for', 'src/transports/hub-link/heartbeat.ts', 'MAX_MS', 'ms', 'it is cut to this', [
        'src/transports/hub-link/link.test.ts',
        'an endless heartbeat is cut to five minutes, and so is the time to answer it',
      ]),
      value('silence after a ping: `timeouts.pong_ms`', 10_000, 'ms', 'the socket is cut', [
        'src/transports/hub-link/link.test.ts',
        'a ping each 30 s; without anything for 10 s the socket is cut, not closed',
      ]),
      value('time to identify us: `timeouts.identify_ms`', 10_000, 'ms', 'the hub is left', [
        'src/transports/hub-link/link.test.ts',
        'a hub that accepts and never identifies us is left after 10 s, and its delays grow',
      ]),
      value('time to answer our goodbye: `timeouts.stop_ms`', 1000, 'ms', 'the socket is cut', [
        'src/transports/hub-link/link.test.ts',
        'says goodbye with 1000 "shutdown", and waits a second for a hub that does not answer',
      ]),
      constant(
        'a frame, either way',
        'src/contract/hub.ts',
        'MAX_HUB_FRAME_BYTES',
        'bytes',
        'ours is not sent; after the hub’s the connection is made anew',
        [
          'test/flows/link-wire.test.ts',
          'junk, unknown and binary frames are survived; one over 4 MiB ends the connection, and it is made again',
        ],
      ),
      constant(
        'kinds of odd frames that are told apart',
        'src/transports/hub-link/frame-counts.ts',
        'MAX_NAMES',
        'count',
        'further ones are counted as one',
        ['src/transports/hub-link/link.test.ts', 'unknown, broken, binary and early ones are counted each time, logged once, and survived'],
      ),
      constant(
        'frames that wait for the end of a rate limit',
        'src/transports/hub-link/link-session.ts',
        'MAX_LIMITED_FRAMES',
        'count',
        'they are refused; results stay in the outbox',
        ['src/transports/hub-link/link.test.ts', 'rate_limited, and no end of what we have to say: what finds no room is refused'],
      ),
      constant('a rate limit', 'src/transports/hub-link/link-session.ts', 'MAX_RATE_LIMIT_MS', 'ms', 'it is cut to this', [
        'src/transports/hub-link/link.test.ts',
        'an endless rate limit is cut to five minutes',
      ]),
      constant(
        'frames of tasks in the socket',
        'src/transports/hub-link/link-session.ts',
        'MAX_TASK_BUFFER_BYTES',
        'bytes',
        'nothing of tasks is sent until the hub reads; results wait in the outbox',
        ['src/transports/hub-link/link.test.ts', 'to a hub that has not read 64 MiB tasks send no more until it reads'],
      ),
      constant(
        'bytes of calls in the socket',
        'src/transports/hub-link/call-lane.ts',
        'CALL_BUFFER_BYTES',
        'bytes',
        'they wait, and pings and results go before them',
        [
          'src/transports/hub-link/call-lane.test.ts',
          'while a long answer fills the socket, pings and results go before what is left of it',
        ],
      ),
      constant(
        'calls of a hub that reads no answers',
        'src/transports/hub-link/call-lane.ts',
        'MAX_HELD_LENGTH',
        'characters',
        'the connection ends',
        ['src/transports/hub-link/call-lane.test.ts', 'a hub that asks without end and reads nothing is left'],
      ),
      constant('calls of the hub under way', 'src/transports/hub-link/link-session.ts', 'MAX_CALLS', 'count', '`TOO_MANY`', [
        'src/core/peer.test.ts',
        'beyond the number of requests in flight is refused',
      ]),
      constant('`log_file`', 'src/cli/link.ts', 'LOG_FILE_BYTES', 'bytes', 'it is put aside', [
        'src/services/state/rotating-file.test.ts',
        'a full file is put aside, only so many are kept, and no line is cut',
      ]),
      constant('log files that were put aside', 'src/cli/link.ts', 'LOG_FILES_KEPT', 'count', 'the oldest is removed', [
        'src/services/state/rotating-file.test.ts',
        'a full file is put aside, only so many are kept, and no line is cut',
      ]),
      constant('`concurrency`', 'src/config/link-config.ts', 'MAX_CONCURRENCY', 'count', 'exit code 1, naming the field', [
        'test/flows/link.test.ts',
        'a config that goes beyond what its fields may be exits 1 and names each of them',
      ]),
      constant('`confirmation_timeout_ms`', 'src/config/link-config.ts', 'MAX_CONFIRMATION_MS', 'ms', 'exit code 1, naming the field', [
        'test/flows/link.test.ts',
        'a config that goes beyond what its fields may be exits 1 and names each of them',
      ]),
      constant('`timeouts`, each', 'src/config/link-config.ts', 'MAX_TIMEOUT_MS', 'ms', 'exit code 1, naming the field', [
        'test/flows/link.test.ts',
        'a config that goes beyond what its fields may be exits 1 and names each of them',
      ]),
      constant('`capabilities`', 'src/config/link-config.ts', 'MAX_CAPABILITIES', 'count', 'exit code 1, naming the field', [
        'test/flows/link.test.ts',
        'a config that goes beyond what its fields may be exits 1 and names each of them',
      ]),
      constant('`labels`', 'src/config/link-config.ts', 'MAX_LABELS', 'count', 'exit code 1, naming the field', [
        'test/flows/link.test.ts',
        'a config that goes beyond what its fields may be exits 1 and names each of them',
      ]),
      constant('`agent_id`', 'src/config/link-config.ts', 'MAX_ID_LENGTH', 'characters', 'exit code 1, naming the field', [
        'test/flows/link.test.ts',
        'a config that goes beyond what its fields may be exits 1 and names each of them',
      ]),
      constant(
        '`name`, `token`, and each capability and label',
        'src/config/link-config.ts',
        'MAX_TEXT_LENGTH',
        'characters',
        'exit code 1, naming the field',
        ['test/flows/link.test.ts', 'a config that goes beyond what its fields may be exits 1 and names each of them'],
      ),
    ],
  },
  {
    name: 'Tasks of an agent',
    rows: [
      value('tasks at a time: `concurrency`', 1, 'count', 'refused, also to AgentCom’s hub', [
        'src/services/tasks/tasks.test.ts',
        'work is refused while busy: with a word of its own to our hub, to AgentCom’s with one that it knows',
      ]),
      value('share of a lease that may go by without a renewal', 0.9, 'count', 'the task is stopped', [
        'src/services/tasks/recovery.test.ts',
        'a lease that nobody renews stops the task at nine tenths of it, and not before',
      ]),
      value('starts of the wake command that fail', 4, 'count', 'after 5, 15 and 30 s between them the task has failed', [
        'src/services/tasks/task-machine.test.ts',
        'starts that fail are tried again after 5, 15 and 30 s, and then it has failed',
      ]),
      value('a wake command that neither ends nor confirms', 60_000, 'ms', 'it is ended, and counts as one that failed', [
        'src/services/tasks/tasks.test.ts',
        'a wake command that hangs is ended, and counts as one that failed',
      ]),
      value('the agent’s word after that: `confirmation_timeout_ms`', 30_000, 'ms', 'the task has failed with `confirmation_timeout`', [
        'src/services/tasks/tasks.test.ts',
        'an agent that does not confirm has failed, with the recorded frames',
      ]),
      value('time to end a cancelled task', 5000, 'ms', 'its whole tree is killed', [
        'src/services/tasks/recovery.test.ts',
        'a cancellation ends the whole tree within five seconds, also what left its group and does not listen',
      ]),
      constant('an agent that gave its result', 'src/services/tasks/tasks.ts', 'FINISH_MS', 'ms', 'it is ended', [
        'src/services/tasks/tasks.test.ts',
        'an agent that gave its result may end by itself, and is ended when that takes too long',
      ]),
      constant(
        'a result file',
        'src/services/tasks/results-folder.ts',
        'MAX_RESULT_BYTES',
        'bytes',
        'it is put aside, and the task has failed',
        ['test/flows/hub-limits.test.ts', 'a result file that is too large is never read'],
      ),
      constant(
        'a result file that is no JSON and does not change',
        'src/services/tasks/task-run.ts',
        'BAD_RESULT_MS',
        'ms',
        'it is put aside, and the task has failed',
        [
          'src/services/tasks/tasks.test.ts',
          'a result that is written in halves is waited for, and one that never becomes JSON is a failure',
        ],
      ),
      constant(
        'all steps of a verification',
        'src/services/tasks/verification.ts',
        'VERIFICATION_TIMEOUT_MS',
        'ms',
        'the step is ended with all that it started; `timeout`',
        [
          'src/services/tasks/verification.test.ts',
          'the limit holds: 500 ms end a step of six seconds with all that it started, and nothing passes',
        ],
      ),
      constant('output of a step in the report', 'src/services/tasks/verification.ts', 'OUTPUT_LENGTH', 'characters', 'the newest stays', [
        'src/services/tasks/verification.test.ts',
        'of what a step wrote the newest ten thousand characters are in the report',
      ]),
      constant('a checkpoint before and after a task', 'src/services/tasks/task-run.ts', 'HOOK_MS', 'ms', 'the task goes on without it', [
        'src/services/tasks/tasks.test.ts',
        'a look at the folder that takes longer than a minute is not waited for, neither before a task nor after it',
      ]),
      constant(
        'a reason for AgentCom’s hub',
        'src/contract/hub.ts',
        'MAX_SHORT_REASON_LENGTH',
        'characters',
        'its start is sent, the whole stays beside the results',
        [
          'src/services/tasks/tasks.test.ts',
          'a reason of a megabyte goes whole to our hub, and its start to AgentCom’s, with the whole beside the results',
        ],
      ),
      constant(
        'of what does not fit into a frame',
        'src/services/tasks/task-frames.ts',
        'CUT_LENGTH',
        'characters',
        'the whole stays beside the results',
        ['src/services/tasks/task-frames.test.ts', 'what is larger than a frame is cut, and the whole is kept'],
      ),
      constant('a reason of `tasks.fail`', 'src/contract/tasks.ts', 'MAX_REASON_LENGTH', 'characters', '`BAD_INPUT`', [
        'src/services/tasks/operations.test.ts',
        'a reason of four million characters and a log of a quarter of a million are taken, and one character more is refused',
      ]),
      constant('a text of `tasks.log`', 'src/contract/tasks.ts', 'MAX_LOG_LENGTH', 'characters', '`BAD_INPUT`', [
        'src/services/tasks/operations.test.ts',
        'a reason of four million characters and a log of a quarter of a million are taken, and one character more is refused',
      ]),
      constant('what a task’s program wrote, of each stream', 'src/services/tasks/task-log.ts', 'KEPT_BYTES', 'bytes', 'the newest stays', [
        'src/services/tasks/task-frames.test.ts',
        'of a log the newest is kept and can be sent again; characters are never torn',
      ]),
      constant(
        'progress and logs that are told',
        'src/services/tasks/task-news.ts',
        'BEAT_MS',
        'ms',
        'of each such time the newest progress',
        ['src/services/tasks/tasks.test.ts', 'of a thousand reports of progress the hub gets few, and the completion is not held up'],
      ),
      constant(
        'short frames that wait for a full socket',
        'src/services/tasks/task-news.ts',
        'MOST_WAITING',
        'count',
        'they are dropped; results are in the outbox',
        [
          'src/services/tasks/task-news.test.ts',
          'a thousand short frames wait for a socket that is full, in their order; what is said beyond that is dropped',
        ],
      ),
      {
        limit: 'results in the outbox',
        value: 'the disk',
        beyond: 'a result that can’t be stored is not taken, and tried again',
        test: ['src/services/tasks/outbox.test.ts', 'on a disk that is full a result is not taken as stored; with room it is, and is told'],
      },
      constant(
        'results on their way to a hub of ours',
        'src/services/tasks/outbox-sender.ts',
        'WINDOW',
        'count',
        'they wait for an answer; at AgentCom’s it is one',
        ['src/services/tasks/outbox.test.ts', 'to AgentCom’s hub one result is on its way at a time, to ours many'],
      ),
      constant(
        'large results that are told at once',
        'src/services/tasks/outbox-sender.ts',
        'TOLD_AT_ONCE',
        'characters',
        'others get their turn in between',
        [
          'src/services/tasks/outbox-sender.test.ts',
          'of large results a few are read and told in one turn of the event loop, and those after them in the next',
        ],
      ),
      constant('a result that the hub does not answer', 'src/services/tasks/outbox-sender.ts', 'UNANSWERED_MS', 'ms', 'it is told again', [
        'src/services/tasks/outbox-sender.test.ts',
        'a result that is not answered is told again after 30 s, however many others are answered meanwhile',
      ]),
      constant('results that identify lists', 'src/services/tasks/tasks.ts', 'LISTED', 'count', 'older ones are sent all the same', [
        'src/services/tasks/outbox.test.ts',
        'a hundred thousand results that were spooled are told, each once',
      ]),
      constant(
        'tasks that are over and remembered',
        'src/services/tasks/task-queue.ts',
        'KEPT_HISTORY',
        'count',
        'the oldest are forgotten',
        ['src/services/tasks/task-queue.test.ts', 'the history of a thousand tasks is kept, and no more'],
      ),
      constant(
        'tasks that are over and whose late results are put aside',
        'src/services/tasks/leftovers.ts',
        'LATE_TASKS',
        'count',
        'results of older ones stay where they are',
        [
          'src/services/tasks/leftovers.test.ts',
          'late results of the last hundred tasks are put aside, and those of older ones stay where they are',
        ],
      ),
      constant('late results in `results_dir`', 'src/services/tasks/results-folder.ts', 'KEPT_LATE', 'count', 'the oldest go', [
        'src/services/tasks/results-folder.test.ts',
        'of late results the newest thousand are kept, and what else lies beside them',
      ]),
      constant('the same, together', 'src/services/tasks/results-folder.ts', 'MAX_LATE_BYTES', 'bytes', 'the oldest go', [
        'src/services/tasks/results-folder.test.ts',
        'of late results that take more than a gigabyte the newest are kept',
      ]),
      constant(
        'files of what was too long for the hub, in `results_dir`',
        'src/services/tasks/results-folder.ts',
        'KEPT_WHOLE',
        'count',
        'the oldest go; what waits for the hub’s word stays',
        [
          'src/services/tasks/results-folder.test.ts',
          'of what was too long for the hub a thousand files are kept, the newest and those of results that wait for its word',
        ],
      ),
      constant('the same, together', 'src/services/tasks/results-folder.ts', 'MAX_WHOLE_BYTES', 'bytes', 'the same', [
        'src/services/tasks/results-folder.test.ts',
        'of what was too long for the hub a gigabyte is kept, the newest and what waits for its word',
      ]),
      constant(
        'a drain that waits for the hub’s word',
        'src/services/tasks/tasks.ts',
        'DRAIN_ACK_MS',
        'ms',
        'what waits stays on the disk',
        [
          'src/services/tasks/outbox.test.ts',
          'a drain waits ten seconds for the hub to say that it has the results, and they stay on the disk then',
        ],
      ),
      constant('branches of one name', 'src/services/tasks/task-branch.ts', 'MAX_SAME_NAME', 'count', 'the task is refused', [
        'src/services/tasks/task-branch.test.ts',
        'of a name there are a hundred branches, and a task that would need one more is refused',
      ]),
      constant('git on this machine, for a branch', 'src/services/tasks/task-branch.ts', 'LOCAL_MS', 'ms', 'the task is refused', [
        'src/services/tasks/task-branch.test.ts',
        'git that takes longer than thirty seconds to make a branch is ended, and the task is refused',
      ]),
      constant('a push of a branch', 'src/services/tasks/task-branch.ts', 'NETWORK_MS', 'ms', 'the result says that it was not pushed', [
        'src/services/tasks/task-branch.test.ts',
        'a push that takes longer than two minutes is ended, and the result says that it was not pushed',
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

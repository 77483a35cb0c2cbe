import { type HubFeature, MAX_HUB_FRAME_BYTES, MAX_SHORT_REASON_LENGTH } from '../../contract/hub.ts';
import type { OutboxRow } from './task-queue.ts';
import type { HeldRecord, TaskEffect } from './task-machine.ts';

export type TaskFrame = Record<string, unknown> & { type: string };
export type HubFeatures = ReadonlySet<HubFeature>;

/** Room for what the link adds to a frame. */
const MARGIN_BYTES = 64 * 1024;
const MAX_BYTES = MAX_HUB_FRAME_BYTES - MARGIN_BYTES;
/** Of what did not fit into a frame, this much is sent, characters. */
const CUT_LENGTH = 500_000;

/** Keeps what is sent in part. */
export type KeepWhole = (ending: '.reason.txt' | '.whole.json', text: string) => void;

/** A hub without features is AgentCom's: it gets the recorded frames (contract/hub.ts), field by field, and nothing beside. */
export function isOurs(features: HubFeatures): boolean {
  return features.size > 0;
}

/** The frame that tells a hub what came of a task. */
export function outcomeFrame(
  { id, generation, outcome }: Omit<OutboxRow, 'length'>,
  features: HubFeatures,
  keepWhole: KeepWhole,
): TaskFrame {
  if (outcome.kind === 'complete') {
    const { result, report, reports } = outcome;
    return fitting(completeFrame(id, generation, result, report, reports), keepWhole);
  }
  const { refused } = outcome;
  // AgentCom's sidecar completes a task whatever its report says, and that hub knows no report of a failure.
  if (refused !== undefined && !isOurs(features))
    return fitting(completeFrame(id, generation, refused.result, refused.report, refused.reports), keepWhole);
  const frame = { type: 'task_failed', task_id: id, reason: reasonFor(outcome.reason, features, keepWhole), generation };
  if (!isOurs(features)) return frame;
  return fitting(
    { ...frame, retryable: outcome.retryable, ...(refused === undefined ? {} : { verification_report: refused.report }) },
    keepWhole,
  );
}

export function recoveringFrame({ id, generation, assignment, state }: HeldRecord, features: HubFeatures): TaskFrame {
  return {
    type: 'task_recovering',
    task_id: id,
    description: assignment.description,
    metadata: assignment.metadata ?? {},
    last_status: state,
    ...(isOurs(features) ? { generation } : {}),
  };
}

export function wakeResultFrame(
  { id, generation }: HeldRecord,
  { status, attempt, error, reason }: TaskEffect & { do: 'wake-result' },
  features: HubFeatures,
): TaskFrame {
  return {
    type: 'wake_result',
    task_id: id,
    status,
    ...(attempt === undefined ? {} : { attempt }),
    ...(error === undefined ? {} : { error: error.slice(0, MAX_SHORT_REASON_LENGTH).toWellFormed() }),
    ...(reason === undefined ? {} : { reason }),
    ...(isOurs(features) ? { generation } : {}),
  };
}

function completeFrame(id: string, generation: number, result: object, report: object, reports: readonly object[]): TaskFrame {
  return {
    type: 'task_complete',
    task_id: id,
    result,
    generation,
    verification_report: report,
    // As that sidecar has it where nothing was tried again.
    verification_history: reports.length > 1 ? reports : null,
  };
}

function reasonFor(reason: string, features: HubFeatures, keepWhole: KeepWhole): string {
  const most = features.has('long-reasons') ? CUT_LENGTH : MAX_SHORT_REASON_LENGTH;
  // A reason of a megabyte goes as it is; one that would fill the frame does not.
  const fits = features.has('long-reasons') ? Buffer.byteLength(JSON.stringify(reason)) <= MAX_BYTES - MARGIN_BYTES : reason.length <= most;
  if (fits) return reason;
  keepWhole('.reason.txt', reason);
  return reason.slice(0, most).toWellFormed();
}

/** What is larger than a frame may be is cut: a result to its status and the start of its output, and reports to their sums. */
function fitting(frame: TaskFrame, keepWhole: KeepWhole): TaskFrame {
  const text = JSON.stringify(frame);
  if (Buffer.byteLength(text) <= MAX_BYTES) return frame;
  keepWhole('.whole.json', text);
  const cut: TaskFrame = { ...frame };
  const { result, verification_report: report } = frame as { result?: Record<string, unknown>; verification_report?: { checks?: unknown } };
  if (report !== undefined) cut['verification_report'] = { ...report, checks: [] };
  if ('verification_history' in cut) cut['verification_history'] = null;
  if (result === undefined || Buffer.byteLength(JSON.stringify(cut)) <= MAX_BYTES) return cut;
  const output = typeof result['output'] === 'string' ? result['output'] : JSON.stringify(result);
  const tokens = result['tokens_used'];
  cut['result'] = {
    status: 'success',
    output: output.slice(0, CUT_LENGTH).toWellFormed(),
    ...(typeof tokens === 'number' ? { tokens_used: tokens } : {}),
    truncated: true,
  };
  return cut;
}

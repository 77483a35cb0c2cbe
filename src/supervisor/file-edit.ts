/**
 * Edits of files as a host's extensions ask for them: the shapes of Skaffa's workspace edit protocol
 * (majtom2grndctrl/scaffa, docs/skaffa_workspace_edit_protocol.md), with paths relative to the folder.
 */
export interface TextRangeEdit {
  /** UTF-16 offsets in the text as `readFile` gives it: line ends as they stand, without a byte order mark. `end` is not included. */
  range: { start: number; end: number };
  newText: string;
}

export type FileEdit =
  | {
      kind: 'text';
      /** Relative to the folder, `/` between names. */
      filePath: string;
      /** Hex, over the bytes of the file; another content is a `conflict`. */
      expectedSha256?: string;
      /** All count in the text as it is before the batch. */
      edits: readonly TextRangeEdit[];
    }
  | { kind: 'create'; filePath: string; contents: string; overwrite?: boolean }
  | { kind: 'delete'; filePath: string; allowMissing?: boolean };

export type EditErrorCode = 'conflict' | 'notFound' | 'permissionDenied' | 'invalidEdit' | 'ioError';

export interface EditError {
  code: EditErrorCode;
  /** As the edit gave it; '' when it is not about one file. */
  filePath: string;
  message: string;
}

export type ApplyEditsResult =
  /** One entry an edit, in the order of the batch; `sha256` of the bytes that stand there now, null after a delete. */
  { ok: true; applied: { filePath: string; sha256: string | null }[] } | { ok: false; error: EditError };

/** Ends a batch before anything of it stands. */
export class EditProblem extends Error {
  readonly code: EditErrorCode;
  readonly filePath: string;

  constructor(code: EditErrorCode, filePath: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'EditProblem';
    this.code = code;
    this.filePath = filePath;
  }
}

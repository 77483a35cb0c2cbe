/** A program to start on some host. */
export interface HostRequest {
  /** The program and its arguments, as they are: no shell reads them. */
  argv: readonly [string, ...string[]];
  /** Absolute, as the host sees it. */
  cwd: string;
  /** On top of what the host gives its programs. */
  env: Readonly<Record<string, string>>;
  /** In a terminal of this size, which joins stdout and stderr; without it, with pipes. */
  terminal?: TerminalSize | undefined;
}

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface HostExit {
  /** null when a signal ended it, and when nobody knows. */
  exitCode: number | null;
  /** e.g. SIGKILL. */
  exitSignal: string | null;
  /** The host went away before it said how the program ended; whether it ended is not known. */
  lost?: boolean;
  /** Of the whole tree, where the host can tell. */
  cpuMs?: number;
  maxRssBytes?: number;
}

/** Output as it comes: a Readable is one. The bytes are the listener's for the time of the call. */
export interface ProgramOutput {
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  once(event: 'end' | 'close', listener: () => void): unknown;
  once(event: 'error', listener: (error: Error) => void): unknown;
  /** What is not read holds the program back. */
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
}

/** A program that was started, and everything it starts in its process group. */
export interface HostedProcess {
  /** As the host numbers it. */
  readonly pid: number;
  readonly stdout: ProgramOutput;
  /** Undefined in a terminal. */
  readonly stderr: ProgramOutput | undefined;
  /** Resolves when there is room for more; input to a program that does not read any more is dropped. Throws PROCESS_ENDED where a terminal is over. */
  write(bytes: Uint8Array): Promise<void>;
  endInput(): void;
  /** To the whole group; one that is gone is no error. */
  signal(name: NodeJS.Signals): void;
  /** Only in a terminal. */
  resize(size: TerminalSize): void;
  /** Never rejects. Streams may still hold output. */
  readonly exit: Promise<HostExit>;
  /** The host went away before all of its output came, whatever is known of its end. */
  readonly isCut?: boolean;
}

/** Where programs run: this machine, or another container behind its exec agent. */
export interface ProcessHost {
  readonly name: string;
  /**
   * Resolves when it runs. Throws TOOL_MISSING, FILE_PERMISSION, HOST_UNAVAILABLE, STOPPING, the signal's reason, and what a host of its own
   * refuses: FILE_NOT_FOUND for a folder that is not there, TOO_MANY_PROCESSES, BAD_INPUT.
   */
  start(request: HostRequest, signal?: AbortSignal): Promise<HostedProcess>;
  /** Ends what it started, and lets go of the host. May be called twice. */
  close(): Promise<void>;
}

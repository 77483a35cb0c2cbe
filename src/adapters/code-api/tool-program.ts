import { randomBytes } from 'node:crypto';
import { readJson } from '../../core/json-text.ts';

/** One tool that a program may call, as the request names it. */
export interface Tool {
  name: string;
}

export interface ToolCall {
  id: string;
  name: string;
  input: Record<string, unknown>;
}

export interface ToolResult {
  call_id: string;
  result: unknown;
  is_error: boolean;
  error_message: string | undefined;
}

export interface ToolProgram {
  /** What is run. */
  source: string;
  /** Before each round of calls in the output; nobody else knows it. */
  mark: string;
}

const MARK_BYTES = 16;

/** The words of Python that no function can be called by; LibreChat's client appends the same to them. */
const keywords = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from global if import in is ' +
    'lambda nonlocal not or pass raise return try while with yield'
  ).split(' '),
);

/** The function of a tool in Python, named as LibreChat's client names it to the model; '' where nothing of the name is left. */
export function functionName(tool: string): string {
  const plain = tool.replace(/[-\s]/g, '_').replace(/[^A-Za-z0-9_]/g, '');
  const name = /^\d/.test(plain) ? `_${plain}` : plain;
  return keywords.has(name) ? `${name}_tool` : name;
}

/**
 * The code in a program that defines a coroutine for each tool. Calls that are made before any is waited for become one round: a line of
 * output with the mark before it, after which the program stands still until a line of input holds the results. `await` may stand at the
 * top level, and line numbers stay those of the code.
 */
export function toolProgram(code: string, tools: readonly Tool[]): ToolProgram {
  const mark = `\u001e${randomBytes(MARK_BYTES).toString('hex')}:`;
  const config = { code, mark, tools: Object.fromEntries(tools.map(({ name }) => [functionName(name), name])) };
  const packed = Buffer.from(JSON.stringify(config)).toString('base64');
  return { mark, source: `${harness}\n_outrigger_main("${packed}")\n` };
}

/** The results of a round as the program reads them: one line, in ASCII, so that it may be cut anywhere. */
export function resultLine(calls: readonly ToolCall[], results: readonly ToolResult[]): string {
  const byId = new Map(results.map((result) => [result.call_id, result]));
  const answers = calls.map(({ id, name }) => {
    const result = byId.get(id);
    if (result === undefined) return { error: `The host gave no result for ${name}.` };
    return result.is_error ? { error: result.error_message ?? 'The tool failed.' } : { result: result.result ?? null };
  });
  const text = JSON.stringify(answers).replace(/[\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `${text}\n`;
}

/** Takes the rounds of calls out of what a program writes, however that is cut into pieces. What only looks like a round stays text. */
export class ToolCallReader {
  readonly #mark: string;
  #held = '';
  #count = 0;

  constructor(mark: string) {
    this.#mark = mark;
  }

  /** The text that is the program's own, and the calls of a round that is complete. */
  push(text: string): { text: string; calls: ToolCall[] } {
    let rest = this.#held + text;
    let own = '';
    const calls: ToolCall[] = [];
    for (;;) {
      const at = rest.indexOf(this.#mark);
      const end = at < 0 ? -1 : rest.indexOf('\n', at);
      if (end < 0) {
        const cut = at < 0 ? rest.length - this.#overlap(rest) : at;
        this.#held = rest.slice(cut);
        return { text: own + rest.slice(0, cut), calls };
      }
      const round = readRound(rest.slice(at + this.#mark.length, end));
      own += round === undefined ? rest.slice(0, end + 1) : rest.slice(0, at);
      for (const call of round ?? []) calls.push({ id: `call_${String(++this.#count).padStart(3, '0')}`, ...call });
      rest = rest.slice(end + 1);
    }
  }

  /** What was held back at the end of the program. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** How much of the end may be the beginning of a mark. */
  #overlap(text: string): number {
    const from = text.lastIndexOf(this.#mark[0] as string);
    return from >= 0 && this.#mark.startsWith(text.slice(from)) ? text.length - from : 0;
  }
}

function readRound(line: string): Omit<ToolCall, 'id'>[] | undefined {
  let round: unknown;
  try {
    round = readJson(line);
  } catch {
    return undefined;
  }
  const isCall = (one: unknown): one is Omit<ToolCall, 'id'> => {
    const { name, input } = (one ?? {}) as Partial<ToolCall>;
    return typeof name === 'string' && typeof input === 'object' && input !== null;
  };
  return Array.isArray(round) && round.every(isCall) ? round.map(({ name, input }) => ({ name, input })) : undefined;
}

// Standard input and the first standard output are kept for the calls: what the code or its children do to 0 and 1 does not touch them.
const harness = `def _outrigger_main(packed):
    import ast, asyncio, base64, inspect, io, json, linecache, os, sys, traceback

    config = json.loads(base64.b64decode(packed))
    answers = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\\n")
    requests = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = io.StringIO("")
    pending = []

    def ask():
        calls, pending[:] = list(pending), []
        sys.stdout.flush()
        line = config["mark"] + json.dumps([{"name": name, "input": given} for name, given, _ in calls]) + "\\n"
        rest = line.encode()
        while rest:
            rest = rest[os.write(requests, rest):]
        answer = answers.readline()
        results = json.loads(answer) if answer else [{"error": "The host is gone."}] * len(calls)
        for (_, _, future), result in zip(calls, results):
            if future.done():
                continue
            if "error" in result:
                future.set_exception(RuntimeError(result["error"]))
            else:
                future.set_result(result["result"])

    def define(function, name):
        async def tool(*given, **named):
            if given:
                raise TypeError(function + "() takes arguments by their names only")
            json.dumps(named)
            loop = asyncio.get_running_loop()
            if not pending:
                loop.call_soon(ask)
            future = loop.create_future()
            pending.append((name, named, future))
            return await future

        tool.__name__ = tool.__qualname__ = function
        return tool

    scope = globals()
    scope.pop("_outrigger_main", None)
    scope["asyncio"] = asyncio
    for function, name in config["tools"].items():
        scope[function] = define(function, name)
    source, file = config["code"], "code.py"
    lines = io.StringIO(source, None).readlines()
    linecache.cache[file] = (len(source), None, lines, file)
    try:
        code = compile(source, file, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, scope))
        else:
            exec(code, scope)
    except SystemExit:
        raise
    except BaseException as error:
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename != file:
            frames = frames.tb_next
        # Python looks for its line in the file of that name, which is this one.
        if isinstance(error, SyntaxError) and error.filename == file:
            number = error.lineno or 0
            error.text = "".join(lines[number - 1:number]) or None
        sys.stdout.flush()
        traceback.print_exception(type(error), error, frames)
        sys.exit(1)
`;

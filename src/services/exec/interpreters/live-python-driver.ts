import { displaying } from './live-python-display.ts';
import { tellingErrors } from './live-python-errors.ts';
import { keepingValues } from './live-python-values.ts';
import { enteringMain, readingOrders } from './python-parts.ts';

/**
 * What a Python interpreter runs that stays in its session, and runs one order after the other in the same variables. The first order is
 * `{"live": token}`; `token` marks what it tells of itself on its output, between two U+001E: `{"display": {mime: data}}`,
 * `{"done": code, "state"?: base64, "lost"?: names, "tooLarge"?: true}`, and in pieces (see Marks) what is longer than a pipe takes as a
 * whole. An order to run code is answered twice: when it is done, and with what is left of its variables, or `"done": 2` where that is longer
 * than `unasked` and has to be asked for: `{"give": true}`; `"same": true` where that is what it was after the order before, of which the
 * order says that it is `known`. After `{"restore": length}` so many bytes follow; the names of what could not be
 * made of them are `lost`. Orders come by a descriptor that the code does not have as its standard input, and what is told
 * goes by others than its output.
 */
export const livePythonDriver = String.raw`${readingOrders}
_folder = os.path.join(os.getcwd(), '')
_apart = {}

def _alone(work):
    # The session may have modules of the same names: they are not these, and its code finds its own. What extends pickle is told to the
    # one copyreg that it knows. Other threads would miss theirs meanwhile: there may be none.
    before, places = dict(sys.modules), sys.path
    for name, module in before.items():
        if (getattr(module, '__file__', None) or '').startswith(_folder):
            del sys.modules[name]
    for name in set(_apart) - set(before):
        sys.modules[name] = _apart[name]
    sys.path = [place for place in places if not os.path.join(os.path.abspath(place), '').startswith(_folder)]
    try:
        return work()
    finally:
        sys.path = places
        for name in set(sys.modules) - set(before) - {'copyreg'}:
            if (getattr(sys.modules[name], '__file__', None) or '').endswith('.py'):
                _apart[name] = sys.modules.pop(name)
        sys.modules.update(before)

def _tools():
    import _pickle, binascii
    try:
        from _blake2 import blake2b
    except ImportError:
        blake2b = None
    return _pickle, binascii.b2a_base64, blake2b

_pickle, _base64, _blake2b = _alone(_tools)
import gc, io, itertools

# What prints errors, with all that it looks for only as it does so. To load it takes as long as a fifth of the start: it is there from the
# first error on, or from when the code may begin to start threads.
_tellers = {}

def _import(name, *more):
    return _tellers[name] if name in _tellers else __import__(name, *more)

def _load_tellers():
    # Copies of its own, as these must not look for anything among the modules of the session.
    found = {}
    for name in ('ast', 'tokenize', 'unicodedata', '_suggestions'):
        try:
            found[name] = __import__(name)
        except ImportError:
            # This Python has none.
            pass
    _tellers.update(found)
    for name in ('linecache', 'traceback'):
        module = type(sys)(name)
        module.__builtins__ = {**sys.modules['builtins'].__dict__, '__import__': _import}
        sys.modules['_frozen_importlib_external'].PathFinder.find_spec(name).loader.exec_module(module)
        _tellers[name] = module

def _ready_tellers():
    try:
        if 'traceback' not in _tellers and len(sys._current_frames()) == 1:
            _alone(_load_tellers)
    except Exception:
        # Python itself prints them then.
        pass

def _order():
    return eval(_read(int(_read(8))).decode(), {'__builtins__': {}, 'true': True, 'false': False, 'null': None})
${enteringMain}${displaying}${keepingValues}
def _segment(lines, node):
    first = min([node.lineno] + [one.lineno for one in node.decorator_list]) - 1
    # What decorates may begin some lines after its sign.
    while node.decorator_list and not lines[first].lstrip().startswith(b'@'):
        first -= 1
    part = lines[first:node.end_lineno]
    part[-1] = part[-1][:node.end_col_offset]
    return b''.join(part).lstrip().decode('utf-8', 'surrogatepass')

def _parts(body):
    # Each but the last ends with something that it defines.
    parts = [[]]
    for node in body:
        parts[-1].append(node)
        if isinstance(node, _defining):
            # Words at its start are none of the module.
            parts.append([_ast.Pass(lineno=node.end_lineno, col_offset=0)])
    return parts

_given = None

def _give(text):
    # Programs that the code starts read it as well.
    global _given
    if text == '' and _is_empty():
        return
    try:
        os.fstat(0)
    except OSError:
        # It was closed: what is opened next would take its place, and close it again.
        os.open(os.devnull, os.O_RDONLY)
    try:
        file = os.fdopen(os.memfd_create('stdin'), 'wb')
    except OSError:
        import tempfile
        file = tempfile.TemporaryFile()
    with file:
        file.write(text.encode('utf-8', 'surrogatepass'))
        file.seek(0)
        os.dup2(file.fileno(), 0)
    sys.stdin = open(0, closefd=False)
    _given = (sys.stdin, text, os.fstat(0)[:3])

def _is_empty():
    # The empty input of the order before, as it was given.
    if _given is None or _given[1] != '' or _given[0] is not sys.stdin:
        return False
    try:
        found = os.fstat(0)
        return not sys.stdin.closed and found[:3] == _given[2] and found.st_size == 0
    except (OSError, ValueError):
        return False
${tellingErrors}
_texts = (io.TextIOWrapper,)
_buffers = (io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair)

def _is_file(number):
    try:
        return os.fstat(number).st_mode & 0o170000 == 0o100000
    except OSError:
        return False

def _write_files(own):
    # What was written to files that are still open is in them when the code is done.
    try:
        try:
            if not any(_is_file(int(name)) for name in os.listdir('/proc/self/fd') if int(name) not in own):
                return
        except OSError:
            pass
        found = [one for one in gc.get_objects() if issubclass(type(one), _texts + _buffers)]
        for kind in _texts + _buffers:
            for one in found:
                _write_file(kind, one)
    except Exception:
        pass

def _write_file(kind, one):
    # To what is no file nobody may listen.
    try:
        if issubclass(type(one), kind) and kind.writable(one) and _is_file(kind.fileno(one)):
            kind.flush(one)
    except Exception:
        pass

import _ast
_defining = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)
# from __future__ import annotations
_FUTURE = 1 << 24
# What awaits at its top makes a coroutine.
_COROUTINE = 1 << 7
# What a pipe takes as a whole: PIPE_BUF.
_AT_ONCE = 4096

class _Live:
    def __init__(self, token):
        global _orders
        import builtins, codecs
        self.token = token
        self.pid = os.getpid()
        # The code may put others in the place of its own.
        self.ways = {1: os.dup(1), 2: os.dup(2)}
        _orders = os.dup(0)
        codecs.register_error('outrigger', _escaped)
        self.own = {0, 1, 2, _orders, *self.ways.values()}
        self.names = _enter({}).__dict__
        # What a module has by itself.
        self.unkept = {*self.names, '__annotations__', '__file__', '__warningregistry__'}
        self.sources = {}
        self.last = _Last()
        self.held = None
        # The digest of what was told last of the variables.
        self.told = None
        self.loop = None
        self.numbers = itertools.count()
        self.cells = itertools.count(1)
        self.lines = _Lines()
        sys.meta_path.insert(0, self.lines)
        if 'threading' in sys.modules:
            _ready_tellers()
        builtins.display = self.display
        # What is there already is not looked through for what the code made.
        gc.freeze()

    def write(self, number, text):
        mark = text if isinstance(text, bytes) else _bytes(text)
        if len(mark) + len(self.token) + 2 <= _AT_ONCE:
            self.send(number, mark)
            return
        # Threads and children write as well: what is longer than is written at once comes in pieces.
        by = '%d.%d' % (os.getpid(), next(self.numbers))
        room = _AT_ONCE - len(self.token) - len(by) - 40
        at = 0
        while at < len(mark):
            size = room
            piece = mark[at:at + size].replace(b'\\', b'\\\\').replace(b'"', b'\\"')
            while len(piece) > room:
                size -= (len(piece) - room + 1) // 2
                piece = mark[at:at + size].replace(b'\\', b'\\\\').replace(b'"', b'\\"')
            at += size
            self.send(number, b'{"by":"%s","part":"%s"%s}' % (by.encode(), piece, b'' if at < len(mark) else b',"last":true'))

    def send(self, number, mark):
        mark = b'\x1e' + self.token.encode() + mark + b'\x1e'
        while mark:
            mark = mark[os.write(self.ways[number], mark):]

    def flush(self):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:
                # It was closed, or is none.
                pass

    def finish(self, text):
        self.flush()
        self.write(2, '{"done": 0}')
        self.write(1, text)

    def display(self, value):
        self.show(_bundle(value))

    def show(self, data):
        self.flush()
        self.write(1, _json({'display': data}))

    def take(self, order):
        if 'restore' in order:
            self.restore(_read(order['restore']))
        elif 'give' in order:
            text, self.held = self.held, None
            self.finish(text or '{"done": 1}')
        else:
            self.finish('{"done": %d}' % self.run(order))
            self.keep(order['keep'])

    def restore(self, state):
        try:
            text = _json({'done': 0, 'lost': _restore(self.names, self.sources, state)})
        except BaseException as error:
            _report(error)
            text = '{"done": 1}'
        self.finish(text)

    def keep(self, how):
        self.held = None
        try:
            state, lost = _snapshot(self.names, self.sources, self.unkept, self.last, how['most'])
            told, self.told = self.told, _digest(state)
            if how.get('known') and self.told is not None and self.told == told:
                # To tell it takes a hundred times as long as to find that out.
                text = b'{"done": 0, "same": true, "lost": %s}' % _bytes(_json(lost))
            else:
                text = b'{"done": 0, "state": "%s", "lost": %s}' % (_base64(state, newline=False), _bytes(_json(lost)))
        except (_Full, MemoryError):
            text = '{"done": 1, "tooLarge": true}'
        except BaseException:
            text = '{"done": 1}'
        if len(text) > how['unasked']:
            self.held, text = text, '{"done": 2}'
        self.finish(text)

    def run(self, order):
        sys.argv = [order['file']] + order['args']
        undo = self.lend(order['env']) if order['env'] else None
        code = 0
        try:
            self.reopen()
            _give(order['stdin'])
            self.execute(order['code'], '<cell %d>' % next(self.cells))
        except SystemExit as error:
            code = _exit_code(error)
        except BaseException as error:
            code = _report(error)
        if undo is not None:
            undo()
        _write_files(self.own)
        if os.getpid() != self.pid:
            # A child that went on from a fork of the code's own ends alone.
            self.flush()
            os._exit(code)
        return code

    def reopen(self):
        # What the code before has closed.
        for number, name in (1, 'stdout'), (2, 'stderr'):
            try:
                os.fstat(number)
            except OSError:
                os.dup2(self.ways[number], number)
            stream = getattr(sys, name, None)
            if stream is not None and stream is getattr(sys, '__%s__' % name, None) and stream.closed:
                raw = open(number, 'wb', 0, closefd=False)
                stream = io.TextIOWrapper(raw, stream.encoding, stream.errors, write_through=True)
                setattr(sys, name, stream)
                setattr(sys, '__%s__' % name, stream)

    def lend(self, env):
        before = dict(os.environ)
        os.environ.update(env)
        def undo():
            # What came with the order goes with it; what the code set itself stays.
            for name, value in env.items():
                if os.environ.get(name) != value:
                    continue
                if name in before:
                    os.environ[name] = before[name]
                else:
                    del os.environ[name]
        return undo

    def execute(self, code, file):
        code = code[1:] if code.startswith('\ufeff') else code
        self.lines.add(file, code)
        # What was warned of in other code is warned of in this.
        self.names.pop('__warningregistry__', None)
        try:
            self.perform(code, file)
        finally:
            # Also of code that failed; what it forked shows none.
            for figure in _figures() if os.getpid() == self.pid else ():
                self.show(figure)

    def perform(self, code, file):
        names = self.names
        tree = compile(code, file, 'exec', _ast.PyCF_ONLY_AST)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
        parts = list(self.compiled(tree.body, file))
        lines = code.encode('utf-8', 'surrogatepass').splitlines(True) if len(parts) > 1 else []
        if last is not None:
            parts.append((compile(_ast.Expression(last.value), file, 'eval', _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), None, 0))
        value = None
        if any(compiled.co_flags & _COROUTINE for compiled, *_ in parts):
            value = self.wait(parts, lines)
        else:
            for compiled, node, flags in parts:
                value = eval(compiled, names)
                self.note(node, lines, flags)
        if value is not None:
            self.display(value)

    def wait(self, parts, lines):
        # All of it in one task. The loop lives on: what is left to be done in it goes on when code awaits again.
        import asyncio
        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        value, failed = None, []
        async def perform():
            nonlocal value
            try:
                for compiled, node, flags in parts:
                    value = eval(compiled, self.names)
                    if compiled.co_flags & _COROUTINE:
                        value = await value
                    self.note(node, lines, flags)
            except BaseException as error:
                # Nothing of the loop is in its traceback.
                failed.append(error)
        self.loop.run_until_complete(perform())
        if failed:
            raise failed.pop()
        return value

    def compiled(self, body, file):
        # In parts, so that it is seen what each definition made, whatever becomes of its name.
        flags = 0
        for part in _parts(body):
            compiled = compile(_ast.Module(part, []), file, 'exec', flags | _ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            flags |= compiled.co_flags & _FUTURE
            yield compiled, part[-1] if part else None, flags

    def note(self, node, lines, flags):
        # What the code defined is kept as it was written.
        if isinstance(node, _defining) and node.name in self.names:
            self.sources[node.name] = (self.names[node.name], _segment(lines, node), flags)

_session = _Live(_order()['live'])
while True:
    _session.take(_order())
`;

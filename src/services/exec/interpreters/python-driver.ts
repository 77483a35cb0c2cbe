/** How either reads its orders. */
const reading = String.raw`
import sys, os

_orders = 0

def _read(size):
    parts = bytearray()
    while len(parts) < size:
        part = os.read(_orders, min(size - len(parts), 1 << 20))
        if not part:
            os._exit(0)
        parts += part
    return bytes(parts)

`;

/** How code becomes the main program, and how its errors look. */
const entering = String.raw`
def _own_frames(error):
    # Without those of what called it.
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals is globals():
        frames = frames.tb_next
    BaseException.with_traceback(error, frames)
    return type(error), error, frames

def _fail(error, hook):
    # As Python itself does.
    told = _own_frames(error)
    try:
        hook(*told)
    except SystemExit:
        raise
    except BaseException as other:
        if other.__context__ is error:
            other.__context__ = None
        print('Error in sys.excepthook:', file=sys.stderr)
        sys.__excepthook__(*_own_frames(other))
        print('\nOriginal exception was:', file=sys.stderr)
        sys.__excepthook__(*told)

def _enter(order):
    main = type(sys)('__main__')
    main.__builtins__ = sys.modules['builtins']
    if '__annotations__' in globals():
        main.__annotations__ = {}
    sys.modules['__main__'] = main
    sys.path[0] = os.getcwd()
    os.environ.update(order.get('env', {}))
    return main

`;

/**
 * What a Python interpreter runs that was started before its work: it reads one order of JSON after its length (8 digits) from its
 * standard input, and no byte more: `{"run": file, "args", "env"}`. It becomes that program, as if started with it. To read JSON as the
 * Python that it is, but for three names, spares it a third of its start, and leaves the program's own modules their names: none is
 * loaded that the interpreter does not load by itself.
 *
 * With arguments it is what programs are forked of (native/serve.h): the library that does it, then variables `NAME=value` that it must not
 * have itself, as it is in no cage: nothing that a program could write may be loaded there.
 */
export const pythonDriver = String.raw`${reading}${entering}
def _leave(program, code):
    # As the interpreter ends, without taking itself down: what is left to do, then what the code made, then what is still to be written.
    # Libraries in C may have something to write that is not known here: with one of those it ends the long way.
    import atexit
    try:
        for module in list(sys.modules.values()):
            file = '' if id(module) in _own else getattr(module, '__file__', None) or ''
            if file.endswith('.so') and ('lib-dynload' not in file or module.__name__ in ('_ctypes', 'readline', '_curses')):
                return
    except Exception:
        return
    if 'threading' in sys.modules:
        sys.modules['threading']._shutdown()
    atexit._run_exitfuncs()
    # What can't be written is said by the interpreter as it ends.
    if not _flushed(sys.stdout) or not _flushed(sys.stderr):
        return
    _finish(program)
    if not _flushed(sys.stdout) or not _flushed(sys.stderr):
        return
    try:
        # Whoever hears it has not to wait until all memory is given back.
        # A child that went on from a fork of the program's own ends alone.
        if _word is not None and os.getpid() == _main and os.fstat(3)[:3] == _word:
            os.write(3, bytes([code & 255]))
    except OSError:
        pass
    os._exit(code)

def _flushed(stream):
    try:
        if stream is None or getattr(stream, 'closed', False):
            return True
        stream.flush()
        return True
    except Exception:
        return False

def _finish(program):
    import gc, io
    def flush():
        # Of a file in a cycle the buffer may go before the text that is to go into it, and the file before its buffer.
        found = gc.get_objects()
        for kinds in (io.TextIOWrapper, (io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair)):
            for one in found:
                if issubclass(type(one), kinds):
                    try:
                        one.flush()
                    except Exception:
                        pass
    flush()
    # Its names are there until the last of what it made is gone.
    sys.modules.pop('__main__', None)
    program.clear()
    gc.collect()
    flush()

def _rehearse():
    # A fork has the pages copied that it writes to, one by one: those of the way through any program become its own while it waits.
    with open('/dev/null', 'rb') as file:
        source = b'print(end="")' + file.read()
    program = [type(sys)('__main__')]
    exec(compile(source, '/dev/null', 'exec'), program[0].__dict__)
    main = sys.modules['__main__']
    _finish(program)
    sys.modules['__main__'] = main
    sys.stdout.flush()
    sys.stderr.flush()

def _become(order):
    # The list alone has it, so that it can be let go.
    program = [_enter(order)]
    path = order['run']
    sys.argv = [path] + order['args']
    if hasattr(sys, 'orig_argv'):
        sys.orig_argv[1:] = sys.argv
    program[0].__file__ = path
    program[0].__cached__ = None
    program[0].__loader__ = sys.modules['_frozen_importlib_external'].SourceFileLoader('__main__', path)
    with open(path, 'rb') as file:
        source = file.read()
    try:
        exec(compile(source, path, 'exec'), program[0].__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        _flushed(sys.stderr), _flushed(sys.stdout)
        _fail(error, getattr(sys, 'excepthook', sys.__excepthook__))
        if isinstance(error, KeyboardInterrupt):
            # It was said, and is how the interpreter ends.
            sys.excepthook = lambda *_: None
            raise
        sys.exit(1)
    _leave(program, 0)

def _serve(library, *variables):
    # Comes back in the programs that were forked, each in a cage of its own. They find no module that they did not load.
    known = set(sys.modules)
    sys.path.pop(0)
    import ctypes
    serve, forked = ctypes.PyDLL(library).outrigger_serve, ctypes.pythonapi.PyOS_AfterFork_Child
    kept = [sys.modules.pop(name) for name in set(sys.modules) - known]
    gc.collect()
    gc.freeze()
    serve()
    forked()
    sys.path.insert(0, '')
    os.environ.update(variable.split('=', 1) for variable in variables)
    sys.path[1:1] = filter(None, os.environ.get('PYTHONPATH', '').split(':'))
    if hasattr(sys, 'orig_argv'):
        del sys.orig_argv[3:]
    if 'site' in sys.modules:
        sys.modules['site'].USER_BASE = sys.modules['site'].USER_SITE = None
    return kept

import gc
# What is there already is not looked through again.
gc.collect()
gc.freeze()
_kept = _serve(*sys.argv[1:]) if len(sys.argv) > 1 else None
_main = os.getpid()
try:
    _word = os.fstat(3)[:3]
    os.set_inheritable(3, False)
except OSError:
    _word = None
_own = set(map(id, sys.modules.values()))
_rehearse()
_become(eval(_read(int(_read(8))).decode(), {'__builtins__': {}, 'true': True, 'false': False, 'null': None}))
`;

/**
 * What a Python interpreter runs that stays in its session, and runs one order after the other in the same variables. The first order is
 * `{"live": token}`; `token` marks what it tells of itself on its output, between two U+001E: `{"display": {mime: data}}`,
 * `{"done": code, "state"?: base64, "lost"?: names, "tooLarge"?: true}`, and in pieces (see Marks) what is longer than a pipe takes as a
 * whole. An order to run code is answered twice: when it is done, and with what is left of its variables, or `"done": 2` where that is longer
 * than `unasked` and has to be asked for: `{"give": true}`. After `{"restore": length}` so many bytes follow; the names of what could not be
 * made of them are `lost`. Orders come by a descriptor that the code does not have as its standard input, and what is told
 * goes by others than its output.
 */
export const livePythonDriver = String.raw`${reading}
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
    return _pickle, binascii.b2a_base64

_pickle, _base64 = _alone(_tools)
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
${entering}
def _quoted(text):
    text = text.replace('\\', '\\\\').replace('"', '\\"')
    for code in () if text.isprintable() else range(32):
        text = text.replace(chr(code), '\\u%04x' % code)
    return '"' + text + '"'

def _json(value):
    if isinstance(value, str):
        return _quoted(value)
    if value is None or value is True or value is False:
        return {None: 'null', True: 'true', False: 'false'}[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return {'nan': 'NaN', 'inf': 'Infinity', '-inf': '-Infinity'}.get(float.__repr__(value)) or float.__repr__(value)
    if isinstance(value, (list, tuple)):
        return '[' + ', '.join(map(_json, value)) + ']'
    if isinstance(value, dict):
        return '{' + ', '.join(_quoted(name if isinstance(name, str) else _json(name)) + ': ' + _json(one) for name, one in value.items()) + '}'
    raise TypeError('Object of type %s is not JSON serializable' % type(value).__name__)

def _bytes(text):
    return text.encode('ascii', 'outrigger')

def _escaped(error):
    # What is cut at any byte is whole characters then.
    units = error.object[error.start:error.end].encode('utf-16-be', 'surrogatepass')
    return ''.join('\\u%02x%02x' % pair for pair in zip(units[::2], units[1::2])), error.end

def _encode(value):
    return _base64(value, newline=False).decode() if isinstance(value, (bytes, bytearray)) else value

def _told(name, value):
    # As it is shown: text, or JSON, or bytes as base64; beside it there may be what is said of it.
    value = _encode(value[0] if isinstance(value, tuple) else value)
    return value if isinstance(value, str) and name != 'application/json' else _json(value)

def _mimebundle(value):
    try:
        made = value._repr_mimebundle_(include=None, exclude=None)
    except TypeError:
        made = value._repr_mimebundle_()
    made = made[0] if isinstance(made, tuple) else made
    return dict(made or {})

def _bundle(value):
    data = {'text/plain': repr(value)[:1000000]}
    # What can't be made of it is not shown.
    def put(name, one):
        try:
            if one is not None:
                data[name] = _told(name, one)
        except Exception:
            pass
    if getattr(type(value), '_repr_mimebundle_', None) is not None:
        try:
            for name, one in _mimebundle(value).items():
                put(str(name), one)
        except Exception:
            pass
    for name, mime in (('html', 'text/html'), ('png', 'image/png'), ('jpeg', 'image/jpeg'), ('svg', 'image/svg+xml'),
                       ('markdown', 'text/markdown'), ('latex', 'text/latex'), ('json', 'application/json')):
        if getattr(type(value), '_repr_%s_' % name, None) is None:
            continue
        try:
            put(mime, getattr(value, '_repr_%s_' % name)())
        except Exception:
            pass
    return data

def _figures():
    plot = sys.modules.get('matplotlib.pyplot')
    if not hasattr(plot, 'get_fignums'):
        return
    import io
    try:
        for number in plot.get_fignums():
            image = io.BytesIO()
            plot.figure(number).savefig(image, format='png')
            yield {'image/png': _encode(image.getvalue()), 'text/plain': 'Figure %d' % number}
    finally:
        plot.close('all')

class _Feed:
    # What one unpickler reads of several pickles, so that they share what they have in common.
    def __init__(self):
        self.give(b'')

    def give(self, state):
        self.state, self.at = state, 0

    def peek(self, size):
        return self.state[self.at:self.at + size]

    def read(self, size):
        part = self.peek(size)
        self.at += len(part)
        return part

    def readline(self):
        end = self.state.find(b'\n', self.at) + 1
        return self.read((end or len(self.state)) - self.at)

class _Missing:
    # An instance of what is not found: it takes what it is given, so that others find their own in its place.
    seen = 0

    def __new__(cls, *args, **more):
        _Missing.seen += 1
        return object.__new__(cls)

    def __init__(self, *args, **more):
        pass

    __call__ = __setstate__ = __setitem__ = append = extend = add = __init__

class _Hole:
    # In the place of what is not made again. Nothing can be made of it.
    def _refuse(self, *args):
        raise TypeError

    __getattribute__ = __repr__ = __bool__ = __eq__ = __hash__ = _refuse

class _Unpickler(_pickle.Unpickler):
    def __init__(self, feed):
        super().__init__(feed)
        self.feed, self.hole = feed, _Hole()

    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except BaseException:
            _Missing.seen += 1
            return _Missing

    def persistent_load(self, _):
        return self.hole

    def skip(self, places):
        self.feed.give(b'\x80\x04K\x00Q' + b'\x94' * places + b'.')
        self.load()

    def take(self, part):
        # Gives a list of the one value; none where that is made of something that is not there.
        self.feed.give(part)
        before = _Missing.seen, sys.getrefcount(self.hole)
        boxed = self.load()
        return boxed if (_Missing.seen, sys.getrefcount(self.hole)) == before else []

def _load_together(values):
    # What failed would leave others what is half made: they are made again without it, and find what they share in the same places.
    lost = set()
    while True:
        made, failed, at = {}, set(), 0
        unpickler = _Unpickler(_Feed())
        ends = [place for place, _ in values.values()][1:] + [0]
        for (name, (place, part)), end in zip(values.items(), ends):
            if name in lost:
                continue
            try:
                if place > at:
                    unpickler.skip(place - at)
                boxed = unpickler.take(part)
            except BaseException:
                # It is not known how many places it took.
                failed.add(name)
                break
            at = end
            if boxed:
                made[name] = boxed[0]
            else:
                failed.add(name)
        if not failed:
            return made
        lost |= failed

def _load_alone(values):
    made = {}
    for name, one in values.items():
        try:
            made[name] = _pickle.loads(one)
        except BaseException:
            pass
    return made

def _kept_values(kept):
    # With what makes them again.
    if 'shared' in kept:
        return kept['shared'], _load_together
    if kept.get('joined'):
        # As they were written before, with the number of each place: here each is put into a list.
        return {name: (0, b'\x80\x03]' + one[2:-1] + b'a.') for name, one in kept['values'].items()}, _load_together
    return kept['values'], _load_alone

def _restore(names, sources, state):
    # Gives the names of what could not be made again. What ends a program is no end here: it is the code of modules and decorators.
    kept, lost = _pickle.loads(state), []
    flags = kept.get('flags', {})
    values, load = _kept_values(kept)
    for name, module in kept['modules'].items():
        try:
            __import__(module)
            names[name] = sys.modules[module]
        except BaseException:
            lost.append(name)
    # What is made of something else may come before it.
    rest, made = dict(kept['sources']), {}
    while True:
        before = (len(rest), len(made))
        for name, one in list(rest.items()):
            try:
                if name not in names:
                    exec(compile(one, '<string>', 'exec', flags.get(name, 0)), names)
                del rest[name]
            except BaseException:
                pass
        if len(made) < len(values):
            made = load(values)
            names.update(made)
        if (len(rest), len(made)) == before:
            break
    lost += [name for name in [*rest, *values] if name in rest or name not in made]
    for name in set(kept['sources']) - set(lost):
        sources[name] = (names.get(name), kept['sources'][name], flags.get(name, 0))
    return list(dict.fromkeys(lost))

class _Full(Exception):
    pass

class _Sink:
    # Takes no more than there is room for, and holds nothing once it came to more than it is to hold.
    def __init__(self, room, hold=0):
        self.room, self.least, self.parts, self.made = room, room - hold, [], {}

    def write(self, part):
        self.room -= len(part) if isinstance(part, bytes) else memoryview(part).nbytes
        if self.room < 0:
            raise _Full
        if self.room < self.least:
            self.parts = self.made = None
        elif self.parts is not None:
            self.parts.append(bytes(part))

    def take(self):
        part = b''.join(self.parts or ())
        if self.parts:
            self.parts = []
        return part

def _can_be_kept(value, most):
    try:
        _pickle.Pickler(_Sink(most), 4).dump(value)
        return True
    except (_Full, MemoryError):
        raise
    except Exception:
        return False

def _dumped(values, most, hold):
    # One finds again what another has. Gives where they are, and those that are left from one on that can't be kept.
    sink = _Sink(most, hold)
    pickler = _pickle.Pickler(sink, 4)
    for count, (name, value) in enumerate(values.items()):
        boxed = [value]
        try:
            pickler.dump(boxed)
            part = sink.take()
            # Where the list itself is now found: those before it took so many places.
            pickler.dump(boxed)
            found = sink.take()
        except (_Full, MemoryError):
            raise
        except Exception:
            return None, list(values)[count:]
        if sink.made is not None:
            sink.made[name] = (found[3] if len(found) == 5 else int.from_bytes(found[-5:-1], 'little'), part)
    return sink, []

def _dump_together(values, most, hold):
    # Where one can't be kept, the others are tried without it, and without those after it that can't either.
    left, lost = dict(values), []
    while True:
        sink, rest = _dumped(left, most, hold)
        for name in rest:
            if name == rest[0] or not _can_be_kept(left[name], most):
                lost.append(name)
                del left[name]
        if sink is not None and sink.made is not None:
            return sink, lost
        if sink is not None:
            # There is room for them.
            hold = most

class _Last:
    # What is known from the time before, so that most is written but once.
    def __init__(self):
        # What could not be kept is looked at by itself, before the others.
        self.missed = set()
        self.size = 0

# Of what may come to be too large no more is held while that is found out: the code may have left no memory for it.
_HELD = 16000000

def _snapshot(names, sources, own, last, most):
    modules, values, lost = {}, {}, []
    # Of a name that was bound anew, the source is that of something else.
    for name in [name for name, one in sources.items() if names.get(name, sources) is not one[0]]:
        del sources[name]
    found = dict(names)
    for name, value in found.items():
        if name in own:
            continue
        if isinstance(value, type(sys)):
            modules[name] = value.__name__
        elif isinstance(value, (type(_snapshot), type)) and getattr(value, '__module__', None) == '__main__':
            if name not in sources:
                lost.append(name)
        elif name not in last.missed or _can_be_kept(value, most):
            values[name] = value
        else:
            lost.append(name)
    hold, last.size = last.size + _HELD, 0
    sink, missed = _dump_together(values, most, hold)
    last.missed, last.size = {*lost, *missed}, most - sink.room
    lost = [name for name in found if name in last.missed]
    texts = {name: text for name, (_, text, _) in sources.items()}
    flags = {name: one for name, (_, _, one) in sources.items() if one}
    kept = _pickle.dumps({'modules': modules, 'sources': texts, 'flags': flags, 'shared': sink.made})
    if len(kept) > most:
        raise _Full
    sink.made.clear()
    return b'{"done": 0, "state": "%s", "lost": %s}' % (_base64(kept, newline=False), _bytes(_json(lost)))

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

# Lines of the code that was run last, by the names that it has in tracebacks.
_cells = {}

class _Lines:
    # Whoever looks lines up finds them, also where that is loaded later.
    most = 4000000

    def __init__(self):
        self.size = 0
        self.isLooking = False

    def add(self, name, code):
        _cells[name] = (len(code), None, [line + '\n' for line in code.splitlines()], name)
        caches = [cache for cache in (_cells, getattr(sys.modules.get('linecache'), 'cache', None)) if isinstance(cache, dict)]
        self.size += len(code)
        while self.size > self.most and len(_cells) > 1:
            oldest = next(iter(_cells))
            self.size -= _cells[oldest][0]
            for cache in caches:
                cache.pop(oldest, None)
        caches[-1][name] = _cells[name]

    def find_spec(self, name, path=None, target=None):
        if name == 'threading':
            _ready_tellers()
        if name != 'linecache' or self.isLooking:
            return None
        self.isLooking = True
        try:
            found = (finder.find_spec(name, path, target) for finder in sys.meta_path)
            spec = next((one for one in found if one is not None), None)
        finally:
            self.isLooking = False
        if spec is not None and 'exec_module' not in vars(spec.loader) and not isinstance(spec.loader, type):
            run = spec.loader.exec_module
            def load(module):
                run(module)
                if isinstance(getattr(module, 'cache', None), dict):
                    module.cache.update(_cells)
            spec.loader.exec_module = load
        return spec

def _print(kind, error, frames):
    try:
        _ready_tellers()
        cache = _tellers['linecache'].cache
        cache.clear()
        cache.update(_cells)
        if sys.stderr is not None:
            _tellers['traceback'].print_exception(kind, error, frames)
    except Exception:
        sys.__excepthook__(kind, error, frames)

def _report(error):
    # Gives the code to end with.
    hook = getattr(sys, 'excepthook', sys.__excepthook__)
    try:
        _fail(error, _print if hook is sys.__excepthook__ else hook)
    except SystemExit as end:
        return _exit_code(end)
    except BaseException:
        # There is nowhere to say it.
        pass
    return 1

def _exit_code(end):
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 255
    try:
        if sys.stderr is not None:
            print(end.code, file=sys.stderr)
    except Exception:
        pass
    return 1

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
            text = _snapshot(self.names, self.sources, self.unkept, self.last, how['most'])
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
        for compiled, node, flags in parts:
            exec(compiled, names)
            if isinstance(node, _defining):
                self.note(node, lines, flags)
        if last is not None:
            value = eval(compile(_ast.Expression(last.value), file, 'eval'), names)
            if value is not None:
                self.display(value)

    def compiled(self, body, file):
        # In parts, so that it is seen what each definition made, whatever becomes of its name.
        flags = 0
        for part in _parts(body):
            compiled = compile(_ast.Module(part, []), file, 'exec', flags)
            flags |= compiled.co_flags & _FUTURE
            yield compiled, part[-1] if part else None, flags

    def note(self, node, lines, flags):
        # What the code defined is kept as it was written.
        if node.name in self.names:
            self.sources[node.name] = (self.names[node.name], _segment(lines, node), flags)

_session = _Live(_order()['live'])
while True:
    _session.take(_order())
`;

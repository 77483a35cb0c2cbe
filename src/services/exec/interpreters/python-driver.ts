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
def _fail(error):
    import traceback
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == '<string>':
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)

def _enter(order):
    main = type(sys)('__main__')
    sys.modules['__main__'] = main
    sys.path[0] = os.getcwd()
    os.environ.update(order.get('env', {}))
    return main.__dict__

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
def _leave(names, code):
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
    _finish(names)
    try:
        # Whoever hears it has not to wait until all memory is given back.
        # A child that went on from a fork of the program's own ends alone.
        if _word is not None and os.getpid() == _main and os.fstat(3)[:3] == _word:
            os.write(3, bytes([code & 255]))
    except OSError:
        pass
    os._exit(code)

def _finish(names):
    import gc, io
    def flush(kinds):
        for one in gc.get_objects():
            if issubclass(type(one), kinds):
                try:
                    one.flush()
                except Exception:
                    pass
    # Of a file in a cycle the buffer may go before the text that is to go into it.
    flush(io.TextIOWrapper)
    names.clear()
    gc.collect()
    flush(io.TextIOWrapper)
    flush((io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair))
    sys.stdout.flush()
    sys.stderr.flush()

def _rehearse():
    # A fork has the pages copied that it writes to, one by one: those of the way through any program become its own while it waits.
    with open('/dev/null', 'rb') as file:
        source = b'print(end="")' + file.read()
    names = type(sys)('__main__').__dict__
    exec(compile(source, '/dev/null', 'exec'), names)
    _finish(names)

def _become(order):
    names = _enter(order)
    path = order['run']
    sys.argv = [path] + order['args']
    names['__file__'] = path
    with open(path, 'rb') as file:
        source = file.read()
    try:
        exec(compile(source, path, 'exec'), names)
    except SystemExit:
        raise
    except BaseException as error:
        sys.stdout.flush()
        _fail(error)
        sys.exit(1)
    _leave(names, 0)

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
 * `{"done": code, "state"?: base64, "lost"?: names, "tooLarge"?: true}`. An order to run code is answered twice: when it is done, and with
 * what is left of its variables, or `"done": 2` where that is longer than `unasked` and has to be asked for: `{"give": true}`. After
 * `{"restore": length}` so many bytes follow; the names of what could not be made of them are `lost`. Orders come by a descriptor that the code
 * does not have as its standard input, and what is told goes by others than its output.
 */
export const livePythonDriver = String.raw`${reading}
def _alone():
    # The session may have modules of the same names: they are not these, and its code finds its own. What extends pickle is told to the
    # one copyreg that it knows.
    before, places, folder = set(sys.modules), sys.path, os.path.join(os.getcwd(), '')
    sys.path = [place for place in places if not os.path.join(os.path.abspath(place), '').startswith(folder)]
    import _pickle, binascii
    sys.path = places
    for name in set(sys.modules) - before - {'copyreg'}:
        if (getattr(sys.modules[name], '__file__', None) or '').endswith('.py'):
            del sys.modules[name]
    return _pickle, binascii.b2a_base64

_pickle, _base64 = _alone()

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

def _escaped(error):
    # What is cut at any byte is whole characters then.
    units = error.object[error.start:error.end].encode('utf-16-be', 'surrogatepass')
    return ''.join('\\u%02x%02x' % pair for pair in zip(units[::2], units[1::2])), error.end

def _encode(value):
    return _base64(value, newline=False).decode() if isinstance(value, (bytes, bytearray)) else value

def _bundle(value):
    data = {'text/plain': repr(value)[:1000000]}
    rich = getattr(type(value), '_repr_mimebundle_', None)
    if rich is not None:
        made = value._repr_mimebundle_()
        made = made[0] if isinstance(made, tuple) else made
        data.update({name: _encode(one) for name, one in (made or {}).items()})
    for name, mime in (('html', 'text/html'), ('png', 'image/png'), ('jpeg', 'image/jpeg'), ('svg', 'image/svg+xml'),
                       ('markdown', 'text/markdown'), ('latex', 'text/latex'), ('json', 'application/json')):
        if getattr(type(value), '_repr_%s_' % name, None) is None:
            continue
        one = getattr(value, '_repr_%s_' % name)()
        if one is not None:
            data[mime] = _json(one) if name == 'json' else _encode(one)
    return {name: one for name, one in data.items() if isinstance(one, str)}

def _figures():
    plot = sys.modules.get('matplotlib.pyplot')
    if plot is None:
        return
    import io
    for number in plot.get_fignums():
        image = io.BytesIO()
        plot.figure(number).savefig(image, format='png')
        yield {'image/png': _encode(image.getvalue()), 'text/plain': 'Figure %d' % number}
    plot.close('all')

def _restore(names, sources, state):
    # Gives the names of what could not be made again. What ends a program is no end here: it is the code of modules and decorators.
    kept, lost = _pickle.loads(state), []
    flags = kept.get('flags', {})
    for name, module in kept['modules'].items():
        try:
            __import__(module)
            names[name] = sys.modules[module]
        except BaseException:
            lost.append(name)
    # What is made of something else may come before it.
    rest = [('source', name, one) for name, one in kept['sources'].items()] + [('value', name, one) for name, one in kept['values'].items()]
    while rest:
        left = []
        for kind, name, one in rest:
            try:
                if kind == 'value':
                    names[name] = _pickle.loads(one)
                elif name not in names:
                    exec(compile(one, '<string>', 'exec', flags.get(name, 0)), names)
            except BaseException:
                left.append((kind, name, one))
        if len(left) == len(rest):
            break
        rest = left
    lost += [name for _, name, _ in rest]
    for name in set(kept['sources']) - set(lost):
        sources[name] = (names.get(name), kept['sources'][name], flags.get(name, 0))
    return list(dict.fromkeys(lost))

def _snapshot(names, sources, most):
    modules, values, lost = {}, {}, []
    # Of a name that was bound anew, the source is that of something else.
    for name in [name for name, one in sources.items() if names.get(name, sources) is not one[0]]:
        del sources[name]
    for name, value in list(names.items()):
        if name.startswith('__') or name == 'display':
            continue
        if isinstance(value, type(sys)):
            modules[name] = value.__name__
        elif isinstance(value, (type(_snapshot), type)) and getattr(value, '__module__', None) == '__main__':
            if name not in sources:
                lost.append(name)
        else:
            try:
                values[name] = _pickle.dumps(value)
            except Exception:
                lost.append(name)
    if sum(map(len, values.values())) > most:
        return {'done': 1, 'tooLarge': True}
    texts = {name: text for name, (_, text, _) in sources.items()}
    flags = {name: one for name, (_, _, one) in sources.items() if one}
    kept = _pickle.dumps({'modules': modules, 'sources': texts, 'flags': flags, 'values': values})
    if len(kept) > most:
        return {'done': 1, 'tooLarge': True}
    return {'done': 0, 'state': _encode(kept), 'lost': lost}

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

def _report(error):
    try:
        _fail(error)
    except Exception:
        # The session has modules in the place of those that print it.
        sys.__excepthook__(type(error), error, error.__traceback__)

import _ast
_defining = (_ast.FunctionDef, _ast.AsyncFunctionDef, _ast.ClassDef)
# from __future__ import annotations
_FUTURE = 1 << 24

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
        self.names = _enter({})
        self.sources = {}
        self.held = None
        builtins.display = self.display

    def write(self, number, text):
        mark = ('\x1e' + self.token + text + '\x1e').encode('ascii', 'outrigger')
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
            text = _json(_snapshot(self.names, self.sources, how['most']))
        except BaseException:
            text = '{"done": 1}'
        if len(text) > how['unasked']:
            self.held, text = text, '{"done": 2}'
        self.finish(text)

    def run(self, order):
        sys.argv = [order['file']] + order['args']
        self.names['__file__'] = order['file']
        undo = self.lend(order['env']) if order['env'] else None
        code = 0
        try:
            _give(order['stdin'])
            self.execute(order['code'], order['file'])
        except SystemExit as error:
            code = error.code & 255 if isinstance(error.code, int) else 0 if error.code is None else 1
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
        except BaseException as error:
            _report(error)
            code = 1
        if undo is not None:
            undo()
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
        names = self.names
        code = code[1:] if code.startswith('\ufeff') else code
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
        for figure in _figures():
            self.show(figure)

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

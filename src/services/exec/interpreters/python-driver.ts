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
 */
export const pythonDriver = String.raw`${reading}${entering}
def _leave(names, code):
    # As the interpreter ends, without taking itself down: what is left to do, then what the code made, then what is still to be written.
    # Libraries in C may have something to write that is not known here: with one of those it ends the long way.
    import atexit, gc, io
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
    os._exit(code)

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

import gc
_own = set(map(id, sys.modules.values()))
# What is there already is not looked through again.
gc.collect()
gc.freeze()
_become(eval(_read(int(_read(8))).decode(), {'__builtins__': {}, 'true': True, 'false': False, 'null': None}))
`;

/**
 * What a Python interpreter runs that stays in its session, and runs one order after the other in the same variables. The first order is
 * `{"live": token}`; `token` marks what it tells of itself on its output, between two U+001E: `{"display": {mime: data}}`,
 * `{"done": code, "state"?: base64, "lost"?: names, "tooLarge"?: true}`. Orders come by a descriptor that the code does not have as its
 * standard input.
 */
export const livePythonDriver = String.raw`${reading}
import json

def _order():
    return json.loads(_read(int(_read(8))))
${entering}
def _encode(value):
    import base64
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else value

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
            data[mime] = json.dumps(one) if name == 'json' else _encode(one)
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
    import base64, importlib, pickle
    kept = pickle.loads(base64.b64decode(state))
    for name, module in kept['modules'].items():
        try:
            names[name] = importlib.import_module(module)
        except Exception:
            pass
    # What is made of something else may come before it.
    rest = [('source', name, one) for name, one in kept['sources'].items()] + [('value', name, one) for name, one in kept['values'].items()]
    while rest:
        left = []
        for kind, name, one in rest:
            try:
                if kind == 'value':
                    names[name] = pickle.loads(one)
                else:
                    exec(one, names)
                    sources[name] = one
            except Exception:
                left.append((kind, name, one))
        if len(left) == len(rest):
            break
        rest = left

def _snapshot(names, sources, most):
    import base64, pickle, types
    modules, values, lost = {}, {}, []
    for name, value in list(names.items()):
        if name.startswith('__') or name == 'display':
            continue
        if isinstance(value, types.ModuleType):
            modules[name] = value.__name__
        elif isinstance(value, (types.FunctionType, type)) and getattr(value, '__module__', None) == '__main__':
            if name not in sources:
                lost.append(name)
        else:
            try:
                values[name] = pickle.dumps(value)
            except Exception:
                lost.append(name)
    if sum(map(len, values.values())) > most:
        return {'done': 1, 'tooLarge': True}
    sources = {name: one for name, one in sources.items() if name in names}
    kept = pickle.dumps({'modules': modules, 'sources': sources, 'values': values})
    if len(kept) > most:
        return {'done': 1, 'tooLarge': True}
    return {'done': 0, 'state': base64.b64encode(kept).decode(), 'lost': lost}

def _give(text):
    # Programs that the code starts read it as well.
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

def _live(token):
    import ast, builtins
    global _orders
    _orders = os.dup(0)
    names = _enter({})
    sources = {}
    def tell(facts):
        sys.stdout.flush()
        sys.stderr.flush()
        for number in (1, 2) if 'done' in facts else (1,):
            mark = ('\x1e' + token + json.dumps(facts if number == 1 else {'done': 0}) + '\x1e').encode('utf-8', 'replace')
            while mark:
                mark = mark[os.write(number, mark):]
    def display(value):
        tell({'display': _bundle(value)})
    builtins.display = display
    while True:
        order = _order()
        code = 0
        if 'restore' in order:
            try:
                _restore(names, sources, order['restore'])
            except Exception as error:
                _fail(error)
                code = 1
        elif 'save' in order:
            try:
                facts = _snapshot(names, sources, order['most'])
            except BaseException:
                facts = {'done': 1}
            tell(facts)
            continue
        else:
            sys.argv = [order['file']] + order['args']
            names['__file__'] = order['file']
            environment = dict(os.environ)
            os.environ.update(order['env'])
            before = dict(names)
            tree = None
            try:
                _give(order['stdin'])
                tree = ast.parse(order['code'], order['file'])
                last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, order['file'], 'exec'), names)
                if last is not None:
                    value = eval(compile(ast.Expression(last.value), order['file'], 'eval'), names)
                    if value is not None:
                        display(value)
                for figure in _figures():
                    tell({'display': figure})
            except SystemExit as error:
                code = error.code & 255 if isinstance(error.code, int) else 0 if error.code is None else 1
                if isinstance(error.code, str):
                    print(error.code, file=sys.stderr)
            except BaseException as error:
                _fail(error)
                code = 1
            for node in tree.body if tree else []:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and names.get(node.name) is not before.get(node.name):
                    sources[node.name] = ast.get_source_segment(order['code'], node)
            # What came with the order goes with it; what the code set itself stays.
            for name, value in order['env'].items():
                if os.environ.get(name) != value:
                    continue
                if name in environment:
                    os.environ[name] = environment[name]
                else:
                    del os.environ[name]
            before = tree = None
        tell({'done': code})

_live(_order()['live'])
`;

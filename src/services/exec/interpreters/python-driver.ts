import { enteringMain, readingOrders } from './python-parts.ts';

/**
 * What a Python interpreter runs that was started before its work: it reads one order of JSON after its length (8 digits) from its
 * standard input, and no byte more: `{"run": file, "args", "env"}`. It becomes that program, as if started with it. To read JSON as the
 * Python that it is, but for three names, spares it a third of its start, and leaves the program's own modules their names: none is
 * loaded that the interpreter does not load by itself.
 *
 * With arguments it is what programs are forked of (native/serve.h): the library that does it, then variables `NAME=value` that it must not
 * have itself, as it is in no cage: nothing that a program could write may be loaded there.
 */
export const pythonDriver = String.raw`${readingOrders}${enteringMain}
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

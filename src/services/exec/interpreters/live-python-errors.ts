/** A part of the live driver: errors are printed with the lines of the code that they come from, and say what a program ends with. */
export const tellingErrors = String.raw`
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
`;

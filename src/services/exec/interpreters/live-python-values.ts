/** A part of the live driver: how variables are kept, and made again. */
export const keepingValues = String.raw`
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
    rest, made, others = dict(kept['sources']), {}, dict(kept.get('others', {}))
    while True:
        before = (len(rest), len(made), len(others))
        for name, one in list(rest.items()):
            try:
                if name not in names:
                    exec(compile(one, '<string>', 'exec', flags.get(name, 0)), names)
                del rest[name]
            except BaseException:
                pass
        for name, first in list(others.items()):
            if first in names and first not in rest:
                names[name] = names[first]
                del others[name]
        if len(made) < len(values):
            made = load(values)
            names.update(made)
        if (len(rest), len(made), len(others)) == before:
            break
    lost += [name for name in [*rest, *others, *values] if name in rest or name not in made]
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

def _is_code(value):
    return isinstance(value, (type(_is_code), type)) and getattr(value, '__module__', None) == '__main__'

class _Pickler(_pickle.Pickler):
    # Refuses what is made of code that is there now, and will not be.
    def __init__(self, sink, sources):
        super().__init__(sink, 4)
        self.sources = sources

    def reducer_override(self, value):
        if _is_code(value) and value.__qualname__.partition('.')[0] not in self.sources:
            raise TypeError
        return NotImplemented

def _can_be_kept(value, most, pickler):
    try:
        pickler(_Sink(most)).dump(value)
        return True
    except (_Full, MemoryError):
        raise
    except Exception:
        return False

def _dumped(values, most, hold, pickler):
    # One finds again what another has. Gives where they are, and those that are left from one on that can't be kept.
    sink = _Sink(most, hold)
    pickler = pickler(sink)
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

def _dump_together(values, most, hold, pickler):
    # Where one can't be kept, the others are tried without it, and without those after it that can't either.
    left, lost = dict(values), []
    while True:
        sink, rest = _dumped(left, most, hold, pickler)
        for name in rest:
            if name == rest[0] or not _can_be_kept(left[name], most, pickler):
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

def _digest(state):
    # Of few bytes it is not worth it.
    return _blake2b(state, digest_size=32).digest() if _blake2b is not None and len(state) > 16000 else None

def _snapshot(names, sources, own, last, most):
    modules, values, others, lost = {}, {}, {}, []
    # Of a name that was bound anew, the source is that of something else.
    for name in [name for name, one in sources.items() if names.get(name, sources) is not one[0]]:
        del sources[name]
    found = dict(names)
    defined = {id(one[0]): name for name, one in sources.items()}
    for name, value in found.items():
        if name in own:
            continue
        if isinstance(value, type(sys)):
            modules[name] = value.__name__
        elif not _is_code(value):
            values[name] = value
        elif name not in sources and id(value) in defined:
            others[name] = defined[id(value)]
        elif name not in sources:
            lost.append(name)
    # It looks at each value: where all code is kept there is no need.
    pickler = (lambda sink: _Pickler(sink, sources)) if lost else (lambda sink: _pickle.Pickler(sink, 4))
    for name in [name for name in values if name in last.missed and not _can_be_kept(values[name], most, pickler)]:
        lost.append(name)
        del values[name]
    hold, last.size = last.size + _HELD, 0
    sink, missed = _dump_together(values, most, hold, pickler)
    last.missed, last.size = {*lost, *missed}, most - sink.room
    lost = [name for name in found if name in last.missed]
    texts = {name: text for name, (_, text, _) in sources.items()}
    flags = {name: one for name, (_, _, one) in sources.items() if one}
    kept = _pickle.dumps({'modules': modules, 'sources': texts, 'flags': flags, 'others': others, 'shared': sink.made})
    if len(kept) > most:
        raise _Full
    sink.made.clear()
    return kept, lost
`;

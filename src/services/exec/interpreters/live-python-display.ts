/** A part of the live driver: what it tells as JSON, and how values and figures are shown. */
export const displaying = String.raw`
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
`;

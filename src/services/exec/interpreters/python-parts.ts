// What the two programs in Python, the one for one run and the one that lives on, have in common.

/** How either reads its orders. */
export const readingOrders = String.raw`
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
export const enteringMain = String.raw`
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

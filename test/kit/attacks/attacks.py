# What a program may try against the machine that runs it: `attacks.py NAME [given]...`. Each says BREACH where it got through what a cage
# should hold back. None of them goes on without a limit and a deadline of its own, so that a cage that leaks does no harm.
import ctypes, errno, os, select, signal, socket, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
given = dict(part.split('=', 1) for part in sys.argv[2:])
MIB = 1 << 20


def say(text):
    sys.stdout.write(text + '\n')
    sys.stdout.flush()


def attempt(what, action):
    try:
        action()
    except (OSError, ValueError) as error:
        say(f'refused {what}: {error}')
    else:
        say(f'BREACH {what}')


def call(number, *args):
    if libc.syscall(number, *args) < 0:
        # What the kernel looked into was let through.
        if ctypes.get_errno() not in (errno.EFAULT, errno.EINVAL, errno.ENOENT, errno.ENODEV, errno.ENOTTY, errno.ESRCH):
            raise OSError(ctypes.get_errno(), 'syscall')


def children(count, work):
    made = 0
    for _ in range(count):
        try:
            pid = os.fork()
        except OSError:
            break
        if pid == 0:
            try:
                work()
            finally:
                os._exit(0)
        made += 1
    return made


def fork_bomb():
    made = children(150, lambda: time.sleep(2))
    # What watches has seen it by then.
    time.sleep(0.3)
    say(f'BREACH {made} processes' if made >= int(given['most']) else f'refused after {made}')


def fork_storm():
    until = time.time() + 5
    first = os.getpid()
    reading, writing = os.pipe()
    # Each child forks on; bounded by its depth even where nothing else bounds it: 2 to the 7 processes.
    for _ in range(7):
        try:
            os.fork()
        except OSError:
            pass
    os.write(writing, b'x')
    if os.getpid() == first:
        told, most = 0, int(given['most'])
        # As many as may be are soon made; one more is one too many, however long it takes.
        while told <= most and select.select([reading], [], [], max(0.3, until - time.time() - 1))[0]:
            told += len(os.read(reading, 1000))
        say(f'BREACH {told} processes' if told > most else f'refused after {told}')
        if told > most:
            return
    time.sleep(max(0, until - time.time()))


def hold(size):
    held = []
    for _ in range(size // MIB):
        held.append(b'x' * MIB)
    time.sleep(0.6)


def memory_by_one():
    hold(400 * MIB)
    say('BREACH 400 MiB')


def memory_by_eight():
    reading, writing = os.pipe()

    def hold_and_tell():
        held = [b'x' * MIB for _ in range(40)]
        os.write(writing, b'x')
        time.sleep(2)
        del held

    children(8, hold_and_tell)
    os.close(writing)
    # All of them hold it at the same time; one that was ended tells nothing.
    told = 0
    while told < 8 and os.read(reading, 1):
        told += 1
    time.sleep(0.3)
    say('BREACH 8 times 40 MiB' if told == 8 else f'refused: {told} of 8')


def output_flood():
    piece = b'x' * MIB
    for _ in range(300):
        os.write(1, piece)
    say('BREACH')


def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(1)
            os.close(2)
            time.sleep(5)
        os._exit(0)
    os.wait()


def ignores_signals():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    time.sleep(5)


def stops_its_group():
    children(2, lambda: time.sleep(5))
    say('stops')
    os.kill(0, signal.SIGSTOP)
    time.sleep(5)


def stops_all():
    children(2, lambda: time.sleep(5))
    try:
        # Not where it would stop the machine of whoever runs this.
        if given.get('scoped') == 'yes':
            os.kill(-1, signal.SIGSTOP)
    except OSError as error:
        say(f'refused: {error}')
    time.sleep(5)


def descriptors():
    open_ones = []
    for number in range(3, 256):
        try:
            os.fstat(number)
            open_ones.append(number)
        except OSError:
            pass
    say(f'BREACH descriptors {open_ones}' if open_ones else 'refused: nothing was open')


def odd_outputs():
    attempt('a hard link to a file outside', lambda: os.link(given['secret'], 'hard'))
    os.symlink(given['secret'], 'soft')
    os.symlink('/', 'root')
    os.mkfifo('fifo')
    for name in ('-rf', '$(id)', 'a\nb', '\\', ' ', '\x01'):
        open(name, 'w').close()
    open(b'\xff\xfe', 'w').close()
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind('sock')
    except OSError as error:
        say(f'no socket: {error}')
    os.mkdir('closed')
    open('closed/in', 'w').close()
    os.chmod('closed', 0)
    open('suid', 'w').close()
    os.chmod('suid', 0o4755)


def disk_by_many():
    for number in range(200):
        with open(f'fill-{number}', 'wb') as file:
            file.write(b'x' * MIB)
    time.sleep(0.6)
    say('BREACH 200 MiB in 200 files')


def disk_by_one():
    try:
        with open('one', 'wb') as file:
            for _ in range(200):
                file.write(b'x' * MIB)
    except OSError as error:
        say(f'refused: {error}')
        sys.exit(3)
    say('BREACH 200 MiB in one file')


def disk_in_temporary():
    folder = os.environ['TMPDIR']
    try:
        for number in range(200):
            with open(f'{folder}/fill-{number}', 'wb') as file:
                file.write(b'x' * MIB)
    except OSError as error:
        say(f'refused: {error}')
        sys.exit(3)
    time.sleep(0.6)
    say('BREACH 200 MiB in temporary files')


def inode_flood():
    for number in range(3000):
        open(f'n-{number}', 'w').close()
    time.sleep(1)
    say('BREACH 3000 files')


def network():
    def tcp():
        socket.create_connection(('127.0.0.1', int(given['tcp'])), 1)

    def abstract():
        socket.socket(socket.AF_UNIX).connect('\0' + given['abstract'])

    attempt('tcp', tcp)
    attempt('udp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9)))
    attempt('an abstract socket', abstract)
    attempt('a socket in the file system', lambda: socket.socket(socket.AF_UNIX).connect(given['socket']))
    attempt('a raw socket', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
    attempt('netlink', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
    # What programs need among themselves goes on.
    socket.socketpair()


def zombies():
    # Whose parent is gone is the supervisor's to wait for: as long as nobody does, it takes a place.
    reading, writing = os.pipe()
    if os.fork() == 0:
        children(1, lambda: os.write(writing, str(os.getpid()).encode()))
        os._exit(0)
    orphan = int(os.read(reading, 20))
    until = time.time() + 1
    try:
        while time.time() < until:
            os.kill(orphan, 0)
            time.sleep(0.01)
        say('BREACH an orphan that is over takes its place')
    except ProcessLookupError:
        say('refused: somebody waited for it')
    say(f'made {children(20, lambda: None)}')
    time.sleep(0.2)


def start_of(pid):
    with open(f'/proc/{pid}/stat') as file:
        return file.read().rsplit(')', 1)[1].split()[19]


def is_them():
    try:
        return start_of(given['pid']) == given['start']
    except OSError:
        return False


def spies():
    pid = given['pid']
    attempt('a secret file', lambda: open(given['secret']).read())
    attempt("the folder of another run", lambda: os.listdir(given['other']))
    if is_them():
        attempt('its environment', lambda: open(f'/proc/{pid}/environ', 'rb').read())
        attempt('its memory', lambda: open(f'/proc/{pid}/mem', 'rb'))
        attempt('its map', lambda: open(f'/proc/{pid}/maps').read())
        attempt('its descriptors', lambda: open(f'/proc/{pid}/fd/0', 'rb'))
        attempt('its folder', lambda: os.listdir(f'/proc/{pid}/cwd/'))
    parent = os.getppid()
    attempt("the supervisor's memory", lambda: open(f'/proc/{parent}/mem', 'rb'))
    attempt("the supervisor's descriptors", lambda: open(f'/proc/{parent}/fd/1', 'wb'))
    attempt('/etc/shadow', lambda: open('/etc/shadow').read())
    attempt('/root', lambda: os.listdir('/root'))


def signals_us():
    if is_them():
        attempt('a signal', lambda: os.kill(int(given['pid']), 0))
        # Whoever may ask may also set it, to 0 seconds of processor.
        attempt('a limit of it', lambda: __import__('resource').prlimit(int(given['pid']), 7))
    else:
        say('refused: it is not to be seen')
    if os.getppid() > 1:
        attempt('a signal to the supervisor', lambda: os.kill(os.getppid(), 0))


def kernel():
    attempt('unshare', lambda: call(272, 0x10000000))
    attempt('setns', lambda: call(308, os.open('/proc/self/ns/net', os.O_RDONLY), 0))
    attempt('clone of namespaces', lambda: call(56, 0x10000000 | 17, 0, 0, 0, 0))
    attempt('clone3', lambda: call(435, 0, 0))
    attempt('ptrace', lambda: call(101, 0, 0, 0, 0))
    attempt('process_vm_readv', lambda: call(310, os.getpid(), 0, 0, 0, 0, 0))
    attempt('bpf', lambda: call(321, 0, 0, 0))
    attempt('io_uring', lambda: call(425, 1, 0))
    attempt('keyctl', lambda: call(250, 0, -3, 1))
    attempt('add_key', lambda: call(248, 0, 0, 0, 0, -3))
    attempt('userfaultfd', lambda: call(323, 1))
    # Of a kind that no kernel knows: where it is let through, nothing is mounted.
    attempt('mount', lambda: call(165, b'none', b'/', b'outrigger-none', 0, 0))
    attempt('fsopen', lambda: call(430, b'outrigger-none', 0))
    attempt('perf_event_open', lambda: call(298, 0, 0, -1, -1, 0))
    attempt('open_by_handle_at', lambda: call(304, -1, 0, 0))
    attempt('quotactl', lambda: call(179, 0, 0, 0, 0))


def burns_cpu():
    def spin():
        until = time.time() + 2
        while time.time() < until:
            pass

    children(3, spin)
    spin()
    say('BREACH 4 processes at once')


def leftovers():
    for folder in ('/tmp', '/dev/shm', '/var/tmp', '/run', '/run/lock', '/dev/mqueue', '/'):
        try:
            with open(f"{folder}/{given['mark']}", 'w') as file:
                file.write('x')
            say(f'wrote to {folder}')
        except OSError as error:
            say(f'refused {folder}: {error}')
    # Memory that outlives its processes.
    number = libc.shmget(int(given['key']), 4096, 0o1666)
    say(f'shmget {number}')


def holds_the_pipe():
    if os.fork() == 0:
        os.setsid()
        time.sleep(5)
        os._exit(0)


def waits_for_input():
    say('read ' + repr(sys.stdin.read()))


def types_into_the_terminal():
    for path in ('/dev/tty', '/proc/self/fd/0'):
        def inject():
            terminal = os.open(path, os.O_RDWR)
            import fcntl

            fcntl.ioctl(terminal, 0x5412, b'x')

        attempt(f'TIOCSTI on {path}', inject)
    # There is no terminal, and where there were one: what the kernel looked into was let through.
    attempt('TIOCSTI', lambda: call(16, 0, 0x5412, b'x'))
    attempt('TIOCLINUX', lambda: call(16, 0, 0x541C, b'x'))


def dumps_core():
    import resource

    # Where the system puts a core is its own affair; so much may be in it.
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        say('BREACH a core of any size')
    os.abort()


globals()[sys.argv[1]]()

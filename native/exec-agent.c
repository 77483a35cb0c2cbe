// Starts programs in the container that it runs in, for a sidecar in another one, over a unix socket that both see. It can wrap the
// program that the container is there for. Linux only, without privilege. What goes over the socket is in docs/exec-agent.md.
//
// One process listens, wraps and reaps. Each connection that showed the token gets a process of its own, which is a subreaper: what a
// program of that connection starts, however often it forks and whatever session it makes, stays below that process, apart from all
// that the wrapped program starts. So the end of a connection can end all of it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME "outrigger-exec-agent"
#ifndef AGENT_VERSION
#define AGENT_VERSION "unknown"
#endif
#define PROTOCOL 1

// As env(1) has them.
#define EXIT_OWN_FAILURE 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

// Length (32 bits), type (8), number of the program (32), least significant byte first.
#define HEADER 9u
#define MAX_FRAME (64u * 1024)
// A command line and its environment may be longer than any other frame.
#define MAX_START (1024u * 1024)
#define MAX_STRINGS 4096u
#define MAX_TOKEN 512u
#define MIN_TOKEN 16u
#define MAX_HELLO (1u + MAX_TOKEN)
#define MAX_CREDIT (16u * 1024 * 1024)
// Input of one program that it did not take yet.
#define INPUT_WINDOW (64u * 1024)
// One read of a program's output.
#define OUTPUT_PIECE (32u * 1024)
// With more than this to be sent, nothing is read that would add to it.
#define ENOUGH_TO_SEND (64u * 1024)
// What one program may add nevertheless: its start, its ends, its exit.
#define SEND_RESERVE 256u

#define MAX_CONNECTIONS 16
#define MAX_NEWCOMERS 8
#define TOKEN_WITHIN_MS 2000
#define KILL_AFTER_MS 500
// A process that the kernel does not let go of is waited for no longer.
#define GIVE_UP_AFTER_MS 3000
// Who was refused in the midst of what he sends hears why, if he goes on reading: a socket that is closed over unread bytes says only that it is gone.
#define LINGER_MS 500
#define LOOK_AGAIN_MS 500
#define LOOK_FOR_LEFT_MS 10
#define DEFAULT_MAX_PROGRAMS 64u
#define MOST_PROGRAMS 1024u
#define MAX_SEEN 65536u
#define REFUSALS_LOGGED_EVERY_MS 10000

// The same on every architecture but alpha.
#define SYS_CLOSE_RANGE 436
#define CLOSE_RANGE_ON_EXEC 4u

enum frame {
  HELLO = 1, START, INPUT, INPUT_END, SIGNAL, RESIZE, CREDIT, CLOSE_OUTPUT,
  GREETING = 65, WELCOME, REFUSED, STARTED, FAILED, OUTPUT, OUTPUT_END, INPUT_TAKEN, INPUT_CLOSED, EXITED
};
enum refusal { WRONG_TOKEN = 1, OTHER_PROTOCOL, NO_ROOM, BAD_FRAME, NO_TOKEN_FILE };
enum stage { AT_LIMIT = 1, AT_PIPES, AT_FORK, AT_TERMINAL, AT_FOLDER, AT_PROGRAM };

struct program {
  uint32_t id;
  // Of its process group and session too; 0 where the place is free.
  pid_t pid;
  // Says why the program could not be started, or closes when it runs; -1 from then on.
  int failure;
  int failed;
  int exited;
  int terminal;
  int input;
  int output[2];
  uint32_t credit[2];
  unsigned char *waiting;
  uint32_t waiting_size;
  // Of its input, and not told yet.
  uint32_t taken;
  int input_ends;
};

struct connection {
  int socket;
  int signals;
  unsigned char *in;
  size_t in_size, in_capacity;
  unsigned char *out;
  size_t out_at, out_size, out_capacity;
  struct program *programs;
  struct pollfd *polls;
  // The other side takes nothing any more.
  int deaf;
  // Since when, in ms; 0 while it is served.
  int64_t ending;
  // It was told that it spoke another protocol: what comes still is thrown away, until it goes.
  int lingers;
};

struct newcomer {
  int socket;
  int64_t until;
  unsigned char bytes[HEADER + MAX_HELLO];
  size_t size;
};

// Shared by all processes of the agent.
struct shared {
  uint32_t running;
  uint32_t running_of[MAX_CONNECTIONS];
};

static struct {
  const char *socket, *token_file, *copy_to, *make_token;
  mode_t mode;
  uint32_t max_programs, max_tasks;
  int probe, version;
  char **program;
} options = {.mode = 0600, .max_programs = DEFAULT_MAX_PROGRAMS};

static struct shared *shared;
static sigset_t inherited_mask;
static struct newcomer newcomers[MAX_NEWCOMERS];
static pid_t connections[MAX_CONNECTIONS];

// ---- small things

static int complain(const char *what, const char *which) {
  dprintf(2, NAME ": %s%s%s: %s\n", what, *which ? " " : "", which, strerror(errno));
  return -1;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t get16(const unsigned char *at) { return at[0] | (uint32_t)at[1] << 8; }
static uint32_t get32(const unsigned char *at) { return get16(at) | get16(at + 2) << 16; }

static void put32(unsigned char *at, uint32_t value) {
  for (int byte = 0; byte < 4; byte++) at[byte] = (unsigned char)(value >> 8 * byte);
}

static void put64(unsigned char *at, uint64_t value) {
  put32(at, (uint32_t)value);
  put32(at + 4, (uint32_t)(value >> 32));
}

static void put_header(unsigned char *at, uint32_t length, enum frame type, uint32_t id) {
  put32(at, length);
  at[4] = (unsigned char)type;
  put32(at + 5, id);
}

static void close_once(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static int must_wait(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

static int set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

// Signals are read from a descriptor, so that nothing is done inside of a handler.
static int open_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  for (size_t at = 0; at < sizeof watched / sizeof *watched; at++) sigaddset(&set, watched[at]);
  // Else the terminal stops us when the wrapped program is put into its foreground.
  sigset_t blocked = set;
  sigaddset(&blocked, SIGTTOU);
  if (sigprocmask(SIG_BLOCK, &blocked, NULL) != 0) return -1;
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// 0 when there is none.
static int next_signal(int signals) {
  struct signalfd_siginfo info;
  return read(signals, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

// Runs argv[0], found on PATH where it has no slash. Not execvp: that one hands what the kernel can't run to a shell.
static void run(char **argv) {
  if (strchr(argv[0], '/') != NULL) {
    execve(argv[0], argv, environ);
    return;
  }
  const char *path = getenv("PATH");
  int refused = 0;
  char file[PATH_MAX];
  for (const char *from = path == NULL ? "/usr/local/bin:/usr/bin:/bin" : path; from != NULL;) {
    const char *end = strchrnul(from, ':');
    // Names without a folder, and relative ones, would make what runs depend on where it runs.
    if (*from == '/' && snprintf(file, sizeof file, "%.*s/%s", (int)(end - from), from, argv[0]) < (int)sizeof file) {
      execve(file, argv, environ);
      // A folder that this user may not look into has nothing to say of what is in it.
      if (errno == EACCES) refused |= access(file, F_OK) == 0;
      else if (errno != ENOENT && errno != ENOTDIR) return;
    }
    from = *end ? end + 1 : NULL;
  }
  errno = refused ? EACCES : ENOENT;
}

// ---- what is sent

static size_t unsent(const struct connection *c) { return c->out_size - c->out_at; }

static void send_frame(struct connection *c, enum frame type, uint32_t id, const void *payload, uint32_t length) {
  if (c->deaf) return;
  if (c->out_at > 0 && c->out_size + HEADER + length > c->out_capacity) {
    memmove(c->out, c->out + c->out_at, unsent(c));
    c->out_size -= c->out_at;
    c->out_at = 0;
  }
  // Can't be: nothing is read while too little is left for what it brings.
  if (c->out_size + HEADER + length > c->out_capacity) {
    c->deaf = 1;
    return;
  }
  put_header(c->out + c->out_size, length, type, id);
  if (length > 0) memcpy(c->out + c->out_size + HEADER, payload, length);
  c->out_size += HEADER + length;
}

static void send_byte(struct connection *c, enum frame type, uint32_t id, unsigned char byte) { send_frame(c, type, id, &byte, 1); }

static void send_failure(struct connection *c, uint32_t id, enum stage stage, int error) {
  unsigned char payload[5] = {(unsigned char)stage};
  put32(payload + 1, (uint32_t)error);
  send_frame(c, FAILED, id, payload, sizeof payload);
}

static void flush(struct connection *c) {
  while (!c->deaf && unsent(c) > 0) {
    ssize_t sent = send(c->socket, c->out + c->out_at, unsent(c), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) c->out_at += (size_t)sent;
    else if (sent < 0 && errno == EINTR) continue;
    else if (sent < 0 && must_wait()) return;
    else c->deaf = 1;
  }
  c->out_at = c->out_size = 0;
}

// ---- programs

static struct program *find(struct connection *c, uint32_t id) {
  for (uint32_t at = 0; at < options.max_programs; at++)
    if (c->programs[at].pid != 0 && c->programs[at].id == id) return &c->programs[at];
  return NULL;
}

static struct program *free_place(struct connection *c) {
  for (uint32_t at = 0; at < options.max_programs; at++)
    if (c->programs[at].pid == 0) return &c->programs[at];
  return NULL;
}

static uint32_t *running_here;
static pid_t keeper;

static int take_turn(void) {
  if (__atomic_add_fetch(&shared->running, 1, __ATOMIC_SEQ_CST) > options.max_programs) {
    __atomic_sub_fetch(&shared->running, 1, __ATOMIC_SEQ_CST);
    return -1;
  }
  __atomic_add_fetch(running_here, 1, __ATOMIC_SEQ_CST);
  return 0;
}

static void give_turn_back(void) {
  // Where the keeper was killed the agent counts down all at once.
  if (getppid() != keeper) return;
  __atomic_sub_fetch(running_here, 1, __ATOMIC_SEQ_CST);
  __atomic_sub_fetch(&shared->running, 1, __ATOMIC_SEQ_CST);
}

static void close_input(struct connection *c, struct program *p, int tell) {
  if (p->input < 0) return;
  close_once(&p->input);
  free(p->waiting);
  p->waiting = NULL;
  p->waiting_size = 0;
  if (tell) send_frame(c, INPUT_CLOSED, p->id, NULL, 0);
}

static void close_output(struct connection *c, struct program *p, int stream, int tell) {
  if (p->output[stream] < 0) return;
  close_once(&p->output[stream]);
  if (tell) send_byte(c, OUTPUT_END, p->id, (unsigned char)(stream + 1));
}

// The place is kept while something of the group is there, since it may be sent signals still. The kernel gives its number to nobody
// else as long.
static void let_go(struct connection *c, struct program *p) {
  if (p->pid == 0 || !p->exited || p->output[0] >= 0 || p->output[1] >= 0) return;
  if (!p->failed && kill(-p->pid, 0) == 0) return;
  close_input(c, p, 0);
  p->pid = 0;
  give_turn_back();
}

static void signal_group(const struct program *p, int number) {
  if (p->failed) return;
  // Before it made its session there is no such group.
  if (kill(-p->pid, number) != 0 && errno == ESRCH && !p->exited) kill(p->pid, number);
}

// The strings of a request to start a program, in the frame itself.
struct request {
  int terminal;
  struct winsize size;
  char *folder;
  char **argv;
  char **env;
  uint32_t env_count;
};

// Takes `count` strings, each with its NUL; NULL where they are not there.
static char *take_strings(char *from, const char *end, char **strings, uint32_t count) {
  for (uint32_t at = 0; at < count; at++) {
    char *nul = memchr(from, 0, (size_t)(end - from));
    if (nul == NULL) return NULL;
    strings[at] = from;
    from = nul + 1;
  }
  return from;
}

// 0 where the frame is well formed; `strings` has room for one folder and twice MAX_STRINGS and a NULL.
static int read_request(unsigned char *payload, uint32_t length, struct request *request, char **strings) {
  if (length < 9 || payload[0] > 1) return -1;
  uint32_t arguments = get16(payload + 5), variables = get16(payload + 7);
  if (arguments < 1 || arguments > MAX_STRINGS || variables > MAX_STRINGS) return -1;
  char *at = (char *)payload + 9, *end = (char *)payload + length;
  *request = (struct request){.terminal = payload[0], .argv = strings + 1, .env = strings + 2 + arguments, .env_count = variables};
  request->size = (struct winsize){.ws_col = (unsigned short)get16(payload + 1), .ws_row = (unsigned short)get16(payload + 3)};
  at = take_strings(at, end, strings, 1 + arguments);
  strings[1 + arguments] = NULL;
  if (at != NULL) at = take_strings(at, end, request->env, variables);
  request->folder = strings[0];
  if (at != end || *request->folder != '/' || *request->argv[0] == 0) return -1;
  for (uint32_t variable = 0; variable < variables; variable++)
    if (strchr(request->env[variable], '=') == NULL || *request->env[variable] == '=') return -1;
  return 0;
}

// What a program and we hold of its streams: [0] its input, [1] and [2] its output.
struct streams {
  int ours[3];
  int theirs[3];
  char terminal[64];
};

static void close_streams(struct streams *streams) {
  for (int at = 0; at < 3; at++) {
    close_once(&streams->ours[at]);
    close_once(&streams->theirs[at]);
  }
}

static int open_pipes(struct streams *streams) {
  for (int at = 0; at < 3; at++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    streams->ours[at] = ends[at == 0];
    streams->theirs[at] = ends[at != 0];
    if (set_nonblocking(streams->ours[at]) != 0) return -1;
  }
  return 0;
}

static int open_terminal(struct streams *streams, const struct winsize *size) {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  streams->ours[1] = terminal;
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) return -1;
  if (ptsname_r(terminal, streams->terminal, sizeof streams->terminal) != 0) return -1;
  if (set_nonblocking(terminal) != 0 || ioctl(terminal, TIOCSWINSZ, size) != 0) return -1;
  streams->ours[0] = fcntl(terminal, F_DUPFD_CLOEXEC, 3);
  if (streams->ours[0] < 0) return -1;
  // Held open until the program has its own, else its end would be read before its beginning.
  streams->theirs[0] = open(streams->terminal, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return streams->theirs[0] < 0 ? -1 : 0;
}

// Never above what the container allows already.
static int limit_tasks(void) {
  struct rlimit tasks;
  if (getrlimit(RLIMIT_NPROC, &tasks) != 0) return -1;
  if (tasks.rlim_max == RLIM_INFINITY || tasks.rlim_max > options.max_tasks) tasks.rlim_max = options.max_tasks;
  tasks.rlim_cur = tasks.rlim_max;
  return setrlimit(RLIMIT_NPROC, &tasks);
}

// In the child: everything it has of us goes, but its three streams and the descriptor that tells of a failure.
static enum stage prepare(const struct request *request, const struct streams *streams, pid_t parent) {
  setsid();
  // Only we know of it: when we are gone, killed for want of memory, it goes too.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(EXIT_OWN_FAILURE);
  if (request->terminal && ioctl(streams->theirs[0], TIOCSCTTY, 0) != 0) return AT_TERMINAL;
  for (int at = 0; at < 3; at++)
    if (dup2(streams->theirs[request->terminal ? 0 : at], at) < 0) return AT_PIPES;
  // What the container's start left open for the wrapped program is not for this one.
  if (syscall(SYS_CLOSE_RANGE, 3u, ~0u, CLOSE_RANGE_ON_EXEC) != 0)
    for (int fd = 3; fd < 4096; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (uint32_t at = 0; at < request->env_count; at++)
    if (putenv(request->env[at]) != 0) return AT_PROGRAM;
  if (chdir(request->folder) != 0) return AT_FOLDER;
  if (options.max_tasks > 0 && limit_tasks() != 0) return AT_LIMIT;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return AT_PROGRAM;
  run(request->argv);
  return AT_PROGRAM;
}

static pid_t fork_program(const struct request *request, struct streams *streams, int failure[2]) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid != 0) return pid;
  unsigned char said[5] = {(unsigned char)prepare(request, streams, parent)};
  put32(said + 1, (uint32_t)errno);
  _exit(write(failure[1], said, sizeof said) == (ssize_t)sizeof said ? EXIT_NOT_FOUND : EXIT_OWN_FAILURE);
}

static void start(struct connection *c, struct program *place, uint32_t id, const struct request *request) {
  struct streams streams = {{-1, -1, -1}, {-1, -1, -1}, ""};
  int failure[2] = {-1, -1};
  enum stage stage = request->terminal ? AT_TERMINAL : AT_PIPES;
  int opened = request->terminal ? open_terminal(&streams, &request->size) : open_pipes(&streams);
  pid_t pid = -1;
  if (opened == 0 && pipe2(failure, O_CLOEXEC) == 0 && set_nonblocking(failure[0]) == 0) {
    stage = AT_FORK;
    pid = fork_program(request, &streams, failure);
  }
  int error = errno;
  close_once(&failure[1]);
  if (pid < 0) {
    close_once(&failure[0]);
    close_streams(&streams);
    give_turn_back();
    send_failure(c, id, stage, error);
    return;
  }
  *place = (struct program){.id = id, .pid = pid, .failure = failure[0], .terminal = request->terminal, .input = streams.ours[0]};
  place->output[0] = streams.ours[1];
  place->output[1] = streams.ours[2];
  for (int at = 0; at < 3; at++) streams.ours[at] = -1;
  close_streams(&streams);
}

// What came, or did not come, of the start of a program.
static void started(struct connection *c, struct program *p) {
  unsigned char said[5];
  ssize_t size = read(p->failure, said, sizeof said);
  if (size < 0 && must_wait()) return;
  close_once(&p->failure);
  if (size == 0) {
    unsigned char pid[4];
    put32(pid, (uint32_t)p->pid);
    send_frame(c, STARTED, p->id, pid, sizeof pid);
    return;
  }
  p->failed = 1;
  close_input(c, p, 0);
  close_output(c, p, 0, 0);
  close_output(c, p, 1, 0);
  send_failure(c, p->id, size == (ssize_t)sizeof said ? (enum stage)said[0] : AT_FORK, size == (ssize_t)sizeof said ? (int)get32(said + 1) : EIO);
}

static void tell_exit(struct connection *c, struct program *p, int status, const struct rusage *usage) {
  unsigned char payload[24];
  put32(payload, WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : UINT32_MAX);
  put32(payload + 4, WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0);
  put64(payload + 8, (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
                         (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec));
  put64(payload + 16, (uint64_t)usage->ru_maxrss * 1024);
  send_frame(c, EXITED, p->id, payload, sizeof payload);
}

// Takes every child that ended, those too that programs left to us; 0 when there is no child any more.
static int reap(struct connection *c) {
  for (;;) {
    int status;
    struct rusage usage;
    pid_t pid = wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return pid == 0;
    for (uint32_t at = 0; at < options.max_programs; at++) {
      struct program *p = &c->programs[at];
      if (p->pid != pid || p->exited) continue;
      if (p->failure >= 0) started(c, p);
      close_once(&p->failure);
      p->exited = 1;
      if (!p->failed) tell_exit(c, p, status, &usage);
      break;
    }
  }
}

static void feed(struct connection *c, struct program *p) {
  ssize_t written = p->waiting_size == 0 ? 0 : write(p->input, p->waiting, p->waiting_size);
  if (written < 0 && must_wait()) return;
  if (written < 0) {
    close_input(c, p, 1);
    return;
  }
  p->waiting_size -= (uint32_t)written;
  p->taken += (uint32_t)written;
  memmove(p->waiting, p->waiting + written, p->waiting_size);
  if (p->taken >= INPUT_WINDOW / 2 || p->waiting_size == 0) {
    unsigned char taken[4];
    put32(taken, p->taken);
    // Told when there is room for it; until then the other side has no credit to add to it.
    send_frame(c, INPUT_TAKEN, p->id, taken, sizeof taken);
    p->taken = 0;
  }
  if (p->waiting_size == 0 && p->input_ends) close_input(c, p, 0);
}

// A terminal has no end of its input but the character for it, which comes as input.
static void end_input(struct connection *c, struct program *p) {
  if (p->terminal) return;
  p->input_ends = 1;
  if (p->waiting_size == 0) close_input(c, p, 0);
}

static void pass_output(struct connection *c, struct program *p, int stream) {
  static unsigned char piece[1 + OUTPUT_PIECE];
  uint32_t most = p->credit[stream] < OUTPUT_PIECE ? p->credit[stream] : OUTPUT_PIECE;
  ssize_t size = read(p->output[stream], piece + 1, most);
  if (size < 0 && must_wait()) return;
  // A terminal that nobody has open any more says EIO.
  if (size <= 0) {
    close_output(c, p, stream, 1);
    return;
  }
  piece[0] = (unsigned char)(stream + 1);
  p->credit[stream] -= (uint32_t)size;
  send_frame(c, OUTPUT, p->id, piece, 1 + (uint32_t)size);
}

// ---- what is asked. Each answers 0, or -1 for what nobody who knows the protocol sends.

static int asked_start(struct connection *c, uint32_t id, unsigned char *payload, uint32_t length) {
  static char *strings[2 + 2 * MAX_STRINGS];
  struct request request;
  if (find(c, id) != NULL || read_request(payload, length, &request, strings) != 0) return -1;
  struct program *place = free_place(c);
  if (place == NULL || take_turn() != 0) send_failure(c, id, AT_LIMIT, EAGAIN);
  else start(c, place, id, &request);
  return 0;
}

static int asked_input(struct program *p, const unsigned char *payload, uint32_t length) {
  if (p->input < 0 || p->input_ends) return 0;
  if (length > INPUT_WINDOW - p->waiting_size - p->taken) return -1;
  if (p->waiting == NULL) p->waiting = malloc(INPUT_WINDOW);
  if (p->waiting == NULL) return -1;
  memcpy(p->waiting + p->waiting_size, payload, length);
  p->waiting_size += length;
  return 0;
}

static int asked_credit(struct program *p, const unsigned char *payload) {
  uint32_t more = get32(payload + 1);
  if (payload[0] < 1 || payload[0] > 2) return -1;
  uint32_t *credit = &p->credit[payload[0] - 1];
  if (more > MAX_CREDIT - *credit) return -1;
  *credit += more;
  return 0;
}

static void asked_resize(const struct program *p, const unsigned char *payload) {
  struct winsize size = {.ws_col = (unsigned short)get16(payload), .ws_row = (unsigned short)get16(payload + 2)};
  // The kernel tells the programs in the foreground.
  if (p->terminal && p->output[0] >= 0) (void)ioctl(p->output[0], TIOCSWINSZ, &size);
}

static int asked(struct connection *c, unsigned char type, uint32_t id, unsigned char *payload, uint32_t length) {
  if (type == START) return asked_start(c, id, payload, length);
  static const int lengths[] = {[INPUT_END] = 0, [SIGNAL] = 1, [RESIZE] = 4, [CREDIT] = 5, [CLOSE_OUTPUT] = 1};
  if (type < INPUT || type > CLOSE_OUTPUT || (type != INPUT && length != (uint32_t)lengths[type])) return -1;
  struct program *p = find(c, id);
  // It may have ended while this was on its way.
  if (p == NULL || p->failed) return 0;
  switch (type) {
    case INPUT: return asked_input(p, payload, length);
    case INPUT_END: end_input(c, p); return 0;
    case SIGNAL:
      if (payload[0] < 1 || payload[0] >= NSIG) return -1;
      signal_group(p, payload[0]);
      return 0;
    case RESIZE: asked_resize(p, payload); return 0;
    case CREDIT: return asked_credit(p, payload);
    default:
      if (payload[0] < 1 || payload[0] > 2) return -1;
      close_output(c, p, payload[0] - 1, 0);
      // A terminal hangs up when nothing of ours holds it any more.
      if (p->terminal) close_input(c, p, 0);
      return 0;
  }
}

// ---- one connection

static int grow(struct connection *c, size_t capacity) {
  if (capacity == c->in_capacity) return 0;
  unsigned char *in = realloc(c->in, capacity);
  if (in == NULL) return -1;
  c->in = in;
  c->in_capacity = capacity;
  return 0;
}

static int has_room(const struct connection *c) { return unsent(c) < ENOUGH_TO_SEND; }

// Answers the whole frames of what came, while there is room for what they bring; -1 at junk.
static int answer(struct connection *c) {
  size_t at = 0;
  int bad = 0;
  size_t need = HEADER + MAX_FRAME;
  while (!bad && has_room(c) && c->in_size - at >= HEADER) {
    uint32_t length = get32(c->in + at);
    unsigned char type = c->in[at + 4];
    if (length > (type == START ? MAX_START : MAX_FRAME)) bad = 1;
    if (bad) break;
    if (c->in_size - at < HEADER + length) {
      if (HEADER + length > need) need = HEADER + length;
      break;
    }
    bad = asked(c, type, get32(c->in + at + 5), c->in + at + HEADER, length) != 0;
    at += HEADER + length;
  }
  c->in_size -= at;
  memmove(c->in, c->in + at, c->in_size);
  if (bad) return -1;
  // Back to the usual size as well, but never below what is there.
  return grow(c, need > c->in_size ? need : c->in_capacity);
}

static void begin_end(struct connection *c) {
  if (c->ending != 0) return;
  c->ending = now_ms();
  for (uint32_t at = 0; at < options.max_programs; at++) {
    struct program *p = &c->programs[at];
    if (p->pid == 0) continue;
    signal_group(p, SIGTERM);
    // One that stands still would not hear of it.
    signal_group(p, SIGCONT);
    close_input(c, p, 0);
  }
}

static void junk(struct connection *c) {
  send_byte(c, REFUSED, 0, BAD_FRAME);
  flush(c);
  c->lingers = unsent(c) == 0 && shutdown(c->socket, SHUT_WR) == 0;
  c->deaf = 1;
  begin_end(c);
}

static void throw_away(struct connection *c) {
  char bytes[65536];
  ssize_t size = recv(c->socket, bytes, sizeof bytes, MSG_DONTWAIT);
  if (size == 0 || (size < 0 && errno != EINTR && !must_wait())) c->lingers = 0;
}

static void receive(struct connection *c) {
  while (c->in_size < c->in_capacity) {
    ssize_t size = recv(c->socket, c->in + c->in_size, c->in_capacity - c->in_size, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && must_wait()) break;
    if (size <= 0) {
      if (size < 0) c->deaf = 1;
      begin_end(c);
      return;
    }
    c->in_size += (size_t)size;
    break;
  }
  if (answer(c) != 0) junk(c);
}

struct seen {
  pid_t pid;
  pid_t parent;
  int below;
};

// 0 for what is no process, or has just ended.
static pid_t parent_of(const char *pid) {
  char path[64], stat[512];
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t size = read(fd, stat, sizeof stat - 1);
  close(fd);
  if (size <= 0) return 0;
  stat[size] = 0;
  // The name of the program stands in parentheses and may hold any.
  const char *after = strrchr(stat, ')');
  return after == NULL || strlen(after) < 5 ? 0 : (pid_t)strtol(after + 4, NULL, 10);
}

static uint32_t list_processes(struct seen *seen) {
  DIR *proc = opendir("/proc");
  if (proc == NULL) return 0;
  uint32_t count = 0;
  for (struct dirent *entry; count < MAX_SEEN && (entry = readdir(proc)) != NULL;) {
    if (*entry->d_name < '1' || *entry->d_name > '9') continue;
    pid_t parent = parent_of(entry->d_name);
    if (parent > 0) seen[count++] = (struct seen){(pid_t)strtol(entry->d_name, NULL, 10), parent, 0};
  }
  closedir(proc);
  return count;
}

static int by_pid(const void *left, const void *right) {
  pid_t a = ((const struct seen *)left)->pid, b = ((const struct seen *)right)->pid;
  return (a > b) - (a < b);
}

// Marks what is below us, whoever its parents are.
static void mark_below(struct seen *seen, uint32_t count) {
  pid_t self = getpid();
  qsort(seen, count, sizeof *seen, by_pid);
  for (int found = 1; found;) {
    found = 0;
    for (uint32_t at = 0; at < count; at++) {
      if (seen[at].below) continue;
      struct seen parent = {.pid = seen[at].parent};
      const struct seen *above = bsearch(&parent, seen, count, sizeof *seen, by_pid);
      if (seen[at].parent == self || (above != NULL && above->below)) found = seen[at].below = 1;
    }
  }
}

// Ends all that is below us, in whatever group and session. It is called again until nothing is left, as some may be started while it looks.
static void kill_below(void) {
  struct seen *seen = malloc(MAX_SEEN * sizeof *seen);
  if (seen == NULL) return;
  uint32_t count = list_processes(seen);
  mark_below(seen, count);
  // All stand still first: one that forks faster than it is found would get away.
  for (uint32_t at = 0; at < count; at++)
    if (seen[at].below) kill(seen[at].pid, SIGSTOP);
  for (uint32_t at = 0; at < count; at++)
    if (seen[at].below) kill(seen[at].pid, SIGKILL);
  free(seen);
}

// Ends all that programs of this connection started.
static void kill_all(struct connection *c) {
  for (uint32_t at = 0; at < options.max_programs; at++)
    if (c->programs[at].pid != 0) signal_group(&c->programs[at], SIGKILL);
  kill_below();
}

// Whether all is done: no process is left, and what can be sent was sent.
static int end_on(struct connection *c, int children) {
  int64_t since = now_ms() - c->ending;
  if (children && since >= KILL_AFTER_MS) kill_all(c);
  if (since >= GIVE_UP_AFTER_MS) return 1;
  if (children) return 0;
  if (c->deaf) return !c->lingers || since >= LINGER_MS;
  int open = 0;
  for (uint32_t at = 0; at < options.max_programs; at++)
    for (int stream = 0; c->programs[at].pid != 0 && stream < 2; stream++)
      open |= c->programs[at].output[stream] >= 0 && c->programs[at].credit[stream] > 0;
  return !open && unsent(c) == 0;
}

static void watch(struct pollfd *poll, int fd, short events) { *poll = (struct pollfd){events == 0 ? -1 : fd, events, 0}; }

#define POLLS_EACH 4

static void choose_polls(struct connection *c) {
  short socket = (short)(((c->ending == 0 && has_room(c)) || c->lingers ? POLLIN : 0) | (unsent(c) > 0 && !c->deaf ? POLLOUT : 0));
  watch(&c->polls[0], c->socket, socket);
  watch(&c->polls[1], c->signals, POLLIN);
  for (uint32_t at = 0; at < options.max_programs; at++) {
    const struct program *p = &c->programs[at];
    struct pollfd *polls = &c->polls[2 + at * POLLS_EACH];
    int runs = p->pid != 0 && p->failure < 0;
    watch(&polls[0], p->failure, p->pid != 0 && p->failure >= 0 ? POLLIN : 0);
    watch(&polls[1], p->input, runs && p->input >= 0 && p->waiting_size > 0 && has_room(c) ? POLLOUT : 0);
    for (int stream = 0; stream < 2; stream++)
      watch(&polls[2 + stream], p->output[stream], runs && p->output[stream] >= 0 && p->credit[stream] > 0 && has_room(c) ? POLLIN : 0);
  }
}

// What may be held by a group that nothing tells us of is looked at again now and then.
static int poll_time(const struct connection *c) {
  if (c->ending != 0) {
    int64_t left = c->ending + KILL_AFTER_MS - now_ms();
    return left > 0 ? (int)left : 10;
  }
  for (uint32_t at = 0; at < options.max_programs; at++)
    if (c->programs[at].pid != 0 && c->programs[at].exited) return LOOK_AGAIN_MS;
  return -1;
}

static void attend(struct connection *c, struct program *p, const struct pollfd *polls) {
  if (p->pid == 0) return;
  if (polls[0].revents != 0 && p->failure >= 0) started(c, p);
  if (polls[1].revents != 0 && p->input >= 0) feed(c, p);
  for (int stream = 0; stream < 2; stream++)
    if (polls[2 + stream].revents != 0 && p->output[stream] >= 0 && p->credit[stream] > 0 && has_room(c)) pass_output(c, p, stream);
  if (c->deaf && c->ending != 0) {
    close_output(c, p, 0, 0);
    close_output(c, p, 1, 0);
  }
}

static void turn(struct connection *c) {
  choose_polls(c);
  if (poll(c->polls, 2 + (nfds_t)options.max_programs * POLLS_EACH, poll_time(c)) < 0 && errno != EINTR) begin_end(c);
  for (int number; c->polls[1].revents != 0 && (number = next_signal(c->signals)) != 0;)
    if (number == SIGTERM) begin_end(c);
  for (uint32_t at = 0; at < options.max_programs; at++) attend(c, &c->programs[at], &c->polls[2 + at * POLLS_EACH]);
  if (c->polls[0].revents & (POLLIN | POLLHUP | POLLERR) && c->ending == 0) receive(c);
  else if (c->polls[0].revents != 0 && c->lingers) throw_away(c);
  flush(c);
  // What had to wait for room: nothing else wakes us for it.
  for (size_t before = 0; c->ending == 0 && has_room(c) && c->in_size >= HEADER && c->in_size != before;) {
    before = c->in_size;
    if (answer(c) != 0) junk(c);
    flush(c);
  }
  if (c->deaf) begin_end(c);
}

static void free_connection(struct connection *c) {
  for (uint32_t at = 0; c->programs != NULL && at < options.max_programs; at++) free(c->programs[at].waiting);
  free(c->programs);
  free(c->polls);
  free(c->in);
  free(c->out);
}

// In a process of its own, which ends with it.
static void serve(int socket, int place, pid_t parent) {
  struct connection c = {.socket = socket};
  running_here = &shared->running_of[place];
  keeper = parent;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) exit(EXIT_OWN_FAILURE);
  c.signals = open_signals();
  c.out_capacity = ENOUGH_TO_SEND + 2 * (HEADER + 1 + OUTPUT_PIECE) + options.max_programs * SEND_RESERVE + 4096;
  c.out = malloc(c.out_capacity);
  c.programs = calloc(options.max_programs, sizeof *c.programs);
  c.polls = calloc(2 + (size_t)options.max_programs * POLLS_EACH, sizeof *c.polls);
  if (c.signals < 0 || c.out == NULL || c.programs == NULL || c.polls == NULL || grow(&c, HEADER + MAX_FRAME) != 0) {
    complain("connection", "");
    exit(EXIT_OWN_FAILURE);
  }
  unsigned char welcome[4];
  put32(welcome, options.max_programs);
  send_frame(&c, WELCOME, 0, welcome, sizeof welcome);
  flush(&c);
  for (;;) {
    turn(&c);
    int children = reap(&c);
    for (uint32_t at = 0; at < options.max_programs; at++) let_go(&c, &c.programs[at]);
    flush(&c);
    if (c.ending != 0 && end_on(&c, children)) break;
  }
  free_connection(&c);
  exit(0);
}

// Between the agent and the process of a connection. Where that is killed, for want of memory, what its programs started is left to this one, which
// ends it. It reads nothing that others send.
static void keep(int socket, int place, pid_t parent) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) exit(EXIT_OWN_FAILURE);
  int signals = open_signals();
  pid_t self = getpid(), server = signals < 0 ? -1 : fork();
  if (server < 0) {
    complain("connection", "");
    exit(EXIT_OWN_FAILURE);
  }
  if (server == 0) {
    close(signals);
    serve(socket, place, self);
  }
  close(socket);
  for (int64_t gone = 0; gone == 0 || now_ms() - gone < GIVE_UP_AFTER_MS;) {
    struct pollfd polled = {signals, POLLIN, 0};
    poll(&polled, 1, gone == 0 ? -1 : LOOK_FOR_LEFT_MS);
    for (int number; (number = next_signal(signals)) != 0;)
      if (number == SIGTERM && gone == 0) kill(server, SIGTERM);
    pid_t pid;
    for (int status; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0;) {
      if (pid != server) continue;
      // A program may, which has the same user; nobody would hear of the others.
      if (WIFSTOPPED(status)) kill(server, SIGCONT);
      else gone = now_ms();
    }
    if (pid < 0 && errno == ECHILD) break;
    if (gone != 0) kill_below();
  }
  exit(0);
}

// ---- who may connect

// Lines of the log that others can cause come slowly, with the number of those left out.
static void log_refusal(const char *why) {
  static int64_t last;
  static unsigned left_out;
  int64_t now = now_ms();
  if (last != 0 && now - last < REFUSALS_LOGGED_EVERY_MS) {
    left_out++;
    return;
  }
  dprintf(2, NAME ": a connection was refused: %s (%u more since the last such line)\n", why, left_out);
  last = now;
  left_out = 0;
}

static void drop(struct newcomer *n) {
  close_once(&n->socket);
  explicit_bzero(n->bytes, sizeof n->bytes);
  n->size = 0;
}

static void refuse(struct newcomer *n, enum refusal refusal, const char *why) {
  unsigned char frame[HEADER + 1];
  put_header(frame, 1, REFUSED, 0);
  frame[HEADER] = (unsigned char)refusal;
  if (send(n->socket, frame, sizeof frame, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) { /* It went away by itself. */ }
  log_refusal(why);
  drop(n);
}

// The token's length, 0 where there is none. Read anew for each connection, so that it can be changed.
static size_t read_token(unsigned char token[MAX_TOKEN + 1]) {
  memset(token, 0, MAX_TOKEN + 1);
  int fd = open(options.token_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return 0;
  ssize_t size = read(fd, token, MAX_TOKEN + 1);
  close(fd);
  if (size < 0) return 0;
  while (size > 0 && strchr(" \t\r\n", token[size - 1]) != NULL) token[--size] = 0;
  return size < (ssize_t)MIN_TOKEN || size > (ssize_t)MAX_TOKEN ? 0 : (size_t)size;
}

// Takes as long for a token that is wrong in its first character as for one that is wrong in its last.
static int is_token(const unsigned char *given, size_t size, const unsigned char *token, size_t length) {
  unsigned char padded[MAX_TOKEN] = {0};
  memcpy(padded, given, size);
  volatile unsigned char difference = (unsigned char)(size != length);
  for (size_t at = 0; at < MAX_TOKEN; at++) difference |= padded[at] ^ token[at];
  explicit_bzero(padded, sizeof padded);
  return difference == 0;
}

static void admit(struct newcomer *n, int listener, int signals) {
  int place = 0;
  while (place < MAX_CONNECTIONS && connections[place] != 0) place++;
  if (place == MAX_CONNECTIONS) {
    refuse(n, NO_ROOM, "too many connections");
    return;
  }
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid == 0) {
    int socket = n->socket;
    n->socket = -1;
    for (int at = 0; at < MAX_NEWCOMERS; at++) drop(&newcomers[at]);
    close(listener);
    close(signals);
    keep(socket, place, parent);
  }
  if (pid < 0) {
    refuse(n, NO_ROOM, "no process for it");
    return;
  }
  connections[place] = pid;
  drop(n);
}

static void decide(struct newcomer *n, int listener, int signals) {
  unsigned char token[MAX_TOKEN + 1];
  size_t length = read_token(token);
  int right = length > 0 && is_token(n->bytes + HEADER + 1, n->size - HEADER - 1, token, length);
  explicit_bzero(token, sizeof token);
  if (n->bytes[HEADER] != PROTOCOL) refuse(n, OTHER_PROTOCOL, "another version of the protocol");
  else if (length == 0) refuse(n, NO_TOKEN_FILE, "the token file can't be read, or holds no token of 16 to 512 characters");
  else if (!right) refuse(n, WRONG_TOKEN, "a wrong token");
  else admit(n, listener, signals);
}

// Reads the hello and nothing beyond it: what follows is for the process that the connection gets.
static void hear(struct newcomer *n, int listener, int signals) {
  for (;;) {
    size_t need = n->size < HEADER ? HEADER : HEADER + get32(n->bytes);
    ssize_t size = recv(n->socket, n->bytes + n->size, need - n->size, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && must_wait()) return;
    if (size <= 0) {
      drop(n);
      return;
    }
    n->size += (size_t)size;
    if (n->size < HEADER) continue;
    uint32_t length = get32(n->bytes);
    if (n->bytes[4] != HELLO || length < 1 || length > MAX_HELLO) {
      refuse(n, BAD_FRAME, "not our protocol");
      return;
    }
    if (n->size == HEADER + length) {
      decide(n, listener, signals);
      return;
    }
  }
}

static struct newcomer *free_newcomer(void) {
  for (int at = 0; at < MAX_NEWCOMERS; at++)
    if (newcomers[at].socket < 0) return &newcomers[at];
  return NULL;
}

// -1 where the system has no descriptor to spare just now.
static int accept_one(int listener, struct newcomer *n) {
  int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket < 0) return must_wait() || errno == ECONNABORTED ? 0 : -1;
  unsigned char greeting[HEADER + 1];
  put_header(greeting, 1, GREETING, 0);
  greeting[HEADER] = PROTOCOL;
  *n = (struct newcomer){.socket = socket, .until = now_ms() + TOKEN_WITHIN_MS};
  if (send(socket, greeting, sizeof greeting, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof greeting) drop(n);
  return 0;
}

// ---- the socket

static int fill_address(struct sockaddr_un *address, const char *path) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    return complain("the socket", path);
  }
  memcpy(address->sun_path, path, strlen(path));
  return 0;
}

// A socket that nobody listens on any more is taken away; anything else stays.
static int clear_path(const struct sockaddr_un *address) {
  struct stat stat;
  if (lstat(address->sun_path, &stat) != 0) return errno == ENOENT ? 0 : complain("the socket", address->sun_path);
  if (!S_ISSOCK(stat.st_mode)) {
    errno = EEXIST;
    return complain("no socket is there, and it stays", address->sun_path);
  }
  int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int stale = probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
  if (probe >= 0) close(probe);
  if (!stale) {
    errno = EADDRINUSE;
    return complain("another agent serves", address->sun_path);
  }
  return unlink(address->sun_path) == 0 ? 0 : complain("can't replace", address->sun_path);
}

static int listen_at(const char *path, struct stat *made) {
  struct sockaddr_un address;
  if (fill_address(&address, path) != 0 || clear_path(&address) != 0) return -1;
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return complain("socket", "");
  mode_t before = umask(0777 & ~options.mode);
  int bound = bind(listener, (struct sockaddr *)&address, sizeof address);
  umask(before);
  if (bound == 0 && listen(listener, 16) == 0 && lstat(path, made) == 0) return listener;
  complain("can't listen at", path);
  close(listener);
  return -1;
}

// Only the one that is ours: another agent may have been started over it.
static void remove_socket(const struct stat *made) {
  struct stat now;
  if (lstat(options.socket, &now) == 0 && now.st_ino == made->st_ino && now.st_dev == made->st_dev) unlink(options.socket);
}

// ---- the agent

static pid_t wrap(char **program) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  // A group of its own, in the foreground where there is a terminal, as the container's main program has.
  setpgid(0, 0);
  if (isatty(0)) (void)tcsetpgrp(0, getpid());
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &inherited_mask, NULL);
  run(program);
  int missing = errno == ENOENT;
  complain("can't run", program[0]);
  _exit(missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

struct agent {
  int listener;
  int signals;
  // 0 where nothing is wrapped, and when it ended.
  pid_t app;
  int code;
  int64_t stopping;
  int64_t accept_after;
};

static void stop(struct agent *agent, int code) {
  if (agent->stopping != 0) return;
  agent->stopping = now_ms();
  agent->code = code;
  close_once(&agent->listener);
  for (int at = 0; at < MAX_NEWCOMERS; at++) drop(&newcomers[at]);
  for (int at = 0; at < MAX_CONNECTIONS; at++)
    if (connections[at] != 0) kill(connections[at], SIGTERM);
}

static void on_signal(struct agent *agent, int number) {
  if (number == SIGCHLD) return;
  if (agent->app != 0) kill(agent->app, number);
  else if (number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP) stop(agent, 0);
}

// Its end would not be heard of.
static void continue_connection(pid_t pid) {
  for (int at = 0; at < MAX_CONNECTIONS; at++)
    if (connections[at] == pid) kill(pid, SIGCONT);
}

static void forget_connection(pid_t pid) {
  for (int at = 0; at < MAX_CONNECTIONS; at++) {
    if (connections[at] != pid) continue;
    connections[at] = 0;
    // It counts down itself, unless it was killed.
    uint32_t left = __atomic_exchange_n(&shared->running_of[at], 0, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&shared->running, left, __ATOMIC_SEQ_CST);
  }
}

// Also those that nobody else waits for: as process 1, and as a subreaper, they are left to us.
static void reap_all(struct agent *agent) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0;) {
    // Whoever stops the wrapped program has it continued.
    if (WIFSTOPPED(status)) {
      continue_connection(pid);
      continue;
    }
    if (pid != agent->app) {
      forget_connection(pid);
      continue;
    }
    agent->app = 0;
    stop(agent, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

static int served(void) {
  int count = 0;
  for (int at = 0; at < MAX_CONNECTIONS; at++) count += connections[at] != 0;
  return count;
}

static int time_left(const struct agent *agent) {
  int64_t now = now_ms();
  int64_t until = agent->stopping != 0 ? agent->stopping + GIVE_UP_AFTER_MS + KILL_AFTER_MS : INT64_MAX;
  if (agent->accept_after > now && agent->accept_after < until) until = agent->accept_after;
  for (int at = 0; at < MAX_NEWCOMERS; at++)
    if (newcomers[at].socket >= 0 && newcomers[at].until < until) until = newcomers[at].until;
  return until == INT64_MAX ? -1 : until <= now ? 0 : (int)(until - now);
}

static void turn_agent(struct agent *agent) {
  struct pollfd polls[2 + MAX_NEWCOMERS];
  struct newcomer *place = free_newcomer();
  // Those who come while all places are taken wait in the kernel's queue.
  watch(&polls[0], agent->listener, place != NULL && agent->listener >= 0 && now_ms() >= agent->accept_after ? POLLIN : 0);
  watch(&polls[1], agent->signals, POLLIN);
  for (int at = 0; at < MAX_NEWCOMERS; at++) watch(&polls[2 + at], newcomers[at].socket, newcomers[at].socket >= 0 ? POLLIN : 0);
  if (poll(polls, 2 + MAX_NEWCOMERS, time_left(agent)) < 0 && errno != EINTR) stop(agent, EXIT_OWN_FAILURE);
  for (int number; (number = next_signal(agent->signals)) != 0;) on_signal(agent, number);
  reap_all(agent);
  if (agent->stopping != 0) return;
  for (int at = 0; at < MAX_NEWCOMERS; at++) {
    struct newcomer *n = &newcomers[at];
    if (n->socket < 0) continue;
    if (polls[2 + at].revents != 0) hear(n, agent->listener, agent->signals);
    else if (now_ms() >= n->until) {
      log_refusal("no token in time");
      drop(n);
    }
  }
  if (polls[0].revents != 0 && accept_one(agent->listener, place) != 0) agent->accept_after = now_ms() + 100;
}

static int run_agent(void) {
  struct agent agent = {0};
  struct stat made;
  sigprocmask(SIG_SETMASK, NULL, &inherited_mask);
  signal(SIGPIPE, SIG_IGN);
  for (int at = 0; at < MAX_NEWCOMERS; at++) newcomers[at].socket = -1;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  agent.signals = open_signals();
  if (shared == MAP_FAILED || agent.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    complain("start", "");
    return EXIT_OWN_FAILURE;
  }
  // Without a socket it is an init, and nothing else.
  agent.listener = -1;
  if (options.socket != NULL) {
    agent.listener = listen_at(options.socket, &made);
    if (agent.listener < 0) return EXIT_OWN_FAILURE;
    dprintf(2, NAME ": serves at %s\n", options.socket);
  }
  if (options.program != NULL && (agent.app = wrap(options.program)) < 0) {
    complain("can't start", options.program[0]);
    agent.app = 0;
    stop(&agent, EXIT_OWN_FAILURE);
  }
  while (agent.stopping == 0 || (served() > 0 && now_ms() < agent.stopping + GIVE_UP_AFTER_MS + KILL_AFTER_MS)) turn_agent(&agent);
  for (int at = 0; at < MAX_CONNECTIONS; at++)
    if (connections[at] != 0) kill(connections[at], SIGKILL);
  if (options.socket != NULL) remove_socket(&made);
  return agent.code;
}

// ---- what it does besides

static int write_all(int fd, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return -1;
    bytes += written;
    size -= (size_t)written;
  }
  return 0;
}

// A new file under another name beside it, so that nobody finds half of it.
static int open_beside(const char *path, char beside[PATH_MAX], mode_t mode) {
  // Not our number: one that was killed half way left its file, and in a container the next one has the same number.
  uint32_t chance;
  if (syscall(SYS_getrandom, &chance, sizeof chance, 0) != (long)sizeof chance) return -1;
  if (snprintf(beside, PATH_MAX, "%s.%08x", path, chance) >= PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  // Not left to the umask: another user is to read it.
  if (fd >= 0 && fchmod(fd, mode) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static int finish_beside(int fd, const char *beside, const char *path, int ok) {
  int error = errno;
  if (close(fd) == 0 && ok && rename(beside, path) == 0) return 0;
  if (ok) error = errno;
  unlink(beside);
  errno = error;
  return -1;
}

// An image without anything in it has no program to copy with.
static int copy_to(const char *path) {
  char beside[PATH_MAX];
  unsigned char bytes[16384];
  int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  int to = from < 0 ? -1 : open_beside(path, beside, 0755);
  int ok = to >= 0;
  for (ssize_t size = 1; ok && size > 0;) {
    size = read(from, bytes, sizeof bytes);
    ok = size >= 0 && write_all(to, bytes, (size_t)size) == 0;
  }
  if (from >= 0) close(from);
  return to >= 0 && finish_beside(to, beside, path, ok) == 0 ? 0 : complain("can't copy to", path);
}

// One that is there stays: the sidecar may have read it.
static int make_token(const char *path) {
  static const char digits[] = "0123456789abcdef";
  char beside[PATH_MAX];
  unsigned char chance[32], text[65];
  struct stat there;
  if (stat(path, &there) == 0 && there.st_size >= (off_t)MIN_TOKEN) return 0;
  if (syscall(SYS_getrandom, chance, sizeof chance, 0) != (long)sizeof chance) return complain("no random numbers for", path);
  for (size_t at = 0; at < sizeof chance; at++) {
    text[2 * at] = (unsigned char)digits[chance[at] >> 4];
    text[2 * at + 1] = (unsigned char)digits[chance[at] & 15];
  }
  text[64] = '\n';
  // The group is that of the folder where it has the set-group-ID bit, as volumes with an fsGroup do.
  int fd = open_beside(path, beside, 0640);
  return fd >= 0 && finish_beside(fd, beside, path, write_all(fd, text, sizeof text) == 0) == 0 ? 0 : complain("can't make the token", path);
}

// Whether an agent answers there; needs no token, and no program but this one.
static int probe(void) {
  struct sockaddr_un address;
  if (fill_address(&address, options.socket) != 0) return EXIT_OWN_FAILURE;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  unsigned char greeting[HEADER + 1];
  struct pollfd answer = {fd, POLLIN, 0};
  int answers = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && poll(&answer, 1, TOKEN_WITHIN_MS) > 0 &&
                recv(fd, greeting, sizeof greeting, MSG_DONTWAIT) == (ssize_t)sizeof greeting && greeting[4] == GREETING;
  if (fd >= 0) close(fd);
  if (!answers) {
    dprintf(2, NAME ": nobody answers at %s\n", options.socket);
    return 1;
  }
  return dprintf(1, "{\"protocol\": %d}\n", greeting[HEADER]) < 0 ? EXIT_OWN_FAILURE : 0;
}

static int usage(void) {
  dprintf(2, "usage: " NAME " --socket PATH --token-file PATH [--mode 0600|0660] [--max-processes N] [--max-tasks N] [-- program [argument]...]\n"
             "       " NAME " -- program [argument]...\n"
             "       " NAME " --copy-to PATH [--make-token PATH]\n"
             "       " NAME " --probe --socket PATH\n"
             "       " NAME " --version\n");
  return EXIT_OWN_FAILURE;
}

static int read_number(const char *text, uint32_t most, uint32_t *number) {
  char *end;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (errno != 0 || *text < '0' || *text > '9' || *end != 0 || value < 1 || value > most) return -1;
  *number = (uint32_t)value;
  return 0;
}

static int read_mode(const char *text) {
  if (strcmp(text, "0600") != 0 && strcmp(text, "0660") != 0) return -1;
  options.mode = strcmp(text, "0660") == 0 ? 0660 : 0600;
  return 0;
}

// -1 for what it does not know.
static int read_options(int argc, char **argv) {
  for (int at = 1; at < argc; at++) {
    const char *name = argv[at];
    if (strcmp(name, "--") == 0) {
      options.program = argv + at + 1;
      return at + 1 < argc ? 0 : -1;
    }
    if (strcmp(name, "--probe") == 0) options.probe = 1;
    else if (strcmp(name, "--version") == 0) options.version = 1;
    else if (at + 1 == argc) return -1;
    else if (strcmp(name, "--socket") == 0) options.socket = argv[++at];
    else if (strcmp(name, "--token-file") == 0) options.token_file = argv[++at];
    else if (strcmp(name, "--copy-to") == 0) options.copy_to = argv[++at];
    else if (strcmp(name, "--make-token") == 0) options.make_token = argv[++at];
    else if (strcmp(name, "--mode") == 0 && read_mode(argv[++at]) == 0) continue;
    else if (strcmp(name, "--max-processes") == 0 && read_number(argv[++at], MOST_PROGRAMS, &options.max_programs) == 0) continue;
    else if (strcmp(name, "--max-tasks") == 0 && read_number(argv[++at], 1u << 22, &options.max_tasks) == 0) continue;
    else return -1;
  }
  return 0;
}

int main(int argc, char **argv) {
  // Streams that are closed would be given to the next file that is opened.
  for (int fd = 0; fd >= 0 && fd < 3;) {
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd > 2) close(fd);
  }
  if (read_options(argc, argv) != 0) return usage();
  if (options.version) return dprintf(1, AGENT_VERSION "\n") < 0 ? EXIT_OWN_FAILURE : 0;
  if (options.probe) return options.socket == NULL ? usage() : probe();
  if (options.copy_to != NULL || options.make_token != NULL) {
    if (options.copy_to != NULL && copy_to(options.copy_to) != 0) return EXIT_OWN_FAILURE;
    return options.make_token != NULL && make_token(options.make_token) != 0 ? EXIT_OWN_FAILURE : 0;
  }
  if ((options.socket == NULL) != (options.token_file == NULL)) return usage();
  if (options.socket == NULL && options.program == NULL) return usage();
  return run_agent();
}

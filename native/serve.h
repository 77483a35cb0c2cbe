// Starts cages without starting a program for each: a server that forks. Whoever started it writes orders to descriptor 3 and hears there how
// each one ended; the streams of a cage come to the socket that the server was told of, each with its number. The same serves within an
// interpreter that loaded us as a library, where the program of a cage is that interpreter, as it was when it was forked. It starts plain
// programs as well, for who has much memory: to fork, Linux copies the tables of all of it.
//
// An order: its length (32 bits, least significant byte first, of what follows), its kind, then
//   'P'  the path of the socket, which may be gone when the answer "ready" has come
//   'S'  16 characters, then strings that end with NUL: which streams there are of "0123", the working folder, how many arguments follow,
//        these (as of --cage), and the environment
//   'C'  16 characters: three pipes are made for a program that will have this name. The answer names their other ends, which are opened by
//        /proc: sockets could not be opened as /dev/stdout
//   'O'  16 characters: these ends were opened
//   'R'  the same as 'S' for a program that is no cage, in a session of its own, whose pipes were made: instead of which streams there are, its
//        working folder and its path
//   'K'  the 16 characters of what is to be killed, with its group, or of pipes that are not wanted
//   'G'  the same 16, and the number of a signal, in two digits
//   'E'  the end, of programs that are no cages as well; cages see by themselves that their server is gone
// Where nobody is left who could give orders, its programs are ended as well, with those who left the group of a process.
// An answer, in a line: "made", the 16 characters and three descriptors of this process; "began", the 16 characters and the id of the process,
// for a program; "exit", the 16 characters and the status of waitpid(2), errno below zero where nothing was started, or no pipes were made.
#include "orphans.h"
#include <sys/mman.h>
#include <sys/un.h>

#define ORDERS 3
#define MOST_ORDER (4u * 1024 * 1024)
#define MOST_STRINGS 65536
#define MOST_SERVED 4096
#define MOST_AHEAD 64

static int streams_at = -1;
// Of this process, until it serves cages.
static int oom_score_at = -1;
// Neither is in the memory of forks.
static struct served *served;
static char *orders;
static int served_count, has_programs;

// Three pipes: the ends of a program, and ours until they were opened.
struct ahead {
  int theirs[3], ours[3];
  char token[TOKEN];
};

static struct ahead pipes_ahead[MOST_AHEAD];
static int ahead_count;

// Connects and says which stream of which cage this is.
static int open_stream(const char *token, char stream) {
  char hello[TOKEN + 1];
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  memcpy(hello, token, TOKEN);
  hello[TOKEN] = stream;
  // By its descriptor, as it has no name any more.
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", streams_at);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && send(fd, hello, sizeof hello, MSG_NOSIGNAL) == (ssize_t)sizeof hello) return fd;
  close(fd);
  return -1;
}

// The streams of a cage take the places that they have in a program; what there is of ours goes.
static int take_streams(const char *token, const char *wanted) {
  int opened[4];
  for (int stream = 0; stream < 4; stream++) {
    int is_wanted = strchr(wanted, '0' + stream) != NULL;
    int fd = is_wanted ? open_stream(token, (char)('0' + stream)) : open("/dev/null", O_RDWR | O_CLOEXEC);
    // Beyond those four, so that none is written over before it is moved.
    opened[stream] = fd < 0 ? -1 : fcntl(fd, F_DUPFD, 4);
    if (opened[stream] < 0) return complain("stream", "");
    close(fd);
  }
  for (int stream = 0; stream < 4; stream++)
    if (dup2(opened[stream], stream) < 0) return complain("stream", "");
  if (syscall(SYS_CLOSE_RANGE, 4u, ~0u, 0u) != 0) return complain("close_range", "");
  return 0;
}

// In a child: does what the program --cage would. `text` ends with NUL.
static int run_order(char *text, size_t size, int takes_environment) {
  extern char **environ;
  char **strings = calloc(MOST_STRINGS + 2, sizeof *strings);
  char *end = text + size;
  int count = 0;
  if (strings == NULL) return EXIT_OWN_FAILURE;
  for (char *at = text + TOKEN; at < end; at += strlen(at) + 1) {
    if (count == MOST_STRINGS) return EXIT_OWN_FAILURE;
    strings[count++] = at;
  }
  unsigned long long arguments;
  if (count < 4 || take_number(&arguments, strings[2]) != 0 || arguments > (unsigned long long)count - 3 || strcmp(strings[3], "--cage") != 0)
    return EXIT_OWN_FAILURE;
  setsid();
  if (take_streams(text, strings[0]) != 0) return EXIT_OWN_FAILURE;
  if (chdir(strings[1]) != 0) return complain("can't enter", strings[1]), EXIT_OWN_FAILURE;
  char **argv = calloc((size_t)arguments + 1, sizeof *argv);
  if (argv == NULL) return EXIT_OWN_FAILURE;
  memcpy(argv, strings + 3, (size_t)arguments * sizeof *argv);
  if (takes_environment) environ = strings + 3 + arguments;
  return cage_main(argv + 1);
}

static void answer_order(const char *word, const char *token, int number) {
  char line[64];
  int length = snprintf(line, sizeof line, "%s %.16s %d\n", word, token, number);
  (void)!send(ORDERS, line, (size_t)length, MSG_NOSIGNAL);
}

static void close_three(int ends[3]) {
  for (int stream = 0; stream < 3; stream++) {
    if (ends[stream] >= 0) close(ends[stream]);
    ends[stream] = -1;
  }
}

static void make_ahead(const char *token) {
  struct ahead made = {.theirs = {-1, -1, -1}, .ours = {-1, -1, -1}};
  int problem = ahead_count == MOST_AHEAD ? EAGAIN : 0;
  // Who is to open them by /proc may.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  for (int stream = 0; problem == 0 && stream < 3; stream++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) problem = errno;
    else {
      made.theirs[stream] = ends[stream == 0 ? 0 : 1];
      made.ours[stream] = ends[stream == 0 ? 1 : 0];
    }
  }
  if (problem != 0) {
    close_three(made.theirs);
    close_three(made.ours);
    answer_order("exit", token, -problem);
    return;
  }
  memcpy(made.token, token, TOKEN);
  pipes_ahead[ahead_count++] = made;
  char line[96];
  int length = snprintf(line, sizeof line, "made %.16s %d %d %d\n", token, made.ours[0], made.ours[1], made.ours[2]);
  (void)!send(ORDERS, line, (size_t)length, MSG_NOSIGNAL);
}

static struct ahead *ahead_named(const char *token) {
  for (int at = 0; at < ahead_count; at++)
    if (memcmp(pipes_ahead[at].token, token, TOKEN) == 0) return &pipes_ahead[at];
  return NULL;
}

static void opened_ahead(const char *token) {
  struct ahead *made = ahead_named(token);
  if (made != NULL) close_three(made->ours);
}

// The ends of a program; all -1 where there are none.
static void take_ahead(const char *token, int streams[3]) {
  struct ahead *made = ahead_named(token);
  for (int stream = 0; stream < 3; stream++) streams[stream] = made == NULL ? -1 : made->theirs[stream];
  if (made == NULL) return;
  close_three(made->ours);
  *made = pipes_ahead[--ahead_count];
}

struct program {
  char **argv, **environment;
  const char *file, *cwd;
  int streams[3];
  pid_t starter;
};

// In memory that the server has as well, and waits for: nothing here may leave a trace but errno.
static void exec_program(const struct program *program, const sigset_t *mask) {
  sigprocmask(SIG_SETMASK, mask, NULL);
  setsid();
  // One that was started when we were killed is known to nobody: it goes with us.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != program->starter) {
    errno = ESRCH;
    return;
  }
  for (int stream = 0; stream < 3; stream++)
    if (dup2(program->streams[stream], stream) < 0) return;
  if (chdir(program->cwd) != 0) return;
  // It can be opened, as pipes were made before that. Here, so that what the program starts at once has it as well.
  yield_memory_first(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  execvpe(program->file, program->argv, program->environment);
}

// Answers the id of the process, errno below zero where there is none. `text` ends with NUL and stays as long as this runs.
static pid_t start_program(char *text, size_t size, const sigset_t *mask) {
  char **strings = calloc(MOST_STRINGS + 2, sizeof *strings);
  char *end = text + size;
  int count = 0;
  unsigned long long arguments;
  struct program program = {.starter = getpid(), .streams = {-1, -1, -1}};
  volatile int problem = 0;
  pid_t pid = -1;
  if (strings == NULL) return -ENOMEM;
  for (char *at = text + TOKEN; at < end && count < MOST_STRINGS; at += strlen(at) + 1) strings[count++] = at;
  // The folder, the path, and how many follow; the first of these is its name.
  if (count < 4 || take_number(&arguments, strings[2]) != 0 || arguments == 0 || arguments > (unsigned long long)count - 3) problem = EINVAL;
  else {
    program.cwd = strings[0];
    program.file = strings[1];
    program.environment = strings + 3 + arguments;
    program.argv = calloc((size_t)arguments + 1, sizeof *program.argv);
    if (program.argv == NULL) problem = ENOMEM;
    else memcpy(program.argv, strings + 3, (size_t)arguments * sizeof *program.argv);
  }
  // None of them is one of the first three, which are ours.
  take_ahead(text, program.streams);
  if (program.streams[0] < 0) problem = EINVAL;
  if (problem == 0) {
    pid = vfork();
    if (pid == 0) {
      exec_program(&program, mask);
      problem = errno;
      _exit(EXIT_NOT_EXECUTABLE);
    }
    if (pid < 0) problem = errno;
  }
  close_three(program.streams);
  free(program.argv);
  free(strings);
  return problem == 0 ? pid : -problem;
}

static void reap_served(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    for (int at = 0; at < served_count; at++) {
      if (served[at].pid != pid) continue;
      answer_order("exit", served[at].token, status);
      served[at] = served[--served_count];
      break;
    }
}

// As long as it is not waited for, nobody else has its number.
static void signal_served(const char *token, int signal) {
  for (int at = 0; at < served_count; at++) {
    if (memcmp(served[at].token, token, TOKEN) != 0) continue;
    // Before it made a group of its own, there is none.
    if (kill(-served[at].pid, signal) != 0) kill(served[at].pid, signal);
  }
}

static void end_programs(void) {
  for (int at = 0; at < served_count; at++)
    if (served[at].is_program) kill(-served[at].pid, SIGKILL);
}

static void keep_served(const char *token, pid_t pid, int is_program) {
  served[served_count].pid = pid;
  served[served_count].is_program = is_program;
  has_programs |= is_program;
  memcpy(served[served_count++].token, token, TOKEN);
}

// `order` ends with NUL where it is one to start. Answers -1 in the server, and what came of it in a child.
static int obey(const char *order, size_t size, const sigset_t *mask, int takes_environment) {
  if (size > 1 && order[0] == 'P' && order[size - 1] == 0) {
    if (streams_at >= 0) close(streams_at);
    streams_at = open(order + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (streams_at >= 0) (void)!send(ORDERS, "ready\n", 6, MSG_NOSIGNAL);
  } else if (size == 1 && order[0] == 'E') {
    end_programs();
    _exit(0);
  } else if (size == 1 + TOKEN && order[0] == 'C') make_ahead(order + 1);
  else if (size == 1 + TOKEN && order[0] == 'O') opened_ahead(order + 1);
  else if (size == 1 + TOKEN && order[0] == 'K') {
    int unwanted[3];
    take_ahead(order + 1, unwanted);
    close_three(unwanted);
    signal_served(order + 1, SIGKILL);
  }
  else if (size == 1 + TOKEN + 2 && order[0] == 'G') signal_served(order + 1, (order[1 + TOKEN] - '0') * 10 + order[2 + TOKEN] - '0');
  else if (size > 1 + TOKEN && order[0] == 'R' && order[size - 1] == 0) {
    pid_t pid = served_count == MOST_SERVED ? -EAGAIN : start_program((char *)order + 1, size - 1, mask);
    if (pid > 0) keep_served(order + 1, pid, 1);
    answer_order(pid > 0 ? "began" : "exit", order + 1, pid);
  }
  else if (size > 1 + TOKEN && order[0] == 'S' && order[size - 1] == 0) {
    // A server of cages goes with them; one of plain programs is worth more than these.
    yield_memory_first(oom_score_at);
    oom_score_at = -1;
    // This one alone is for the child to know.
    char *own = malloc(size);
    if (own != NULL) memcpy(own, order, size);
    pid_t pid = own == NULL || served_count == MOST_SERVED ? (errno = EAGAIN, -1) : fork();
    if (pid == 0) {
      sigprocmask(SIG_SETMASK, mask, NULL);
      int result = run_order(own + 1, size - 1, takes_environment);
      if (result == STAYS) explicit_bzero(own, size);
      return result;
    }
    if (own != NULL) explicit_bzero(own, size);
    free(own);
    if (pid < 0) return answer_order("exit", order + 1, -errno), -1;
    keep_served(order + 1, pid, 0);
  }
  return -1;
}

// Memory that no fork has; NULL where that can't be.
static void *unforked(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED && madvise(memory, size, MADV_DONTFORK) == 0 ? memory : NULL;
}

// Answers in a child alone; the server ends with who started it. An interpreter has its environment from its own start.
static int serve(int takes_environment) {
  const size_t capacity = sizeof(uint32_t) + MOST_ORDER;
  size_t size = 0;
  orders = unforked(capacity);
  served = unforked(MOST_SERVED * sizeof *served);
  sigset_t watched, before;
  // Whatever those had open who started us.
  syscall(SYS_CLOSE_RANGE, ORDERS + 1u, ~0u, 0u);
  // As long as we may: afterwards it is root's.
  oom_score_at = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  // What a program of ours could read here is nothing of its own.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // Who is left over of a cage comes here, and is reaped.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  started_by = getpid();
  // Its own alone: a program that was started has what it was given.
  fcntl(ORDERS, F_SETFD, FD_CLOEXEC);
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  sigprocmask(SIG_BLOCK, &watched, &before);
  int signalled = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (orders == NULL || served == NULL || signalled < 0) _exit(EXIT_OWN_FAILURE);
  for (;;) {
    struct pollfd polled[2] = {{signalled, POLLIN, 0}, {ORDERS, POLLIN, 0}};
    poll(polled, 2, -1);
    if (polled[0].revents != 0) {
      struct signalfd_siginfo info;
      while (read(signalled, &info, sizeof info) == sizeof info) {
      }
      // Where nobody is left who gives orders, those that are over keep the numbers of their groups until these are ended.
      if ((polled[1].revents & POLLHUP) == 0) reap_served();
    }
    if (polled[1].revents == 0) continue;
    ssize_t more = recv(ORDERS, orders + size, capacity - size, MSG_DONTWAIT);
    if (more < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (more <= 0) {
      if (has_programs) end_orphans(served, served_count);
      _exit(0);
    }
    size += (size_t)more;
    size_t at = 0;
    for (uint32_t length; size - at >= sizeof length; at += sizeof length + length) {
      memcpy(&length, orders + at, sizeof length);
      if (length > MOST_ORDER) _exit(EXIT_OWN_FAILURE);
      if (size - at < sizeof length + length) break;
      int result = obey(orders + at + sizeof length, length, &before, takes_environment);
      if (result >= 0) return result;
    }
    memmove(orders, orders + at, size -= at);
  }
}

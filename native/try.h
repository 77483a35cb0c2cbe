// Tries, from inside a cage, what a cage is there to hold back, and prints what came of it: 0 for what worked, else the number of the error.
// It also runs outside of any, as the lowest rung is none: no attempt may change the machine when it gets through.
// `--listen` is its counterpart outside.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#define MOST_FORKS 256
// So long what is over a limit stays there to be seen.
#define STAY_MS 1000
#define PIECE (64 * 1024)

static int outcome(long result) { return result < 0 ? errno : 0; }

static int try_read(const char *path) {
  char byte;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  ssize_t length = read(fd, &byte, 1);
  int result = length < 0 ? errno : length == 0 ? ENODATA : 0;
  close(fd);
  return result;
}

// To the mode that it has.
static int try_mode(const char *path) {
  struct stat is;
  if (stat(path, &is) < 0) return errno;
  return outcome(chmod(path, is.st_mode & 07777));
}

// `<pid>:<start>`: in another PID namespace the same number is another process.
static int find_process(const char *given, pid_t *pid) {
  unsigned long long start = 0, seen = 0;
  char path[64], text[1024], *rest;
  int number;
  if (sscanf(given, "%d:%llu", &number, &start) != 2) return EINVAL;
  *pid = (pid_t)number;
  snprintf(path, sizeof path, "/proc/%d/stat", number);
  if (read_file(path, text, sizeof text) <= 0) return ESRCH;
  rest = strrchr(text, ')');
  if (rest == NULL) return ESRCH;
  sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &seen);
  return seen == start ? 0 : ESRCH;
}

static int try_signal(const char *given) {
  pid_t pid;
  int found = find_process(given, &pid);
  // Where nothing can be seen of it, signals may get there all the same.
  if (found != 0) return found;
  return outcome(kill(pid, 0));
}

static int try_environ(const char *given) {
  pid_t pid;
  char path[64];
  int found = find_process(given, &pid);
  if (found != 0) return found;
  snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
  return try_read(path);
}

static int try_tcp(const char *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int result = outcome(connect(fd, (struct sockaddr *)&address, sizeof address));
  close(fd);
  return result;
}

static socklen_t abstract_address(struct sockaddr_un *address, const char *name) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "%s", name);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address->sun_path + 1));
}

static int try_abstract(const char *name) {
  struct sockaddr_un address;
  socklen_t size = abstract_address(&address, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  int result = outcome(connect(fd, (struct sockaddr *)&address, size));
  close(fd);
  return result;
}

// How many children could be made; they stay until all are counted.
static int try_forks(int wanted) {
  pid_t children[MOST_FORKS];
  int made = 0;
  while (made < wanted && made < MOST_FORKS) {
    pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      pause_ms(STAY_MS);
      _exit(0);
    }
    children[made++] = child;
  }
  // What watches needs a moment to see it.
  if (made == wanted) pause_ms(STAY_MS / 4);
  for (int at = 0; at < made; at++) kill(children[at], SIGKILL);
  while (waitpid(-1, NULL, 0) > 0) {
  }
  return made;
}

// Four processes that hold all of it together, and none of them much. What the same user runs elsewhere may leave no room for one: then its part is held here.
static void try_memory(unsigned long long bytes) {
  int made = 0;
  for (int at = 0; at < 4; at++) {
    pid_t child = fork();
    if (child > 0) {
      made++;
      continue;
    }
    for (unsigned long long held = 0; held < bytes / 4; held += PIECE) {
      char *piece = malloc(PIECE);
      if (piece != NULL) memset(piece, 1, PIECE);
    }
    if (child < 0) continue;
    pause_ms(STAY_MS);
    _exit(0);
  }
  if (made < 4) pause_ms(STAY_MS);
  while (waitpid(-1, NULL, 0) > 0) {
  }
}

// Many files, none of them big.
static void try_disk(unsigned long long bytes) {
  static char piece[PIECE];
  unsigned number = 0;
  for (unsigned long long written = 0; written < bytes; written += PIECE) {
    char name[32];
    snprintf(name, sizeof name, "fill-%u", number++);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, piece, PIECE) != PIECE) break;
    close(fd);
  }
  pause_ms(STAY_MS);
}

static void try_output(unsigned long long bytes) {
  static char piece[PIECE];
  memset(piece, 'x', PIECE);
  for (unsigned long long written = 0; written < bytes; written += PIECE)
    if (write(1, piece, PIECE) < 0) return;
}

// A call that the kernel looked into was let through, whatever it thought of the arguments.
static int reached(long result) {
  if (result >= 0 || errno == EFAULT || errno == EINVAL || errno == ENOENT || errno == ENOKEY || errno == ENODEV || errno == ESRCH) return 0;
  return errno;
}

// In a child: some of them change the one who calls.
static int in_child(int (*attempt)(void)) {
  int status;
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) _exit(attempt());
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

static int try_unshare(void) { return reached(unshare(CLONE_NEWUSER)); }
// Of a kind that no kernel knows: where mounting is allowed, this mounts nothing either.
static int try_mount(void) { return reached(mount("none", "/", "outrigger-none", 0, NULL)); }
static int try_ptrace(void) { return reached(syscall(SYS_ptrace, 0L, 0L, 0L, 0L)); }
static int try_bpf(void) { return reached(syscall(SYS_bpf, 0, NULL, 0)); }
static int try_keyctl(void) { return reached(syscall(SYS_keyctl, 0, -3, 1)); }
static int try_uring(void) { return reached(syscall(425, 1, NULL)); }
static int try_userfaultfd(void) { return reached(syscall(SYS_userfaultfd, 1)); }
static int try_perf(void) { return reached(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)); }

static int try_main(char **argv) {
  const struct {
    const char *name;
    int (*attempt)(const char *);
  } outside[] = {{"file", try_read},     {"mode", try_mode}, {"environ", try_environ},
                 {"signal", try_signal}, {"tcp", try_tcp},   {"abstract", try_abstract}};
  const struct {
    const char *name;
    int (*attempt)(void);
  } kernel[] = {{"unshare", try_unshare}, {"mount", try_mount},   {"ptrace", try_ptrace},           {"bpf", try_bpf},
                {"keyctl", try_keyctl},   {"io_uring", try_uring}, {"userfaultfd", try_userfaultfd}, {"perf", try_perf}};
  for (; *argv != NULL; argv++) {
    char *value = strchr(*argv, '=');
    if (value == NULL) return usage();
    *value++ = 0;
    unsigned long long number = strtoull(value, NULL, 10);
    if (strcmp(*argv, "kernel") == 0)
      for (size_t at = 0; at < sizeof kernel / sizeof *kernel; at++)
        dprintf(1, "{\"tried\":\"%s\",\"error\":%d}\n", kernel[at].name, in_child(kernel[at].attempt));
    else if (strcmp(*argv, "forks") == 0) dprintf(1, "{\"tried\":\"forks\",\"made\":%d}\n", try_forks((int)number));
    else if (strcmp(*argv, "memory") == 0) try_memory(number);
    else if (strcmp(*argv, "disk") == 0) try_disk(number);
    else if (strcmp(*argv, "output") == 0) try_output(number);
    else if (strcmp(*argv, "time") == 0) pause_ms((long)number);
    else
      for (size_t at = 0; at < sizeof outside / sizeof *outside; at++)
        if (strcmp(outside[at].name, *argv) == 0) dprintf(1, "{\"tried\":\"%s\",\"error\":%d}\n", *argv, outside[at].attempt(value));
  }
  return 0;
}

// Listens where a cage must not get, until its standard input ends.
static int listen_main(const char *name) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_un abstract;
  socklen_t size = sizeof address;
  char byte;
  int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(tcp, (struct sockaddr *)&address, sizeof address) != 0 || listen(tcp, 16) != 0) return complain("listen", "tcp"), EXIT_OWN_FAILURE;
  getsockname(tcp, (struct sockaddr *)&address, &size);
  if (bind(local, (struct sockaddr *)&abstract, abstract_address(&abstract, name)) != 0 || listen(local, 16) != 0)
    return complain("listen", name), EXIT_OWN_FAILURE;
  dprintf(1, "%d\n", ntohs(address.sin_port));
  return read(0, &byte, 1) < 0;
}

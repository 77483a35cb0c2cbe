// What becomes of the programs of a server whose starter was killed: they are asked to end, as many have something to put away, and then made to.
#define TOKEN 16
#define ASKED_MS 500
#define LOOK_MS 20
// Who is started by one that ends, while others are looked at, is seen by the next look.
#define EMPTY_LOOKS 2

struct served {
  pid_t pid;
  int is_program;
  char token[TOKEN];
};

// Whether a program has it in its environment. `entry`: "NAME=", behind the NUL that ends what is before it.
static int has_variable(pid_t pid, const char *entry, size_t length) {
  char path[64], text[65536] = {0};
  // What an entry may begin with, of what was read before.
  size_t kept = 1;
  int found = 0;
  snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  for (ssize_t more; fd >= 0 && !found && (more = read(fd, text + kept, sizeof text - kept)) > 0;) {
    size_t size = kept + (size_t)more;
    found = memmem(text, size, entry, length) != NULL;
    kept = size < length ? size : length;
    memmove(text, text + size - kept, kept);
  }
  if (fd >= 0) close(fd);
  return found;
}

// The groups of programs, and who left one of a process. What the sidecar ran for itself may leave some behind for good, as git does, and what an agent
// left is for the next sidecar to see.
static int is_orphan(pid_t pid, const struct served *served, int count) {
  static const char mark[] = "\0OUTRIGGER_PROCESS=";
  pid_t group = getpgid(pid);
  for (int at = 0; at < count; at++)
    if (served[at].is_program && served[at].pid == group) return 1;
  return has_variable(pid, mark, sizeof mark - 1);
}

// Those that still do something.
static int find_orphans(pid_t *found, int most, const struct served *served, int count) {
  static pid_t pids[MOST_TASKS];
  int all = descendants(pids, MOST_TASKS), orphans = 0;
  for (int at = 0; at < all && orphans < most; at++)
    if (!all_threads(pids[at], is_leaving) && is_orphan(pids[at], served, count)) found[orphans++] = pids[at];
  return orphans;
}

// Nobody is waited for meanwhile: so the number of a group is nobody else's, also when its program is over.
static void end_orphans(const struct served *served, int count) {
  static pid_t orphans[MOST_TASKS];
  const unsigned long long begun = now_ms();
  // To each but once: many take a second one for an order to leave all as it is.
  int found = find_orphans(orphans, MOST_TASKS, served, count);
  for (int at = 0; at < found; at++) kill(orphans[at], SIGTERM);
  for (int empty = 0; empty < EMPTY_LOOKS;) {
    pause_ms(LOOK_MS);
    found = find_orphans(orphans, MOST_TASKS, served, count);
    empty = found == 0 ? empty + 1 : 0;
    unsigned long long taken = now_ms() - begun;
    if (taken > ASKED_MS + END_WITHIN_MS) return;
    if (taken < ASKED_MS) continue;
    // First none of them can fork any more: else a storm grows as fast as it is put down.
    struct rlimit none = {0, 0};
    for (int at = 0; at < found; at++) prlimit(orphans[at], RLIMIT_NPROC, &none, NULL);
    for (int at = 0; at < count; at++)
      if (served[at].is_program) kill(-served[at].pid, SIGKILL);
    for (int at = 0; at < found; at++) kill(orphans[at], SIGKILL);
  }
}

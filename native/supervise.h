// The outside of a cage: the supervisor starts the program, watches what no limit of the kernel covers, ends all with it, and says in one
// line of JSON what it came to.
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#define TICK_MS 25
#define LONGEST_WAIT_MS 1000000
// Looking at a folder may take this share of the time: one part in so many.
#define DISK_SHARE 4
#define BRIEF_NS 100000
// Before a program whose order is done is made to stand still: orders often come one upon the other.
#define STILL_AFTER_MS 20

enum { ENDED_BY_ITSELF, ENDED_ASKED, ENDED_WALL, ENDED_CPU, ENDED_MEMORY, ENDED_DISK, ENDED_FILES, ENDED_TASKS };
static const char *const end_names[] = {"", "asked", "wall", "cpu", "memory", "disk", "files", "tasks"};

// Asks for little time at once, and so for its turn soon, also where the program has the only processor: since Linux 6.12, for whoever wants it.
// Who forks after it hands that on: it is for a supervisor that has its program.
// https://docs.kernel.org/scheduler/sched-eevdf.html
static void be_brief(void) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
  } brief = {.size = 48, .nice = getpriority(PRIO_PROCESS, 0), .runtime_ns = BRIEF_NS};
  int policy = sched_getscheduler(0);
  if (policy != SCHED_OTHER && policy != SCHED_BATCH) return;
  brief.policy = (uint32_t)policy;
  syscall(SYS_sched_setattr, 0, &brief, 0);
}

// A program between two of its orders.
struct rest {
  // Nothing came by its input since the last one was done; and it was made to stand still.
  int rests, stands;
  unsigned long long next_still;
  // What its input had brought by then, what all below us had taken, and how many they were.
  long long passed;
  unsigned long long before_us, tasks;
};

// In one line that begins as no report does.
static void say_rest(const struct cage *cage, int ended, unsigned long long cpu_us, unsigned long long peak_kib, unsigned long long tasks,
                     struct relay *relays) {
  char text[256];
  int size = snprintf(text, sizeof text,
                      "={\"ended\":%d,\"cpu_us\":%llu,\"most_kib\":%llu,\"most_tasks\":%llu,\"stdout_bytes\":%lld,\"stderr_bytes\":%lld}\n", ended,
                      cpu_us, peak_kib, tasks, pass_all(&relays[1]), pass_all(&relays[2]));
  (void)!send(cage->control, text, (size_t)size, MSG_NOSIGNAL);
}

// An order is done: says what it took, and ends what it started. Answers -1 where somebody is left.
static int settle_order(const struct cage *cage, pid_t program, int *status, int *has_ended, struct rest *rest, struct look *most, struct relay *relays) {
  reap(program, status, has_ended);
  if (*has_ended) return 0;
  struct tally tally = tally_tree(program);
  unsigned long long all = tally.resident > most->resident ? tally.resident : most->resident, own = peak_of(program);
  int cleared = 0;
  if (tally.is_crowded) {
    cleared = clear_tree(program, status, has_ended, &rest->stands);
    if (cleared < 0 || *has_ended) return cleared;
    tally = tally_tree(program);
  }
  // Those that are over take their places until the program hears of them: they are nothing of the next order.
  unsigned long long tasks = most->tasks > rest->tasks ? most->tasks : 0;
  say_rest(cage, cleared, above(tally.cpu_us, rest->before_us), all / 1024 > own ? all / 1024 : own, tasks, relays);
  forget_peak(program);
  *most = (struct look){0, 0, 0};
  rest->before_us = tally.cpu_us;
  rest->tasks = tally.tasks;
  rest->passed = relays[0].passed;
  // Else nobody could tell that there is something to be done.
  rest->rests = relays[0].from >= 0;
  if (rest->stands && !rest->rests) kill(program, SIGCONT);
  rest->stands = rest->stands && rest->rests;
  rest->next_still = now_ms() + STILL_AFTER_MS;
  return 0;
}

static void report(const struct cage *cage, int status, int ended, int strays, unsigned long long wall, const struct look *most,
                   const struct size *written, const struct taken *taken, unsigned long long before_us, struct relay *relays, const char *problem) {
  struct rusage usage;
  char text[1600], clean[1024];
  size_t length = 0;
  for (const char *from = problem; *from != 0 && length < sizeof clean - 1; from++)
    clean[length++] = *from == '"' || *from == '\\' || (unsigned char)*from < 32 ? ' ' : *from;
  while (length > 0 && clean[length - 1] == ' ') length--;
  clean[length] = 0;
  getrusage(RUSAGE_CHILDREN, &usage);
  long resident = usage.ru_maxrss > taken->most_resident_kib ? usage.ru_maxrss : taken->most_resident_kib;
  char exit[16] = "null", signal[16] = "null";
  if (WIFEXITED(status)) snprintf(exit, sizeof exit, "%d", WEXITSTATUS(status));
  else snprintf(signal, sizeof signal, "%d", WTERMSIG(status));
  int size = snprintf(text, sizeof text,
                      "{\"exit\":%s,\"signal\":%s,\"ended\":\"%s\",\"cpu_ms\":%llu,\"max_rss_kib\":%ld,\"most_kib\":%llu,\"most_tasks\":%llu,"
                      "\"written_kib\":%llu,\"written_files\":%llu,\"strays\":%d,\"wall_ms\":%llu,\"stdout_bytes\":%lld,\"stderr_bytes\":%lld,"
                      "\"problem\":\"%s\"}\n",
                      exit, signal, end_names[ended], above(ms_of(&usage) + taken->cpu_ms, before_us / 1000), resident, most->resident / 1024, most->tasks, written->bytes / 1024,
                      written->files, strays, wall, pass_all(&relays[1]), pass_all(&relays[2]), clean);
  // Whoever asked may be gone.
  if (cage->control >= 0) (void)!send(cage->control, text, (size_t)size, MSG_NOSIGNAL);
}

static int supervise(const struct cage *cage, char **argv) {
  page_bytes = sysconf(_SC_PAGESIZE);
  tick_hz = sysconf(_SC_CLK_TCK);
  pid_t parent = started_by != 0 && getpid() != 1 ? started_by : getppid();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  // Before one may come: the first process of a namespace is spared those that it neither blocks nor handles.
  sigprocmask(SIG_BLOCK, &signals, NULL);
  // With its end comes ours, and with ours that of all below; a signal, so that what was made is cleared away first.
  prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
  if (parent != 0 && getppid() != parent) return EXIT_OWN_FAILURE;
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // The program can't read or write what we have in memory, nor open our descriptors.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  signal(SIGPIPE, SIG_IGN);
  int signalled = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);

  int owned = cage->own == NULL ? -1 : open(cage->own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat owner;
  if (cage->own != NULL && (owned < 0 || fstat(owned, &owner) != 0)) return complain("can't open", cage->own), EXIT_OWN_FAILURE;
  int hands_over = owned >= 0 && cage->uid >= 0;
  // Others may run in the same folder, as the same user: the last one gives it back.
  if (owned >= 0) flock(owned, LOCK_SH);
  if (hands_over) {
    struct owners to_it = {geteuid(), (uid_t)cage->uid, (gid_t)cage->gid, 0};
    hand_over_folder(owned, &to_it);
  }
  if (cage->scratch != NULL) {
    if (mkdir(cage->scratch, 0700) != 0) return complain("can't make", cage->scratch), EXIT_OWN_FAILURE;
    if (cage->uid >= 0 && chown(cage->scratch, (uid_t)cage->uid, (gid_t)cage->gid) != 0) return complain("can't give away", cage->scratch), EXIT_OWN_FAILURE;
  }
  const struct size any = {~0ull, ~0ull};
  struct size before = cage->disk || cage->files ? measure_all(&cage->watched, any) : (struct size){0, 0};
  const struct size most_written = {before.bytes + (cage->disk ? cage->disk : 1ull << 60), before.files + (cage->files ? cage->files : 1ull << 60)};
  unsigned long long nproc = cage->nproc;
  // Two more: the supervisor, and the one that is forked first.
  if (nproc && cage->nproc_of_user) nproc += tasks_of_user(cage->uid >= 0 ? (uid_t)cage->uid : geteuid());

  static struct relay relays[STREAMS];
  int streams[STREAMS];
  for (int stream = 0; stream < STREAMS; stream++)
    if ((streams[stream] = open_relay(&relays[stream], stream, cage)) == -2) return EXIT_OWN_FAILURE;
  int said[2];
  if (pipe2(said, O_CLOEXEC) != 0) return complain("pipe", ""), EXIT_OWN_FAILURE;
  // In a namespace alone is it known who there is to be ended.
  int words[2] = {-1, -1};
  if (cage->tells && getpid() == 1 && pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0) return complain("pipe", ""), EXIT_OWN_FAILURE;
  int has_joined;
  const struct parent us = {getpid(), geteuid(), getegid()};
  pid_t program = fork_joined(cage, &has_joined);
  if (program < 0) return complain("can't fork", ""), EXIT_OWN_FAILURE;
  if (program == 0) {
    complaints = said[1];
    close(said[0]);
    int result = enter(cage, &us, nproc, streams, words[1], has_joined, argv);
    if (result == STAYS) return STAYS;
    _exit(result);
  }
  be_brief();
  close(said[1]);
  for (int stream = 0; stream < STREAMS; stream++)
    if (streams[stream] >= 0) close(streams[stream]);
  // At its end when the program runs, and when it does not.
  char problem[512];
  size_t heard = 0;
  for (ssize_t more; heard < sizeof problem - 1 && (more = read(said[0], problem + heard, sizeof problem - 1 - heard)) != 0;) {
    if (more > 0) heard += (size_t)more;
    else if (errno != EINTR) break;
  }
  problem[heard] = 0;
  close(said[0]);
  // Its input is the program's alone.
  if (streams[0] < 0) close(0);

  if (words[1] >= 0) close(words[1]);
  int status = 0, has_ended = 0, ended = ENDED_BY_ITSELF, word = -1;
  struct look most = {0, 0, 0};
  struct size written = {0, 0};
  unsigned long long start = now_ms(), next_look = start + TICK_MS, next_disk = start;
  int watching = cage->memory || cage->cpu_all || cage->disk || cage->files || cage->tasks;
  int waits = cage->waits && relays[0].from >= 0;
  struct rest rest = {0, 0, 0, 0, 0, 0};
  unsigned long long cpu_all = cage->cpu_all, number = 0;
  while (!has_ended && ended == ENDED_BY_ITSELF) {
    unsigned long long now = now_ms(), until = watching && !waits ? next_look : now + LONGEST_WAIT_MS;
    if (rest.rests && !rest.stands && rest.next_still < until) until = rest.next_still;
    if (cage->wall && start + cage->wall < until) until = start + cage->wall;
    struct pollfd polled[3 + 2 * STREAMS] = {{signalled, POLLIN, 0}, {cage->control, POLLIN, 0}, {words[0], POLLIN, 0}};
    for (int stream = 0; stream < STREAMS; stream++) await_relay(&relays[stream], polled + 3 + 2 * stream);
    poll(polled, 3 + 2 * STREAMS, until > now ? (int)(until - now) : 0);
    if (polled[0].revents != 0) {
      struct signalfd_siginfo info;
      while (read(signalled, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD) ended = ENDED_ASKED;
      reap(program, &status, &has_ended);
    }
    int is_done = 0;
    if (polled[1].revents != 0) {
      char orders[64];
      ssize_t length = recv(cage->control, orders, sizeof orders, MSG_DONTWAIT);
      // Who went away wants the end.
      if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) ended = ENDED_ASKED;
      for (ssize_t at = 0; at < length; at++) {
        if (orders[at] >= '0' && orders[at] <= '9') number = number * 10 + (unsigned long long)(orders[at] - '0');
        else if (orders[at] == 'c') cpu_all = number, number = 0, watching = 1;
        else if (orders[at] == 'r') is_done++;
        else ended = ENDED_ASKED;
      }
    }
    for (int stream = 0; stream < STREAMS; stream++) relay_ready(&relays[stream], polled + 3 + 2 * stream);
    if (polled[2].revents != 0) {
      unsigned char byte;
      if (read(words[0], &byte, 1) == 1) word = byte;
      else close(words[0]), words[0] = -1;
    }
    now = now_ms();
    if (waits && (relays[0].passed != rest.passed || relays[0].from < 0)) {
      waits = 0, next_look = now + TICK_MS;
      if (rest.rests && !has_ended) kill(program, SIGCONT);
      rest.rests = rest.stands = 0;
    }
    if (has_ended) word = -1;
    if (has_ended || word >= 0 || ended != ENDED_BY_ITSELF) break;
    for (; is_done > 0 && !has_ended && ended == ENDED_BY_ITSELF; is_done--) {
      if (settle_order(cage, program, &status, &has_ended, &rest, &most, relays) < 0) ended = ENDED_ASKED;
      waits = rest.rests;
    }
    if (rest.rests && !rest.stands && !has_ended && ended == ENDED_BY_ITSELF && now_ms() >= rest.next_still) {
      // What threads of it started after the answer goes, too.
      if (clear_tree(program, &status, &has_ended, &rest.stands) < 0) ended = ENDED_ASKED;
      rest.next_still = now_ms() + STILL_AFTER_MS;
    }
    if (has_ended || ended != ENDED_BY_ITSELF) break;
    now = now_ms();
    if (cage->wall && now - start >= cage->wall) ended = ENDED_WALL;
    // By the clock: who keeps us busy with output or with orphans is looked at all the same.
    if (!watching || waits || now < next_look || ended != ENDED_BY_ITSELF) continue;
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    struct look look = look_at_tree(cage->memory);
    look.cpu_ms += ms_of(&usage);
    if (look.resident > most.resident) most.resident = look.resident;
    if (look.tasks > most.tasks) most.tasks = look.tasks;
    if (cage->memory && look.resident > cage->memory) ended = ENDED_MEMORY;
    else if (cpu_all && above(look.cpu_ms, rest.before_us / 1000) > cpu_all) ended = ENDED_CPU;
    else if (cage->tasks && look.tasks > cage->tasks) ended = ENDED_TASKS;
    next_look = now_ms() + TICK_MS;
    now = now_ms();
    if ((!cage->disk && !cage->files) || now < next_disk || ended != ENDED_BY_ITSELF) continue;
    struct size size = measure_all(&cage->watched, most_written);
    next_disk = now + (now_ms() - now) * DISK_SHARE;
    next_look = now_ms() + TICK_MS;
    written.bytes = above(size.bytes, before.bytes);
    written.files = above(size.files, before.files);
    if (cage->disk && written.bytes > cage->disk) ended = ENDED_DISK;
    else if (cage->files && written.files > cage->files) ended = ENDED_FILES;
  }
  unsigned long long wall = now_ms() - start;
  // It said so itself: there is more to be taken back than to be waited for.
  int is_told = word >= 0, strays = 0;
  struct taken taken = {0, 0};
  if (is_told) {
    taken = taken_so_far();
    if (!end_namespace()) {
      strays = end_tree(program, &(int){0}, &has_ended);
      taken = (struct taken){0, 0};
    }
    status = W_EXITCODE(word, 0);
  } else strays = end_tree(program, &status, &has_ended);
  if (cage->disk || cage->files) {
    struct size size = measure_all(&cage->watched, most_written);
    written.bytes = above(size.bytes, before.bytes);
    written.files = above(size.files, before.files);
  }
  if (cage->scratch != NULL) remove_folder(cage->scratch);
  if (owned >= 0 && flock(owned, LOCK_EX | LOCK_NB) == 0) {
    struct owners back = {hands_over ? (uid_t)cage->uid : (uid_t)-1, hands_over ? owner.st_uid : (uid_t)-1, owner.st_gid, 1};
    hand_over_folder(owned, &back);
  }
  report(cage, status, ended, strays, wall, &most, &written, &taken, rest.before_us, relays, problem);
  if (is_told) end_tree(program, &(int){0}, &has_ended);
  // After the report: a slow reader is no part of the program's time.
  int is_read = relay_rest(relays, cage->control, signalled, ended == ENDED_ASKED) != HEARD_NOTHING;
  if (cage->waits && cage->control >= 0 && !is_read) await_reader(cage->control, signalled);
  if (heard > 0 && cage->control < 0) (void)!write(2, problem, heard);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

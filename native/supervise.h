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

enum { ENDED_BY_ITSELF, ENDED_ASKED, ENDED_WALL, ENDED_CPU, ENDED_MEMORY, ENDED_DISK, ENDED_HOLD, ENDED_FILES, ENDED_DEPTH, ENDED_TASKS };
static const char *const end_names[] = {"", "asked", "wall", "cpu", "memory", "disk", "hold", "files", "depth", "tasks"};

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

// A supervisor at its work.
struct supervision {
  const struct cage *cage;
  struct relay *relays;
  // What the signals say that came, and what the program says itself.
  int signalled, words;
  pid_t program;
  int status, has_ended;
  // One of ENDED_…; the exit code that the program said, -1 before that.
  int ended, word;
  // Somebody has to look how much it takes; but not before something comes by its input.
  int is_watched, waits;
  unsigned long long start, next_look, next_disk;
  // The limit of an order, and the digits that came of the next one.
  unsigned long long cpu_all, number;
  struct look most;
  struct size before, written;
  struct rest rest;
};

static int is_over(const struct supervision *work) { return work->has_ended || work->word >= 0 || work->ended != ENDED_BY_ITSELF; }

// In one line that begins as no report does.
static void say_rest(const struct supervision *work, int ended, unsigned long long cpu_us, unsigned long long peak_kib, unsigned long long tasks) {
  char text[256];
  int size = snprintf(text, sizeof text,
                      "={\"ended\":%d,\"cpu_us\":%llu,\"most_kib\":%llu,\"most_tasks\":%llu,\"stdout_bytes\":%lld,\"stderr_bytes\":%lld}\n", ended,
                      cpu_us, peak_kib, tasks, pass_all(&work->relays[1]), pass_all(&work->relays[2]));
  (void)!send(work->cage->control, text, (size_t)size, MSG_NOSIGNAL);
}

// An order is done: says what it took, and ends what it started. Answers -1 where somebody is left.
static int settle_order(struct supervision *work) {
  struct rest *rest = &work->rest;
  reap(work->program, &work->status, &work->has_ended);
  if (work->has_ended) return 0;
  struct tally tally = tally_tree(work->program);
  unsigned long long all = tally.resident > work->most.resident ? tally.resident : work->most.resident, own = peak_of(work->program);
  int cleared = 0;
  if (tally.is_crowded) {
    cleared = clear_tree(work->program, &work->status, &work->has_ended, &rest->stands);
    if (cleared < 0 || work->has_ended) return cleared;
    tally = tally_tree(work->program);
  }
  // Those that are over take their places until the program hears of them: they are nothing of the next order.
  unsigned long long tasks = work->most.tasks > rest->tasks ? work->most.tasks : 0;
  say_rest(work, cleared, above(tally.cpu_us, rest->before_us), all / 1024 > own ? all / 1024 : own, tasks);
  forget_peak(work->program);
  work->most = (struct look){0, 0, 0};
  rest->before_us = tally.cpu_us;
  rest->tasks = tally.tasks;
  rest->passed = work->relays[0].passed;
  // Else nobody could tell that there is something to be done.
  work->waits = rest->rests = work->relays[0].from >= 0;
  if (rest->stands && !rest->rests) kill(work->program, SIGCONT);
  rest->stands = rest->stands && rest->rests;
  rest->next_still = now_ms() + STILL_AFTER_MS;
  return 0;
}

// Something came by its input, which makes it go on; or nothing can come any more.
static void wake(struct supervision *work) {
  if (!work->waits || (work->relays[0].passed == work->rest.passed && work->relays[0].from >= 0)) return;
  work->waits = 0;
  work->next_look = now_ms() + TICK_MS;
  if (work->rest.rests && !work->has_ended) kill(work->program, SIGCONT);
  work->rest.rests = work->rest.stands = 0;
}

// What threads of it started after the answer goes, too.
static void stand_still(struct supervision *work) {
  if (!work->rest.rests || work->rest.stands || now_ms() < work->rest.next_still) return;
  if (clear_tree(work->program, &work->status, &work->has_ended, &work->rest.stands) < 0) work->ended = ENDED_ASKED;
  work->rest.next_still = now_ms() + STILL_AFTER_MS;
}

static void hear_signals(struct supervision *work) {
  struct signalfd_siginfo info;
  while (read(work->signalled, &info, sizeof info) == sizeof info)
    if (info.ssi_signo != SIGCHLD) work->ended = ENDED_ASKED;
  reap(work->program, &work->status, &work->has_ended);
}

// Answers how many orders were said to be done.
static int hear_control(struct supervision *work) {
  char orders[64];
  int is_done = 0;
  ssize_t length = recv(work->cage->control, orders, sizeof orders, MSG_DONTWAIT);
  // Who went away wants the end.
  if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) work->ended = ENDED_ASKED;
  for (ssize_t at = 0; at < length; at++) {
    if (orders[at] >= '0' && orders[at] <= '9') work->number = work->number * 10 + (unsigned long long)(orders[at] - '0');
    else if (orders[at] == 'c') work->cpu_all = work->number, work->number = 0, work->is_watched = 1;
    else if (orders[at] == 'r') is_done++;
    else work->ended = ENDED_ASKED;
  }
  return is_done;
}

static void hear_word(struct supervision *work) {
  unsigned char byte;
  if (read(work->words, &byte, 1) == 1) work->word = byte;
  else close(work->words), work->words = -1;
}

static void look_at_disk(struct supervision *work) {
  const struct cage *cage = work->cage;
  const struct size most = {
    .bytes = work->before.bytes + (cage->disk ? cage->disk : 1ull << 60),
    .files = work->before.files + (cage->files ? cage->files : 1ull << 60),
  };
  struct size size = measure_all(&cage->watched, most);
  work->written.bytes = above(size.bytes, work->before.bytes);
  work->written.files = above(size.files, work->before.files);
  work->written.held = above(size.held, work->before.held);
  work->written.deep = above(size.deep, work->before.deep);
}

static int watches_disk(const struct cage *cage) { return cage->disk || cage->hold || cage->files; }

// There may have been more than it may hold: then nothing is added.
static unsigned long long left_to_hold(const struct supervision *work) {
  return work->cage->hold ? above(work->cage->hold, work->before.held) : 1ull << 60;
}

// By the clock: who keeps us busy with output or with orphans is looked at all the same.
static void look_when_due(struct supervision *work) {
  const struct cage *cage = work->cage;
  unsigned long long now = now_ms();
  if (cage->wall && now - work->start >= cage->wall) work->ended = ENDED_WALL;
  if (!work->is_watched || work->waits || now < work->next_look || work->ended != ENDED_BY_ITSELF) return;
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  struct look look = look_at_tree(cage->memory);
  look.cpu_ms += ms_of(&usage);
  if (look.resident > work->most.resident) work->most.resident = look.resident;
  if (look.tasks > work->most.tasks) work->most.tasks = look.tasks;
  if (cage->memory && look.resident > cage->memory) work->ended = ENDED_MEMORY;
  else if (work->cpu_all && above(look.cpu_ms, work->rest.before_us / 1000) > work->cpu_all) work->ended = ENDED_CPU;
  else if (cage->tasks && look.tasks > cage->tasks) work->ended = ENDED_TASKS;
  now = now_ms();
  work->next_look = now + TICK_MS;
  if (!watches_disk(cage) || now < work->next_disk || work->ended != ENDED_BY_ITSELF) return;
  look_at_disk(work);
  work->next_disk = now + (now_ms() - now) * DISK_SHARE;
  work->next_look = now_ms() + TICK_MS;
  if (cage->disk && work->written.bytes > cage->disk) work->ended = ENDED_DISK;
  else if (work->written.held > left_to_hold(work)) work->ended = ENDED_HOLD;
  else if (cage->files && work->written.files > cage->files) work->ended = ENDED_FILES;
  else if (cage->files && work->written.deep > 0) work->ended = ENDED_DEPTH;
}

// Until the program is over, or somebody wants it to be, or it took too much.
static void watch_program(struct supervision *work) {
  const struct cage *cage = work->cage;
  const struct rest *rest = &work->rest;
  while (!is_over(work)) {
    unsigned long long now = now_ms(), until = work->is_watched && !work->waits ? work->next_look : now + LONGEST_WAIT_MS;
    if (rest->rests && !rest->stands && rest->next_still < until) until = rest->next_still;
    if (cage->wall && work->start + cage->wall < until) until = work->start + cage->wall;
    struct pollfd polled[3 + 2 * STREAMS] = {{work->signalled, POLLIN, 0}, {cage->control, POLLIN, 0}, {work->words, POLLIN, 0}};
    for (int stream = 0; stream < STREAMS; stream++) await_relay(&work->relays[stream], polled + 3 + 2 * stream);
    poll(polled, 3 + 2 * STREAMS, until > now ? (int)(until - now) : 0);
    if (polled[0].revents != 0) hear_signals(work);
    int is_done = polled[1].revents != 0 ? hear_control(work) : 0;
    for (int stream = 0; stream < STREAMS; stream++) relay_ready(&work->relays[stream], polled + 3 + 2 * stream);
    if (polled[2].revents != 0) hear_word(work);
    wake(work);
    if (work->has_ended) work->word = -1;
    for (; is_done > 0 && !is_over(work); is_done--)
      if (settle_order(work) < 0) work->ended = ENDED_ASKED;
    if (!is_over(work)) stand_still(work);
    if (!is_over(work)) look_when_due(work);
  }
}

static void report(const struct supervision *work, int strays, unsigned long long wall, const struct taken *taken, const char *problem) {
  struct rusage usage;
  char text[1600], clean[1024];
  size_t length = 0;
  for (const char *from = problem; *from != 0 && length < sizeof clean - 1; from++)
    clean[length++] = *from == '"' || *from == '\\' || (unsigned char)*from < 32 ? ' ' : *from;
  while (length > 0 && clean[length - 1] == ' ') length--;
  clean[length] = 0;
  getrusage(RUSAGE_CHILDREN, &usage);
  long resident = usage.ru_maxrss > taken->most_resident_kib ? usage.ru_maxrss : taken->most_resident_kib;
  unsigned long long cpu_ms = above(ms_of(&usage) + taken->cpu_ms, work->rest.before_us / 1000);
  char exit[16] = "null", signal[16] = "null";
  if (WIFEXITED(work->status)) snprintf(exit, sizeof exit, "%d", WEXITSTATUS(work->status));
  else snprintf(signal, sizeof signal, "%d", WTERMSIG(work->status));
  int size = snprintf(text, sizeof text,
                      "{\"exit\":%s,\"signal\":%s,\"ended\":\"%s\",\"cpu_ms\":%llu,\"max_rss_kib\":%ld,\"most_kib\":%llu,\"most_tasks\":%llu,"
                      "\"written_kib\":%llu,\"written_files\":%llu,\"hold_left\":%lld,\"strays\":%d,\"wall_ms\":%llu,\"stdout_bytes\":%lld,\"stderr_bytes\":%lld,"
                      "\"problem\":\"%s\"}\n",
                      exit, signal, end_names[work->ended], cpu_ms, resident, work->most.resident / 1024, work->most.tasks,
                      work->written.bytes / 1024, work->written.files, (long long)(left_to_hold(work) - work->written.held), strays, wall, pass_all(&work->relays[1]), pass_all(&work->relays[2]), clean);
  // Whoever asked may be gone.
  if (work->cage->control >= 0) (void)!send(work->cage->control, text, (size_t)size, MSG_NOSIGNAL);
}

// Answers how many there were but the program, as far as they were waited for; what those took who are still there is in `taken`.
static int end_all(struct supervision *work, struct taken *taken) {
  // It said so itself: there is more to be taken back than to be waited for.
  if (work->word >= 0) {
    *taken = taken_so_far();
    int strays = 0;
    if (!end_namespace()) {
      strays = end_tree(work->program, &(int){0}, &work->has_ended);
      *taken = (struct taken){0, 0};
    }
    work->status = W_EXITCODE(work->word, 0);
    return strays;
  }
  return end_tree(work->program, &work->status, &work->has_ended);
}

// The folder of the program, and whose it was; -1 where there is none.
struct owned {
  int folder, hands_over;
  struct stat was;
};

// Answers -1 for an error, which it tells.
static int hand_to_program(const struct cage *cage, struct owned *owned) {
  owned->folder = cage->own == NULL ? -1 : open(cage->own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cage->own != NULL && (owned->folder < 0 || fstat(owned->folder, &owned->was) != 0)) return complain("can't open", cage->own);
  owned->hands_over = owned->folder >= 0 && cage->uid >= 0;
  struct users users = cage->users_from < 0 ? nobody : (struct users){(uid_t)cage->users_from, (uid_t)cage->users_to};
  // Another program's in the same folder; or that of one that was killed with its supervisor, so that nobody gave it back.
  if (owned->folder >= 0 && is_user_of(&users, owned->was.st_uid)) owned->was.st_uid = geteuid(), owned->was.st_gid = getegid();
  // Others may run in the same folder, as the same user: the last one gives it back.
  if (owned->folder >= 0) flock(owned->folder, LOCK_SH);
  if (owned->folder >= 0 && (cage->uid >= 0 || cage->users_from >= 0)) {
    struct owners to_it = {geteuid(), cage->uid >= 0 ? (uid_t)cage->uid : geteuid(), users, cage->gid >= 0 ? (gid_t)cage->gid : getegid(), 0};
    hand_over_folder(owned->folder, &to_it);
  }
  if (cage->scratch == NULL) return 0;
  if (mkdir(cage->scratch, 0700) != 0) return complain("can't make", cage->scratch);
  if (cage->uid >= 0 && chown(cage->scratch, (uid_t)cage->uid, (gid_t)cage->gid) != 0) return complain("can't give away", cage->scratch);
  return 0;
}

static void take_back(const struct cage *cage, const struct owned *owned) {
  if (cage->scratch != NULL) remove_folder(cage->scratch);
  if (owned->folder < 0 || flock(owned->folder, LOCK_EX | LOCK_NB) != 0) return;
  uid_t from = owned->hands_over ? (uid_t)cage->uid : (uid_t)-1;
  struct owners back = {from, owned->hands_over ? owned->was.st_uid : (uid_t)-1, nobody, owned->was.st_gid, 1};
  hand_over_folder(owned->folder, &back);
}

// Answers what signals come by from now on; -1 where whoever started us is gone, and for an error, which it tells.
static int stand_guard(void) {
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
  if (parent != 0 && getppid() != parent) return -1;
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // The program can't read or write what we have in memory, nor open our descriptors.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  signal(SIGPIPE, SIG_IGN);
  int signalled = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  return signalled < 0 ? complain("signalfd", "") : signalled;
}

// What the child says before it is the program: nothing where all went well. Answers how long that is. Takes the descriptor.
static size_t read_problem(int said, char *problem, size_t size) {
  size_t heard = 0;
  for (ssize_t more; heard < size - 1 && (more = read(said, problem + heard, size - 1 - heard)) != 0;) {
    if (more > 0) heard += (size_t)more;
    else if (errno != EINTR) break;
  }
  problem[heard] = 0;
  close(said);
  return heard;
}

// Answers the exit code of the program, 128 and its signal, or EXIT_OWN_FAILURE; STAYS in a child that is nothing but who forked us.
static int supervise(const struct cage *cage, char **argv) {
  page_bytes = sysconf(_SC_PAGESIZE);
  tick_hz = sysconf(_SC_CLK_TCK);
  int signalled = stand_guard();
  if (signalled < 0) return EXIT_OWN_FAILURE;
  struct owned owned;
  if (hand_to_program(cage, &owned) != 0) return EXIT_OWN_FAILURE;
  static struct relay relays[STREAMS];
  struct supervision work = {.cage = cage, .relays = relays, .signalled = signalled, .words = -1, .word = -1, .cpu_all = cage->cpu_all};
  if (watches_disk(cage)) work.before = measure_all(&cage->watched, (struct size){~0ull, ~0ull, ~0ull, ~0ull});
  // No file gets larger than what there is room for, also where it is written before anybody looks.
  unsigned long long fsize = cage->fsize ? cage->fsize : RLIM_INFINITY;
  if (left_to_hold(&work) < fsize) fsize = left_to_hold(&work);
  unsigned long long nproc = cage->nproc;
  // Two more: the supervisor, and the one that is forked first.
  if (nproc && cage->nproc_of_user) nproc += tasks_of_user(cage->uid >= 0 ? (uid_t)cage->uid : geteuid());

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
  work.program = fork_joined(cage, &has_joined);
  if (work.program < 0) return complain("can't fork", ""), EXIT_OWN_FAILURE;
  if (work.program == 0) {
    complaints = said[1];
    close(said[0]);
    int result = enter(cage, &us, nproc, fsize, streams, words[1], has_joined, argv);
    if (result == STAYS) return STAYS;
    _exit(result);
  }
  be_brief();
  close(said[1]);
  for (int stream = 0; stream < STREAMS; stream++)
    if (streams[stream] >= 0) close(streams[stream]);
  // At its end when the program runs, and when it does not.
  char problem[512];
  size_t heard = read_problem(said[0], problem, sizeof problem);
  // Its input is the program's alone.
  if (streams[0] < 0) close(0);
  if (words[1] >= 0) close(words[1]);

  work.words = words[0];
  work.start = work.next_disk = now_ms();
  work.next_look = work.start + TICK_MS;
  work.is_watched = cage->memory || cage->cpu_all || watches_disk(cage) || cage->tasks;
  work.waits = cage->waits && relays[0].from >= 0;
  watch_program(&work);
  unsigned long long wall = now_ms() - work.start;
  struct taken taken = {0, 0};
  int strays = end_all(&work, &taken);
  if (watches_disk(cage)) look_at_disk(&work);
  take_back(cage, &owned);
  report(&work, strays, wall, &taken, problem);
  if (work.word >= 0) end_tree(work.program, &(int){0}, &work.has_ended);
  // After the report: a slow reader is no part of the program's time.
  int is_read = relay_rest(relays, cage->control, signalled, work.ended == ENDED_ASKED) != HEARD_NOTHING;
  if (cage->waits && cage->control >= 0 && !is_read) await_reader(cage->control, signalled);
  if (heard > 0 && cage->control < 0) (void)!write(2, problem, heard);
  return WIFEXITED(work.status) ? WEXITSTATUS(work.status) : 128 + WTERMSIG(work.status);
}

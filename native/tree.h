// What runs below a supervisor, as /proc has it: who that is, what they take, and whether their threads still do anything.
#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MOST_TASKS 8192
#define MOST_THREAD_LOOKS 8
#define LEAVING 0x4ul // PF_EXITING of linux/sched.h

struct look {
  unsigned long long resident, cpu_ms, tasks;
};

static long page_bytes, tick_hz;

static ssize_t read_file_at(int folder, const char *path, char *text, size_t size) {
  int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, text, size - 1);
  close(fd);
  if (length >= 0) text[length] = 0;
  return length;
}

static ssize_t read_file(const char *path, char *text, size_t size) { return read_file_at(AT_FDCWD, path, text, size); }

// Ids of all descendants, zombies included; in a PID namespace of which we are the first, all that is there.
static int descendants(pid_t *found, int most) {
  int count = 0;
  if (getpid() == 1) {
    DIR *proc = opendir("/proc");
    if (proc == NULL) return 0;
    for (struct dirent *entry; count < most && (entry = readdir(proc)) != NULL;) {
      pid_t pid = (pid_t)atoi(entry->d_name);
      if (pid > 1) found[count++] = pid;
    }
    closedir(proc);
    return count;
  }
  pid_t parent = getpid();
  for (int at = -1; at < count; at++) {
    if (at >= 0) parent = found[at];
    char path[64], text[65536];
    snprintf(path, sizeof path, "/proc/%d/task", (int)parent);
    DIR *tasks = opendir(path);
    if (tasks == NULL) continue;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
      if (entry->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "/proc/%d/task/%.15s/children", (int)parent, entry->d_name);
      if (read_file(path, text, sizeof text) <= 0) continue;
      for (char *rest = text; count < most;) {
        char *end;
        long pid = strtol(rest, &end, 10);
        if (end == rest) break;
        found[count++] = (pid_t)pid;
        rest = end;
      }
    }
    closedir(tasks);
  }
  return count;
}

// What a process has to itself, with its share of what it has together with others; 0 where it can't be told.
static unsigned long long proportional(pid_t pid) {
  char path[64], text[2048];
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
  if (read_file(path, text, sizeof text) <= 0) return 0;
  char *line = strstr(text, "\nPss:");
  return line == NULL ? 0 : strtoull(line + 5, NULL, 10) * 1024;
}

static struct look look_at_tree(unsigned long long enough) {
  static pid_t pids[MOST_TASKS];
  struct look look = {0, 0, 0};
  int count = descendants(pids, MOST_TASKS);
  for (int at = 0; at < count; at++) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pids[at]);
    if (read_file(path, text, sizeof text) <= 0) continue;
    char *rest = strrchr(text, ')');
    unsigned long long user, kernel, waited_user, waited_kernel, threads, resident;
    // From the third field: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    if (rest == NULL || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %llu %*d %*u %*u %llu", &user,
                               &kernel, &waited_user, &waited_kernel, &threads, &resident) != 6)
      continue;
    look.cpu_ms += (user + kernel + waited_user + waited_kernel) * 1000 / (unsigned long long)tick_hz;
    look.resident += resident * (unsigned long long)page_bytes;
    // A zombie has no thread any more and takes a number all the same.
    look.tasks += threads > 0 ? threads : 1;
  }
  // What a family of processes shares was counted once for each. Asking costs more, so it is asked when it matters.
  if (enough == 0 || look.resident <= enough) return look;
  unsigned long long sum = 0;
  for (int at = 0; at < count; at++) sum += proportional(pids[at]);
  if (sum > 0) look.resident = sum;
  return look;
}

// Tasks of a user anywhere: RLIMIT_NPROC counts them all.
static unsigned long long tasks_of_user(uid_t uid) {
  unsigned long long count = 0;
  DIR *proc = opendir("/proc");
  if (proc == NULL) return 0;
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
    struct stat stat;
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || fstatat(dirfd(proc), entry->d_name, &stat, 0) != 0 || stat.st_uid != uid) continue;
    char path[300], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
    if (read_file(path, text, sizeof text) <= 0) continue;
    char *rest = strrchr(text, ')');
    unsigned long long threads = 1;
    if (rest != NULL) sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %llu", &threads);
    count += threads;
  }
  closedir(proc);
  return count;
}

static unsigned long long above(unsigned long long now, unsigned long long before) { return now > before ? now - before : 0; }

static unsigned long long us_of(const struct rusage *usage) {
  unsigned long long us = (unsigned long long)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
  return (unsigned long long)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 + us;
}

static unsigned long long ms_of(const struct rusage *usage) { return us_of(usage) / 1000; }

// What those below us took who are still there, in ms and KiB.
struct taken {
  unsigned long long cpu_ms;
  long most_resident_kib;
};

static struct taken taken_so_far(void) {
  static pid_t pids[MOST_TASKS];
  struct taken taken = {0, 0};
  unsigned long long cpu_us = 0;
  int count = descendants(pids, MOST_TASKS);
  for (int at = 0; at < count; at++) {
    char path[64], text[2048];
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pids[at], &clock) == 0 && clock_gettime(clock, &time) == 0)
      cpu_us += (unsigned long long)time.tv_sec * 1000000 + (unsigned long long)time.tv_nsec / 1000;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pids[at]);
    char *line = read_file(path, text, sizeof text) > 0 ? strstr(text, "\nVmHWM:") : NULL;
    long resident = line == NULL ? 0 : strtol(line + 7, NULL, 10);
    if (resident > taken.most_resident_kib) taken.most_resident_kib = resident;
  }
  taken.cpu_ms = cpu_us / 1000;
  return taken;
}

// The program and all below it, at one moment. Times are in us.
struct tally {
  unsigned long long cpu_us, resident, tasks;
  // Somebody else is there, or was a moment ago, and may have started another. Who is over, and only waits for the program to hear of it, is nobody.
  int is_crowded;
};

static int is_among(pid_t pid, const pid_t *pids, int count) {
  for (int at = 0; at < count; at++)
    if (pids[at] == pid) return 1;
  return 0;
}

static struct tally tally_tree(pid_t program) {
  static pid_t pids[MOST_TASKS], again[MOST_TASKS];
  int over = 0;
  struct tally tally = {0, 0, 0, 0};
  struct rusage usage;
  int count = descendants(pids, MOST_TASKS);
  for (int at = 0; at < count; at++) {
    char path[64], text[1024], state;
    int parent;
    unsigned long long user, kernel, waited_user, waited_kernel, threads, resident;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pids[at]);
    char *rest = read_file(path, text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    if (pids[at] != program) tally.is_crowded++;
    if (rest == NULL || sscanf(rest + 2, "%c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %llu %*d %*u %*u %llu", &state, &parent,
                               &user, &kernel, &waited_user, &waited_kernel, &threads, &resident) != 8)
      continue;
    // Ticks are coarse: of the program itself more is known.
    clockid_t clock;
    struct timespec time;
    if (pids[at] == program && clock_getcpuclockid(program, &clock) == 0 && clock_gettime(clock, &time) == 0)
      tally.cpu_us += (unsigned long long)time.tv_sec * 1000000 + (unsigned long long)time.tv_nsec / 1000;
    else waited_user += user + kernel;
    tally.cpu_us += (waited_user + waited_kernel) * 1000000 / (unsigned long long)tick_hz;
    tally.resident += resident * (unsigned long long)page_bytes;
    tally.tasks += threads > 0 ? threads : 1;
    // Where the first thread is over, others may go on.
    if (pids[at] != program && state == 'Z' && threads <= 1 && parent == program) tally.is_crowded--, over++;
  }
  // Whom they had started came to us as they ended, maybe after we had looked there.
  int late = over > 0 && tally.is_crowded == 0 ? descendants(again, MOST_TASKS) : 0;
  for (int at = 0; at < late; at++) tally.is_crowded += !is_among(again[at], pids, count);
  getrusage(RUSAGE_CHILDREN, &usage);
  tally.cpu_us += us_of(&usage);
  return tally;
}

// The most that the program held since `forget_peak`, or since its start where that can't be; in KiB.
static unsigned long long peak_of(pid_t program) {
  char path[64], text[2048];
  snprintf(path, sizeof path, "/proc/%d/status", (int)program);
  char *line = read_file(path, text, sizeof text) > 0 ? strstr(text, "\nVmHWM:") : NULL;
  return line == NULL ? 0 : strtoull(line + 7, NULL, 10);
}

// https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
static void forget_peak(pid_t program) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)program);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) (void)!write(fd, "5", 1);
  if (fd >= 0) close(fd);
}

// Of what /proc says of a thread.
static int is_leaving(char state, unsigned long flags) { return state == 'Z' || state == 'X' || (flags & LEAVING) != 0; }
static int is_still(char state, unsigned long flags) { return state == 'T' || is_leaving(state, flags); }

// Whether all threads of a process are so, of those that there are. Answers -1 where one went meanwhile, or more are there than were listed: a list
// that is read while threads go may lack some.
static int listed_threads(int tasks, int (*are_so)(char, unsigned long)) {
  int so = 1, whole = 1;
  nlink_t listed = 0;
  struct stat stat;
  DIR *list = fdopendir(tasks);
  for (struct dirent *entry; so && list != NULL && (entry = readdir(list)) != NULL;) {
    char path[32], text[1024], state;
    unsigned long flags;
    if (entry->d_name[0] == '.') continue;
    listed++;
    snprintf(path, sizeof path, "%.15s/stat", entry->d_name);
    ssize_t length = read_file_at(tasks, path, text, sizeof text);
    if (length < 0 && (errno == ENOENT || errno == ESRCH)) {
      whole = 0;
      continue;
    }
    char *rest = length > 0 ? strrchr(text, ')') : NULL;
    so = rest != NULL && sscanf(rest + 2, "%c %*d %*d %*d %*d %*d %lu", &state, &flags) == 2 && are_so(state, flags);
  }
  // The links of that folder are its threads, and two.
  whole = whole && fstat(tasks, &stat) == 0 && stat.st_nlink <= listed + 2;
  if (list == NULL) close(tasks);
  else closedir(list);
  return list == NULL || !so ? 0 : whole ? 1 : -1;
}

// Whether all threads of a process are so. What can't be looked at is not.
static int all_threads(pid_t pid, int (*are_so)(char, unsigned long)) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  for (int looks = 0; looks < MOST_THREAD_LOOKS; looks++) {
    int tasks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tasks < 0) return errno == ENOENT || errno == ESRCH;
    int so = listed_threads(tasks, are_so);
    if (so >= 0) return so;
  }
  return 0;
}

// Whether no thread of any of these comes back from the kernel.
static int are_leaving(const pid_t *pids, int count) {
  for (int at = 0; at < count; at++)
    if (!all_threads(pids[at], is_leaving)) return 0;
  return 1;
}

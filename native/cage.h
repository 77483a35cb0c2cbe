// A cage: the launcher stays as the supervisor of one program and of all that this starts, wherever that goes. It sets the limits, watches
// what no limit of the kernel covers, ends everything with the program, and says in one line of JSON what it came to.
#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>

#define MOST_PATHS 64
#define MOST_TASKS 8192
#define TICK_MS 25
#define LONGEST_WAIT_MS 1000000
// Looking at a folder may take this share of the time: one part in so many.
#define DISK_SHARE 4
#define DEEPEST 100
#define END_WITHIN_MS 5000
#define CAP_LAST 63
#define CLOSE_ON_EXEC 4u // CLOSE_RANGE_CLOEXEC
#define SYS_CLOSE_RANGE 436
#define SYS_CLONE3 435
#define INTO_CGROUP 0x200000000ull // CLONE_INTO_CGROUP
#define STAGE "/mnt"
// No exit code.
#define STAYS 1000
#define WORD 3
#define MOST_THREAD_LOOKS 8
#define BRIEF_NS 100000
#define LEAVING 0x4ul // PF_EXITING of linux/sched.h
#define LEAVE_WITHIN_MS 20
// Before a program whose order is done is made to stand still: orders often come one upon the other.
#define STILL_AFTER_MS 20
#define CLEAR_WITHIN_MS 2000
// Looks at those who do not come to stand still before they are ended all the same.
#define MOST_STILL_LOOKS 40

enum { ENDED_BY_ITSELF, ENDED_ASKED, ENDED_WALL, ENDED_CPU, ENDED_MEMORY, ENDED_DISK, ENDED_FILES, ENDED_TASKS };
static const char *const end_names[] = {"", "asked", "wall", "cpu", "memory", "disk", "files", "tasks"};

#include "namespaces.h"

struct paths {
  int count;
  const char *at[MOST_PATHS];
};

struct cage {
  struct paths readable, writable, joined, staged, watched;
  struct mounts mounts;
  const char *own, *scratch, *env_prefix, *cwd;
  int confine, scope, filter, control, pass, network_refused, nproc_of_user, no_relay;
  // The program is the supervisor of another cage, the first process of namespaces of its own; or it is who forked us.
  int namespaces, network_of_its_own, stays;
  // The program says itself how it ends, by a byte on descriptor 3: its exit code.
  int tells;
  // Does nothing before something comes by its input: until then nobody looks how much it takes.
  int waits;
  // 0: no such limit. Bytes, milliseconds, seconds for cpu.
  unsigned long long as, fsize, nofile, nproc, cpu, wall, cpu_all, memory, disk, files, tasks;
  long uid, gid;
};

struct look {
  unsigned long long resident, cpu_ms, tasks;
};

static long page_bytes, tick_hz;
// The server that forked us, as it was before; 0 where a program started us.
static pid_t started_by;

static unsigned long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

static void pause_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

#include "relay.h"

static ssize_t read_file_at(int folder, const char *path, char *text, size_t size) {
  int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, text, size - 1);
  close(fd);
  if (length >= 0) text[length] = 0;
  return length;
}

static ssize_t read_file(const char *path, char *text, size_t size) { return read_file_at(AT_FDCWD, path, text, size); }

// --- What runs below us ---

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

// --- Folders ---

struct size {
  unsigned long long bytes, files;
};

// Takes the descriptor. What is deeper than programs make folders counts as too many files. Ends early when it is clear that it is too much.
static void measure(int fd, int depth, struct size *size, const struct size *most) {
  DIR *folder = fdopendir(fd);
  if (folder == NULL) {
    close(fd);
    return;
  }
  if (depth > DEEPEST) size->files += 1ull << 40;
  for (struct dirent *entry; depth <= DEEPEST && size->files <= most->files && size->bytes <= most->bytes && (entry = readdir(folder)) != NULL;) {
    struct stat stat;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(fd, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0) continue;
    size->files++;
    size->bytes += (unsigned long long)stat.st_blocks * 512;
    if (!S_ISDIR(stat.st_mode)) continue;
    int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) measure(inner, depth + 1, size, most);
  }
  closedir(folder);
}

// `most`: what is above it is not looked at any closer.
static struct size measure_all(const struct paths *paths, struct size most) {
  struct size size = {0, 0};
  for (int at = 0; at < paths->count; at++) {
    int fd = open(paths->at[at], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) measure(fd, 0, &size, &most);
  }
  return size;
}

struct owners {
  // (uid_t)-1: whose they are is left as it is.
  uid_t from, to;
  gid_t group;
  // What the owner can't open is opened, and no program gets its owner's rights by its mode.
  int tidy;
};

// Of what was looked at, and of nothing that lies in its place by now.
static void change_mode(int folder, const char *name, const struct stat *seen, mode_t mode) {
  int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat now;
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (fd >= 0 && fstat(fd, &now) == 0 && now.st_ino == seen->st_ino && now.st_dev == seen->st_dev && (now.st_mode & S_IFMT) == (seen->st_mode & S_IFMT))
    (void)!chmod(path, mode);
  if (fd >= 0) close(fd);
}

// Takes the descriptor. Only what belongs to `from`: a hard link to somebody else's file stays somebody else's.
static void hand_over(int fd, int depth, const struct owners *owners) {
  DIR *folder = depth > DEEPEST ? NULL : fdopendir(fd);
  if (folder == NULL) {
    close(fd);
    return;
  }
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    struct stat stat;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(fd, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0) continue;
    int is_folder = S_ISDIR(stat.st_mode);
    mode_t wanted = (stat.st_mode & 01777) | (is_folder ? 0700 : 0600);
    if (owners->to != (uid_t)-1 && stat.st_uid == owners->from && (is_folder || stat.st_nlink == 1))
      (void)!fchownat(fd, entry->d_name, owners->to, owners->group, AT_SYMLINK_NOFOLLOW);
    if (owners->tidy && (is_folder || S_ISREG(stat.st_mode)) && stat.st_nlink >= 1 && (stat.st_mode & 07777) != wanted &&
        (is_folder || stat.st_nlink == 1))
      change_mode(fd, entry->d_name, &stat, wanted);
    if (!is_folder) continue;
    int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) hand_over(inner, depth + 1, owners);
  }
  closedir(folder);
}

static void hand_over_folder(int held, const struct owners *owners) {
  struct stat stat;
  int fd = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (owners->to != (uid_t)-1 && fstat(held, &stat) == 0 && stat.st_uid == owners->from) (void)!fchown(held, owners->to, owners->group);
  if (fd >= 0) hand_over(fd, 0, owners);
}

// Takes the descriptor. Answers whether all is gone; what lies too deep is moved up, to be removed in another round.
static int empty_folder(int top, int fd, int depth) {
  static unsigned moved;
  DIR *folder = fdopendir(fd);
  if (folder == NULL) {
    close(fd);
    return 0;
  }
  int done = 1;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (unlinkat(fd, entry->d_name, 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) continue;
    (void)!fchmodat(fd, entry->d_name, 0700, 0);
    if (depth > DEEPEST) {
      char name[40];
      snprintf(name, sizeof name, ".deep-%u", moved++);
      (void)!renameat(fd, entry->d_name, top, name);
      done = 0;
      continue;
    }
    int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) continue;
    done &= empty_folder(top, inner, depth + 1);
    if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0) done = 0;
  }
  closedir(folder);
  return done;
}

static void remove_folder(const char *path) {
  for (int round = 0; round < 1000; round++) {
    int top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0) return;
    int done = empty_folder(top, openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
    close(top);
    if (rmdir(path) == 0 || (done && round > 0)) return;
  }
}

// --- The inside ---

static int set_limit(int which, unsigned long long value, const char *name) {
  struct rlimit limit = {value, value};
  struct rlimit now;
  if (getrlimit(which, &now) == 0 && now.rlim_max != RLIM_INFINITY && now.rlim_max < value) limit.rlim_cur = limit.rlim_max = now.rlim_max;
  return setrlimit(which, &limit) == 0 ? 0 : complain("limit", name);
}

static int set_limits(const struct cage *cage, unsigned long long nproc) {
  if (set_limit(RLIMIT_CORE, 0, "core") != 0) return -1;
  if (cage->as && set_limit(RLIMIT_AS, cage->as, "as") != 0) return -1;
  if (cage->fsize && set_limit(RLIMIT_FSIZE, cage->fsize, "fsize") != 0) return -1;
  if (cage->nofile && set_limit(RLIMIT_NOFILE, cage->nofile, "nofile") != 0) return -1;
  if (cage->cpu && set_limit(RLIMIT_CPU, cage->cpu, "cpu") != 0) return -1;
  return nproc && set_limit(RLIMIT_NPROC, nproc, "nproc") != 0 ? -1 : 0;
}

static int drop_capabilities(void) {
  struct {
    uint32_t version;
    int pid;
  } header = {0x20080522, 0};
  uint32_t none[6] = {0};
  return syscall(SYS_capset, &header, none) == 0 ? 0 : complain("capset", "");
}

// `has_privilege`: of those who make namespaces.
static int become(const struct cage *cage, int has_privilege) {
  if (cage->uid >= 0 && (setgroups(0, NULL) != 0 || setresgid((gid_t)cage->gid, (gid_t)cage->gid, (gid_t)cage->gid) != 0 ||
                         setresuid((uid_t)cage->uid, (uid_t)cage->uid, (uid_t)cage->uid) != 0))
    return complain("can't become another user", "");
  // Its processes are counted apart from others of that user. Who has no privilege is in one already.
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (has_privilege && (unshare(CLONE_NEWUSER) != 0 || map_user(uid, gid) != 0)) return complain("user namespace", "");
  if (!cage->namespaces && geteuid() != 0) return 0;
  // Root without a single capability: what it owns is all that is left of it. Where nobody has them, no program can be given them.
  for (unsigned long capability = 0; capability <= CAP_LAST; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      // The kernel knows no more of them.
      if (errno == EINVAL) break;
      if (cage->namespaces) return complain("bounding set", "");
    }
  return drop_capabilities();
}

static int cage_landlock(const struct cage *cage) {
  int abi = landlock_abi();
  struct cage_ruleset {
    uint64_t files, network, scoped;
  } attr = {0, 0, 0};
  if (cage->confine) attr.files = all_rights(abi);
  if (cage->network_refused && abi >= 4) attr.network = 3;
  if (cage->scope && abi >= 6) attr.scoped = 3;
  if (cage->confine && abi == 0) return errno = ENOSYS, complain("landlock", "");
  if (attr.files == 0 && attr.network == 0 && attr.scoped == 0) return 0;
  // The kernel takes a struct that ends in zeros of its later ABIs.
  int ruleset = (int)syscall(SYS_LANDLOCK_CREATE_RULESET, &attr, sizeof attr, 0u);
  if (ruleset < 0) return complain("landlock ruleset", "");
  uint64_t reading = RIGHT_EXECUTE | RIGHT_READ_FILE | RIGHT_READ_DIR;
  if (cage->confine) {
    for (size_t at = 0; at < sizeof devices / sizeof *devices; at++)
      if (allow_rights(ruleset, devices[at], all_rights(abi) & ~RIGHT_EXECUTE, 1) != 0) return -1;
    // What is not on this system can't be read anyway.
    for (int at = 0; at < cage->readable.count; at++)
      if (allow_rights(ruleset, cage->readable.at[at], reading, 1) != 0) return -1;
    // Devices are nothing that a program makes.
    for (int at = 0; at < cage->writable.count; at++)
      if (allow_rights(ruleset, cage->writable.at[at], all_rights(abi) & ~(RIGHT_MAKE_CHAR | RIGHT_MAKE_BLOCK | RIGHT_IOCTL_DEV), 0) != 0) return -1;
  }
  if (syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0u) != 0) return complain("landlock", "");
  close(ruleset);
  return 0;
}

// The environment of the program comes with a prefix, so that no name in it (LD_PRELOAD) means anything to those who pass it on.
static void take_environment(const char *prefix) {
  extern char **environ;
  size_t length = strlen(prefix);
  char **kept = environ;
  for (char **entry = environ; *entry != NULL; entry++)
    if (strncmp(*entry, prefix, length) == 0) *kept++ = *entry + length;
  *kept = NULL;
}

// Binds folders where any user can get at them, in a mount namespace of our own: /root is closed to everybody else.
static int stage(const struct cage *cage) {
  if (cage->staged.count == 0) return 0;
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) return complain("can't have mounts of its own", "");
  // What is bound may lie below what is about to be covered.
  int sources[MOST_PATHS];
  for (int at = 0; at < cage->staged.count; at++) {
    sources[at] = open(cage->staged.at[at], O_PATH | O_CLOEXEC);
    if (sources[at] < 0) return complain("can't open", cage->staged.at[at]);
  }
  if (mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64k") != 0) return complain("can't mount on", STAGE);
  for (int at = 0; at < cage->staged.count; at++) {
    char source[64], target[64];
    struct stat stat;
    snprintf(source, sizeof source, "/proc/self/fd/%d", sources[at]);
    snprintf(target, sizeof target, STAGE "/%d", at);
    int is_folder = fstat(sources[at], &stat) == 0 && S_ISDIR(stat.st_mode);
    int made = is_folder ? mkdir(target, 0755) : open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (made < 0 || mount(source, target, NULL, MS_BIND, NULL) != 0) return complain("can't bind", cage->staged.at[at]);
    if (!is_folder) close(made);
    close(sources[at]);
  }
  return 0;
}

static void close_others(int kept) {
  if (syscall(SYS_CLOSE_RANGE, 3u, ~0u, CLOSE_ON_EXEC) != 0)
    for (int fd = 3; fd < 4096; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (kept >= 3) fcntl(kept, F_SETFD, 0);
}

// Forks into the group that the child is to join, where that can be: whoever moves into a group of version 2 waits until no processor
// forks. Where it can't, as in version 1, the child joins by itself. With namespaces the child is the first of them.
static pid_t fork_joined(const struct cage *cage, int *has_joined) {
  char folder[4096];
  // As in clone_args of linux/sched.h.
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } given = {.exit_signal = SIGCHLD};
  *has_joined = 0;
  if (cage->namespaces) given.flags = NEW_NAMESPACES | (cage->network_of_its_own ? CLONE_NEWNET : 0) | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
  int group = -1;
  if (cage->joined.count == 1 && strlen(cage->joined.at[0]) < sizeof folder) {
    strcpy(folder, cage->joined.at[0]);
    char *name = strrchr(folder, '/');
    if (name != NULL) {
      *name = 0;
      group = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
  }
  if (group >= 0) {
    given.flags |= INTO_CGROUP;
    given.cgroup = (uint64_t)group;
    pid_t child = (pid_t)syscall(SYS_CLONE3, &given, sizeof given);
    close(group);
    *has_joined = child >= 0;
    if (child >= 0) return child;
    given.flags &= ~INTO_CGROUP;
    given.cgroup = 0;
  }
  return cage->namespaces ? (pid_t)syscall(SYS_CLONE3, &given, sizeof given) : fork();
}

// All but one, as the start of a program would.
static int close_all(int kept) {
  if (kept > 3 && syscall(SYS_CLOSE_RANGE, 3u, (unsigned)kept - 1, 0u) != 0) return complain("close_range", "");
  return syscall(SYS_CLOSE_RANGE, kept >= 3 ? (unsigned)kept + 1 : 3u, ~0u, 0u) == 0 ? 0 : complain("close_range", "");
}

struct parent {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

// The program ends with its supervisor; the first process of a namespace can't see who that is, but whether somebody waits for what it says.
static int has_supervisor(const struct cage *cage, pid_t supervisor) {
  if (!cage->namespaces) return getppid() == supervisor || supervisor == 1;
  struct pollfd polled = {complaints, POLLOUT, 0};
  return poll(&polled, 1, 0) >= 0 && (polled.revents & POLLERR) == 0;
}

static int cage_main(char **argv);

// In the child; returns when something failed, and said so, or when the supervisor of the cage within is done; STAYS in a program that is
// nothing but who forked us.
static int enter(const struct cage *cage, const struct parent *parent, unsigned long long nproc, const int *streams, int words, int has_joined, char **argv) {
  setsid();
  for (int stream = 0; stream < STREAMS; stream++)
    if (streams[stream] >= 0) dup2(streams[stream], stream);
  for (int at = 0; at < (has_joined ? 0 : cage->joined.count); at++) {
    int fd = open(cage->joined.at[at], O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1) return complain("can't join", cage->joined.at[at]), EXIT_OWN_FAILURE;
    close(fd);
  }
  if (cage->namespaces) {
    // In a user namespace that is not described yet we are nobody.
    if (parent->uid != 0 && map_user(parent->uid, parent->gid) != 0) return EXIT_OWN_FAILURE;
    if (cage->network_of_its_own && raise_loopback() != 0) return complain("loopback", ""), EXIT_OWN_FAILURE;
    if (make_root(&cage->mounts, cage->uid, cage->gid) != 0) return EXIT_OWN_FAILURE;
  }
  if (stage(cage) != 0) return EXIT_OWN_FAILURE;
  if (cage->cwd != NULL && chdir(cage->cwd) != 0) return complain("can't enter", cage->cwd), EXIT_OWN_FAILURE;
  if (become(cage, cage->namespaces && parent->uid == 0) != 0) return EXIT_OWN_FAILURE;
  // After the change of user, which takes it away. Should the supervisor be killed, its program is.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (!has_supervisor(cage, parent->pid)) return errno = ECHILD, complain("lost its supervisor", ""), EXIT_OWN_FAILURE;
  if (set_limits(cage, nproc) != 0) return EXIT_OWN_FAILURE;
  int caged = cage->filter || cage->confine || cage->scope || cage->namespaces;
  if (caged && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return complain("no_new_privs", ""), EXIT_OWN_FAILURE;
  if (cage_landlock(cage) != 0) return EXIT_OWN_FAILURE;
  if (!cage->namespaces && !cage->stays) close_others(cage->pass);
  if (words >= 0) {
    if (complaints == WORD) complaints = fcntl(WORD, F_DUPFD_CLOEXEC, WORD + 1);
    if (dup2(words, WORD) < 0) return complain("pipe", ""), EXIT_OWN_FAILURE;
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (cage->env_prefix != NULL && !cage->stays) take_environment(cage->env_prefix);
  if (cage->filter && filter_self(cage->filter) != 0) return EXIT_OWN_FAILURE;
  if (cage->namespaces) {
    if (close_all(cage->pass) != 0) return EXIT_OWN_FAILURE;
    complaints = 2;
    return cage_main(argv + 1);
  }
  if (cage->stays) {
    // Its own again: what no start of a program does for it.
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (words >= 0) fcntl(WORD, F_SETFD, FD_CLOEXEC);
    return close_all(words >= 0 ? WORD : -1) == 0 ? STAYS : EXIT_OWN_FAILURE;
  }
  execvp(argv[0], argv);
  int missing = errno == ENOENT;
  complain("can't run", argv[0]);
  return missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

// --- The outside ---

// Ends all that is below us, in other sessions too, and waits for it. What was not the program itself is counted.
static int end_tree(pid_t program, int *status, int *has_ended) {
  static pid_t pids[MOST_TASKS];
  unsigned long long deadline = now_ms() + END_WITHIN_MS;
  int strays = 0;
  for (;;) {
    if (getpid() == 1) kill(-1, SIGKILL);
    else {
      int count = descendants(pids, MOST_TASKS);
      struct rlimit none = {0, 0};
      // First none of them can fork any more, then all are ended: else a storm grows as fast as it is put down.
      for (int at = 0; at < count; at++) prlimit(pids[at], RLIMIT_NPROC, &none, NULL);
      for (int at = 0; at < count; at++) kill(pids[at], SIGKILL);
    }
    for (;;) {
      int one;
      pid_t ended = waitpid(-1, &one, WNOHANG);
      if (ended < 0 && errno == ECHILD) return strays;
      if (ended <= 0) break;
      if (ended != program) strays++;
      else if (!*has_ended) *status = one, *has_ended = 1;
    }
    if (now_ms() > deadline) return strays;
    pause_ms(1);
  }
}

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

// Ends all in a namespace of which we are the first, and waits until nobody there does anything any more, which is long before the kernel has
// taken back all memory of theirs. Nobody comes after those who are looked for: who forks is either heard by the signal or forks no more.
// Answers 0 where somebody is still held up in the kernel, with what he asked it for.
static int end_namespace(void) {
  static pid_t pids[MOST_TASKS];
  unsigned long long deadline = now_ms() + LEAVE_WITHIN_MS;
  kill(-1, SIGKILL);
  for (;;) {
    int count = descendants(pids, MOST_TASKS);
    if (count < MOST_TASKS && are_leaving(pids, count)) return 1;
    if (now_ms() >= deadline) return 0;
    struct timespec moment = {0, 50000};
    nanosleep(&moment, NULL);
  }
}

// --- Between two orders of a program that has many ---

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

// Answers how many there were to be heard of.
static int reap(pid_t program, int *status, int *has_ended) {
  int count = 0, one;
  for (pid_t which; (which = waitpid(-1, &one, WNOHANG)) > 0; count++)
    if (which == program) *status = one, *has_ended = 1;
  return count;
}

// Makes the program stand still and ends all else below us: first all are stopped, so that nobody forks while others are looked for, or wakes
// another. Answers how many there were, at least, and -1 where somebody is left. `stands`: the program does, and starts nobody from now on.
static int clear_tree(pid_t program, int *status, int *has_ended, int *stands) {
  static pid_t pids[MOST_TASKS];
  const struct rlimit none = {0, 0};
  const unsigned long long deadline = now_ms() + CLEAR_WITHIN_MS;
  int most = 0, clean = 0;
  for (int looks = 1;; looks++) {
    // In a namespace all hear of it at once, and so does who is just about to be.
    if (getpid() == 1) kill(-1, SIGSTOP);
    else kill(program, SIGSTOP);
    int found = 0, running = 0, reaped = reap(program, status, has_ended);
    *stands = all_threads(program, is_still);
    int count = descendants(pids, MOST_TASKS);
    for (int at = 0; at < count; at++) {
      if (pids[at] == program || all_threads(pids[at], is_leaving)) {
        pids[at] = 0;
        continue;
      }
      found++;
      // Whom it forks meanwhile can't fork either.
      prlimit(pids[at], RLIMIT_NPROC, &none, NULL);
      kill(pids[at], SIGSTOP);
      running += !all_threads(pids[at], is_still);
    }
    if (found > most) most = found;
    // Who waits for a child of his within the kernel does not stand still as long as that one is there.
    for (int at = 0; at < count && (running == 0 || looks % MOST_STILL_LOOKS == 0); at++)
      if (pids[at] != 0) kill(pids[at], SIGKILL);
    reaped += reap(program, status, has_ended);
    if (*has_ended) return most;
    // Twice: one whose parent ended during a look was at neither of the places where it looked.
    clean = found == 0 && reaped == 0 && count < MOST_TASKS ? clean + 1 : 0;
    int is_late = now_ms() > deadline;
    if (clean >= 2 && (*stands || looks >= MOST_STILL_LOOKS || is_late)) return most;
    if (is_late) return -1;
    struct timespec moment = {0, clean == 1 ? 0 : 50000};
    nanosleep(&moment, NULL);
  }
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

// --- Arguments ---

static int take_path(struct paths *paths, const char *path) {
  if (paths->count == MOST_PATHS) return -1;
  paths->at[paths->count++] = path;
  return 0;
}

// Also -1 for what is no number.
static int take_number(unsigned long long *number, const char *text) {
  char *end;
  errno = 0;
  *number = strtoull(text, &end, 10);
  return *text < '0' || *text > '9' || *end != 0 || errno != 0 ? -1 : 0;
}

static int take_mount(struct mounts *mounts, const char *kind, const char *what, const char *where) {
  static const char *const kinds[] = {[MOUNT_READ] = "ro", [MOUNT_READ_IF_THERE] = "try", [MOUNT_WRITE] = "rw", [MOUNT_LINK] = "link", [MOUNT_MEMORY] = "memory"};
  for (size_t at = 0; at < sizeof kinds / sizeof *kinds; at++) {
    if (strcmp(kind, kinds[at]) != 0) continue;
    if (mounts->count == MOST_MOUNTS || where[0] != '/' || where[1] == 0) return -1;
    mounts->at[mounts->count++] = (struct mount_entry){(enum mount_kind)at, what, where};
    return 0;
  }
  return -1;
}

static int cage_main(char **argv) {
  struct cage cage = {.control = -1, .pass = -1, .uid = -1, .gid = -1};
  unsigned long long number;
  for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
    const char *name = *argv;
    int no_kernel = strcmp(name, "--seccomp") == 0;
    if (no_kernel) cage.filter |= NO_KERNEL_SURFACE;
    else if (strcmp(name, "--confine") == 0) cage.confine = 1;
    else if (strcmp(name, "--scope") == 0) cage.scope = 1;
    else if (strcmp(name, "--no-network") == 0) cage.network_refused = 1, cage.filter |= NO_NETWORK;
    else if (strcmp(name, "--no-unix") == 0) cage.filter |= NO_UNIX_SOCKETS;
    else if (strcmp(name, "--no-shm") == 0) cage.filter |= NO_SHARED_MEMORY;
    else if (strcmp(name, "--nproc-of-user") == 0) cage.nproc_of_user = 1;
    else if (strcmp(name, "--no-relay") == 0) cage.no_relay = 1;
    else if (strcmp(name, "--namespaces") == 0) cage.namespaces = 1;
    else if (strcmp(name, "--new-network") == 0) cage.network_of_its_own = 1;
    else if (strcmp(name, "--stay") == 0) cage.stays = 1;
    else if (strcmp(name, "--word") == 0) cage.tells = 1;
    else if (strcmp(name, "--waits") == 0) cage.waits = 1;
    else if (strncmp(name, "--mount-", 8) == 0) {
      const char *what = *++argv, *where = what == NULL ? NULL : *++argv;
      if (where == NULL || take_mount(&cage.mounts, name + 8, what, where) != 0) return usage();
    } else {
      const char *value = *++argv;
      if (value == NULL) return usage();
      struct {
        const char *name;
        struct paths *paths;
        const char **text;
        unsigned long long *number;
      } known[] = {
        {"--ro", &cage.readable, NULL, NULL},       {"--rw", &cage.writable, NULL, NULL},   {"--join", &cage.joined, NULL, NULL},
        {"--stage", &cage.staged, NULL, NULL},      {"--watch", &cage.watched, NULL, NULL}, {"--own", NULL, &cage.own, NULL},
        {"--scratch", NULL, &cage.scratch, NULL},   {"--cwd", NULL, &cage.cwd, NULL},       {"--env-prefix", NULL, &cage.env_prefix, NULL},
        {"--as", NULL, NULL, &cage.as},             {"--fsize", NULL, NULL, &cage.fsize},   {"--nofile", NULL, NULL, &cage.nofile},
        {"--nproc", NULL, NULL, &cage.nproc},       {"--cpu", NULL, NULL, &cage.cpu},       {"--wall", NULL, NULL, &cage.wall},
        {"--cpu-all", NULL, NULL, &cage.cpu_all},   {"--memory", NULL, NULL, &cage.memory}, {"--disk", NULL, NULL, &cage.disk},
        {"--files", NULL, NULL, &cage.files},       {"--tasks", NULL, NULL, &cage.tasks},
      };
      size_t at = 0;
      while (at < sizeof known / sizeof *known && strcmp(known[at].name, name) != 0) at++;
      if (at < sizeof known / sizeof *known) {
        if (known[at].text != NULL) *known[at].text = value;
        else if (known[at].paths != NULL ? take_path(known[at].paths, value) != 0 : take_number(known[at].number, value) != 0) return usage();
      } else {
        if (take_number(&number, value) != 0 || number > 0x7ffffffe) return usage();
        if (strcmp(name, "--uid") == 0) cage.uid = (long)number;
        else if (strcmp(name, "--gid") == 0) cage.gid = (long)number;
        else if (strcmp(name, "--report") == 0) cage.control = (int)number;
        else if (strcmp(name, "--pass") == 0) cage.pass = (int)number;
        else return usage();
      }
    }
  }
  if (*argv == NULL || (argv[1] == NULL && !cage.stays) || (cage.uid >= 0) != (cage.gid >= 0)) return usage();
  // What runs within is a cage, too.
  if (cage.namespaces && strcmp(argv[1], "--cage") != 0) return usage();
  if (cage.control >= 0) fcntl(cage.control, F_SETFD, FD_CLOEXEC);
  return supervise(&cage, argv + 1);
}

// The inside of a cage: what the forked child does to itself before it is the program.
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define CAP_LAST 63
#define CLOSE_ON_EXEC 4u // CLOSE_RANGE_CLOEXEC
#define SYS_CLOSE_RANGE 436
#define SYS_CLONE3 435
#define INTO_CGROUP 0x200000000ull // CLONE_INTO_CGROUP
#define STAGE "/mnt"
// No exit code.
#define STAYS 1000
#define WORD 3

static int set_limit(int which, unsigned long long value, const char *name) {
  struct rlimit limit = {value, value};
  struct rlimit now;
  if (getrlimit(which, &now) == 0 && now.rlim_max != RLIM_INFINITY && now.rlim_max < value) limit.rlim_cur = limit.rlim_max = now.rlim_max;
  return setrlimit(which, &limit) == 0 ? 0 : complain("limit", name);
}

static int set_limits(const struct cage *cage, unsigned long long nproc, unsigned long long fsize) {
  if (set_limit(RLIMIT_CORE, 0, "core") != 0) return -1;
  if (cage->as && set_limit(RLIMIT_AS, cage->as, "as") != 0) return -1;
  if (fsize != RLIM_INFINITY && set_limit(RLIMIT_FSIZE, fsize, "fsize") != 0) return -1;
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

// In the child; returns when something failed, and said so, or when the supervisor of the cage within is done; STAYS in a program that is
// nothing but who forked us.
static int enter(const struct cage *cage, const struct parent *parent, unsigned long long nproc, unsigned long long fsize, const int *streams, int words,
                 int has_joined, char **argv) {
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
  if (set_limits(cage, nproc, fsize) != 0) return EXIT_OWN_FAILURE;
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

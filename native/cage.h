// A cage: the launcher stays as the supervisor of one program and of all that this starts, wherever that goes. Here is what it is told; who
// does it is in the files that are taken in below.
#include <time.h>
#include "namespaces.h"

#define MOST_PATHS 64

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
  unsigned long long as, fsize, nofile, nproc, cpu, wall, cpu_all, memory, disk, hold, files, tasks;
  long uid, gid;
  // All that programs of other cages are, the first and the last one; -1: we know of none.
  long users_from, users_to;
};

// The server that forked us, as it was before; 0 where a program started us.
static pid_t started_by;

static int cage_main(char **argv);

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
#include "tree.h"
#include "folders.h"
#include "inside.h"
#include "ending.h"
#include "supervise.h"

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

// Where memory runs out, the kernel is to end what we start before the sidecar.
static void yield_memory_first(int score) {
  if (score < 0) return;
  (void)!write(score, "1000", 4);
  close(score);
}

static int cage_main(char **argv) {
  // Before anything is forked, and while we may.
  yield_memory_first(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  struct cage cage = {.control = -1, .pass = -1, .uid = -1, .gid = -1, .users_from = -1, .users_to = -1};
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
        {"--hold", NULL, NULL, &cage.hold},         {"--files", NULL, NULL, &cage.files},   {"--tasks", NULL, NULL, &cage.tasks},
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
        else if (strcmp(name, "--users-from") == 0) cage.users_from = (long)number;
        else if (strcmp(name, "--users-to") == 0) cage.users_to = (long)number;
        else if (strcmp(name, "--report") == 0) cage.control = (int)number;
        else if (strcmp(name, "--pass") == 0) cage.pass = (int)number;
        else return usage();
      }
    }
  }
  if (*argv == NULL || (argv[1] == NULL && !cage.stays) || (cage.uid >= 0) != (cage.gid >= 0) || (cage.users_from >= 0) != (cage.users_to >= 0)) return usage();
  // What runs within is a cage, too.
  if (cage.namespaces && strcmp(argv[1], "--cage") != 0) return usage();
  if (cage.control >= 0) fcntl(cage.control, F_SETFD, FD_CLOEXEC);
  return supervise(&cage, argv + 1);
}

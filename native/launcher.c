// Starts a program that can read and run everything this process can, and write nowhere but below the paths it is given. What that
// program starts inherits it, and nobody can take it back. Linux only, without privilege: no_new_privs and landlock.
// Numbers and layouts are the kernel's: https://docs.kernel.org/userspace-api/landlock.html and include/uapi/linux/landlock.h. They are
// written out here so that headers of an old system do.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

// The same on every architecture but alpha.
#define SYS_LANDLOCK_CREATE_RULESET 444
#define SYS_LANDLOCK_ADD_RULE 445
#define SYS_LANDLOCK_RESTRICT_SELF 446
#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define RIGHT_EXECUTE (1ull << 0)
#define RIGHT_WRITE_FILE (1ull << 1)
#define RIGHT_READ_FILE (1ull << 2)
#define RIGHT_READ_DIR (1ull << 3)
#define RIGHT_REMOVE_DIR (1ull << 4)
#define RIGHT_REMOVE_FILE (1ull << 5)
#define RIGHT_MAKE_CHAR (1ull << 6)
#define RIGHT_MAKE_DIR (1ull << 7)
#define RIGHT_MAKE_REG (1ull << 8)
#define RIGHT_MAKE_SOCK (1ull << 9)
#define RIGHT_MAKE_FIFO (1ull << 10)
#define RIGHT_MAKE_BLOCK (1ull << 11)
#define RIGHT_MAKE_SYM (1ull << 12)
#define RIGHT_REFER (1ull << 13)
#define RIGHT_TRUNCATE (1ull << 14)
#define RIGHT_IOCTL_DEV (1ull << 15)
// What a rule for a file may give; the kernel refuses one that gives it the rights of a folder.
#define RIGHTS_OF_FILES (RIGHT_EXECUTE | RIGHT_WRITE_FILE | RIGHT_READ_FILE | RIGHT_TRUNCATE | RIGHT_IOCTL_DEV)

// As env(1) has them.
#define EXIT_OWN_FAILURE 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

// A longer struct is a later ABI's; the kernel takes the first field alone from any caller.
struct ruleset_attr {
  uint64_t handled_access_fs;
};

struct __attribute__((packed)) path_beneath_attr {
  uint64_t allowed_access;
  int32_t parent_fd;
};

// What programs write to as a matter of course, and what keeps nothing.
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"};

// Where failures are told.
static int complaints = 2;

static int complain(const char *what, const char *which) {
  dprintf(complaints, "outrigger-launcher: %s%s%s: %s\n", what, *which ? " " : "", which, strerror(errno));
  return -1;
}

// 0 where the kernel has no landlock, or has it switched off at boot.
static int landlock_abi(void) {
  long abi = syscall(SYS_LANDLOCK_CREATE_RULESET, NULL, (size_t)0, CREATE_RULESET_VERSION);
  return abi < 1 ? 0 : (int)abi;
}

static uint64_t write_rights(int abi) {
  uint64_t rights = RIGHT_WRITE_FILE | RIGHT_REMOVE_DIR | RIGHT_REMOVE_FILE | RIGHT_MAKE_CHAR | RIGHT_MAKE_DIR | RIGHT_MAKE_REG |
                    RIGHT_MAKE_SOCK | RIGHT_MAKE_FIFO | RIGHT_MAKE_BLOCK | RIGHT_MAKE_SYM;
  // ABI 1 refuses every rename and link from one folder to another, whatever the rules say.
  if (abi >= 2) rights |= RIGHT_REFER;
  if (abi >= 3) rights |= RIGHT_TRUNCATE;
  return rights;
}

static uint64_t all_rights(int abi) {
  return write_rights(abi) | RIGHT_EXECUTE | RIGHT_READ_FILE | RIGHT_READ_DIR | (abi >= 5 ? RIGHT_IOCTL_DEV : 0);
}

static int new_ruleset(int abi) {
  struct ruleset_attr attr = {write_rights(abi)};
  int ruleset = (int)syscall(SYS_LANDLOCK_CREATE_RULESET, &attr, sizeof attr, 0u);
  return ruleset < 0 ? complain("landlock ruleset", "") : ruleset;
}

// Gives rights below a folder, or to one file. With `optional`, what is not there is left out.
static int allow_rights(int ruleset, const char *path, uint64_t rights, int optional) {
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return optional ? 0 : complain("can't open", path);
  struct stat stat;
  struct path_beneath_attr attr = {rights, fd};
  int result = fstat(fd, &stat);
  if (result == 0 && !S_ISDIR(stat.st_mode)) attr.allowed_access &= RIGHTS_OF_FILES;
  if (result == 0) result = (int)syscall(SYS_LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, &attr, 0u);
  if (result != 0) complain("landlock rule for", path);
  close(fd);
  return result;
}

// Lets writing through.
static int allow(int ruleset, int abi, const char *path, int optional) {
  return allow_rights(ruleset, path, write_rights(abi), optional);
}

static int restrict_self(int ruleset) {
  // Without it the kernel refuses the next call, as a program with the set-user-ID bit could be misled.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return complain("no_new_privs", "");
  if (syscall(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0u) != 0) return complain("landlock", "");
  close(ruleset);
  return 0;
}

// Makes a folder and those above it, for this user alone. A folder that can't be made is nothing to complain of here: it is not
// opened for writing then, and the program that wants it says so in its own words.
static void make_folder(const char *path) {
  char part[4096];
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof part) return;
  memcpy(part, path, length + 1);
  for (size_t at = 1; at <= length; at++) {
    if (part[at] != '/' && part[at] != 0) continue;
    char kept = part[at];
    part[at] = 0;
    if (mkdir(part, 0700) != 0 && errno != EEXIST) return;
    part[at] = kept;
  }
}

// In a child, as nobody gets out of it again: with no path let through, not even /dev/null may be opened for writing. It lies in
// every container, every user may write it, and the attempt leaves nothing behind.
static int is_enforced(int abi) {
  int before = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (before < 0) return 0;
  close(before);
  pid_t child = fork();
  if (child < 0) return 0;
  if (child == 0) {
    int ruleset = new_ruleset(abi);
    if (ruleset < 0 || restrict_self(ruleset) != 0) _exit(1);
    int refused = open("/dev/null", O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES;
    int readable = open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
    _exit(refused && readable ? 0 : 1);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int probe(void) {
  int abi = landlock_abi();
  int enforced = abi > 0 && is_enforced(abi);
  return dprintf(1, "{\"landlock\": %d, \"enforced\": %s}\n", abi, enforced ? "true" : "false") < 0 ? EXIT_OWN_FAILURE : 0;
}

static int usage(void) {
  dprintf(2, "usage: outrigger-launcher [--rw PATH]... [--make FOLDER]... -- program [argument]...\n"
             "       outrigger-launcher --cage [option]... -- program [argument]...\n"
             "       outrigger-launcher --serve\n"
             "       outrigger-launcher --try [what=where]...\n"
             "       outrigger-launcher --listen NAME\n"
             "       outrigger-launcher --probe\n");
  return EXIT_OWN_FAILURE;
}

// After what they use.
#include "seccomp.h"
#include "cage.h"
#include "try.h"
#include "serve.h"

#ifdef LIBRARY
// The fork server, in the interpreter that loaded it. Comes back in the programs of cages alone, each of which is that interpreter.
void outrigger_serve(void) {
  int result = serve(0);
  if (result != STAYS) _exit(result);
}
#else
int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--cage") == 0) return cage_main(argv + 2);
  if (argc > 1 && strcmp(argv[1], "--try") == 0) return try_main(argv + 2);
  if (argc == 2 && strcmp(argv[1], "--serve") == 0) return serve(1);
  if (argc == 3 && strcmp(argv[1], "--listen") == 0) return listen_main(argv[2]);
  int program = 1;
  int probing = 0;
  // Nothing is made before all of it is understood.
  for (; program < argc && strcmp(argv[program], "--") != 0; program++) {
    if (strcmp(argv[program], "--probe") == 0) probing = 1;
    else if (strcmp(argv[program], "--rw") != 0 && strcmp(argv[program], "--make") != 0) return usage();
    else if (++program == argc) return usage();
  }
  if (probing) return probe();
  if (program + 1 >= argc) return usage();

  int abi = landlock_abi();
  if (abi == 0) {
    dprintf(2, "outrigger-launcher: this kernel has no landlock, or has it switched off\n");
    return EXIT_OWN_FAILURE;
  }
  int ruleset = new_ruleset(abi);
  if (ruleset < 0) return EXIT_OWN_FAILURE;
  for (size_t at = 0; at < sizeof devices / sizeof *devices; at++)
    if (allow(ruleset, abi, devices[at], 1) != 0) return EXIT_OWN_FAILURE;
  for (int at = 1; at < program; at += 2) {
    int make = strcmp(argv[at], "--make") == 0;
    if (make) make_folder(argv[at + 1]);
    if (allow(ruleset, abi, argv[at + 1], make) != 0) return EXIT_OWN_FAILURE;
  }
  if (restrict_self(ruleset) != 0) return EXIT_OWN_FAILURE;
  execvp(argv[program + 1], argv + program + 1);
  int missing = errno == ENOENT;
  complain("can't run", argv[program + 1]);
  return missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
#endif

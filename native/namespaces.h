// The namespaces of the highest rung, made by the launcher itself: a file system of its own with nothing in it but what was named, and no other
// process in sight. The calls are those of Linux 5.12 (mount_setattr); an older kernel says so, and whoever asked takes bubblewrap.
// https://man7.org/linux/man-pages/man2/mount_setattr.2.html and https://man7.org/linux/man-pages/man7/user_namespaces.7.html
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#define SYS_OPEN_TREE 428
#define SYS_MOVE_MOUNT 429
#define SYS_MOUNT_SETATTR 442
#define TREE_CLONE 1u            // OPEN_TREE_CLONE
#define TREE_RECURSIVE 0x8000u   // AT_RECURSIVE
#define TREE_CLOSE_ON_EXEC 02000000u // OPEN_TREE_CLOEXEC
#define FROM_EMPTY_PATH 4u       // MOVE_MOUNT_F_EMPTY_PATH
#define MOUNT_READ_ONLY 1ull     // MOUNT_ATTR_RDONLY, and so on
#define MOUNT_NO_SETUID 2ull
#define MOUNT_NO_DEVICES 4ull
#define MOUNT_NO_EXECUTE 8ull
#define NEW_NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
// Covered with the new root for a moment; every system has it.
#define BASE "/tmp"
#define HOST_NAME "run"
#define MOST_MOUNTS 160

enum mount_kind { MOUNT_READ, MOUNT_READ_IF_THERE, MOUNT_WRITE, MOUNT_LINK, MOUNT_MEMORY };

struct mount_entry {
  enum mount_kind kind;
  // A path, what a link says, or the size of a file system in memory, in bytes; '' for no limit.
  const char *what;
  const char *where;
};

struct mounts {
  int count;
  struct mount_entry at[MOST_MOUNTS];
};

// As in linux/mount.h.
struct mount_attributes {
  uint64_t set, clear, propagation, user_namespace;
};

static const char *const seen_devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
// What root may write in /proc though it has no capability, as it is the owner.
static const char *const kernel_settings[] = {"proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus"};

static int change_mount(int fd, const char *path, unsigned flags, uint64_t set) {
  struct mount_attributes attributes = {set, 0, MS_PRIVATE, 0};
  return (int)syscall(SYS_MOUNT_SETATTR, fd, path, flags, &attributes, sizeof attributes);
}

// A copy of what is mounted at and below a path, mounted nowhere yet; -1 with errno.
static int copy_tree(const char *path, uint64_t set) {
  int tree = (int)syscall(SYS_OPEN_TREE, AT_FDCWD, path, TREE_CLONE | TREE_CLOSE_ON_EXEC | TREE_RECURSIVE);
  if (tree < 0) return -1;
  if (change_mount(tree, "", AT_EMPTY_PATH | TREE_RECURSIVE, set) == 0) return tree;
  int error = errno;
  close(tree);
  errno = error;
  return -1;
}

// Makes the folders above a relative path.
static int make_above(const char *path) {
  char part[4096];
  size_t length = strlen(path);
  if (length >= sizeof part) return errno = ENAMETOOLONG, -1;
  memcpy(part, path, length + 1);
  for (char *at = part; *at != 0; at++) {
    if (*at != '/') continue;
    *at = 0;
    if (mkdir(part, 0755) != 0 && errno != EEXIST) return -1;
    *at = '/';
  }
  return 0;
}

// Makes what something is mounted on, where it is not there yet.
static int make_place(const char *path, int is_folder) {
  if (make_above(path) != 0) return -1;
  if (is_folder) return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -1;
  int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  return file >= 0 ? close(file) : errno == EEXIST ? 0 : -1;
}

// Takes the tree.
static int put_tree(int tree, const char *where) {
  struct stat stat;
  int result = fstat(tree, &stat);
  if (result == 0) result = make_place(where, S_ISDIR(stat.st_mode));
  if (result == 0) result = (int)syscall(SYS_MOVE_MOUNT, tree, "", AT_FDCWD, where, FROM_EMPTY_PATH);
  int error = errno;
  close(tree);
  errno = error;
  return result;
}

static int make_proc(int covers) {
  if (mkdir("proc", 0755) != 0 || mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) return -1;
  for (size_t at = 0; covers && at < sizeof kernel_settings / sizeof *kernel_settings; at++) {
    if (access(kernel_settings[at], F_OK) != 0) continue;
    int tree = copy_tree(kernel_settings[at], MOUNT_READ_ONLY | MOUNT_NO_SETUID | MOUNT_NO_DEVICES | MOUNT_NO_EXECUTE);
    if (tree < 0 || syscall(SYS_MOVE_MOUNT, tree, "", AT_FDCWD, kernel_settings[at], FROM_EMPTY_PATH) != 0) return -1;
    close(tree);
  }
  return 0;
}

// `trees`: of seen_devices; -1 for one that is not there.
static int make_dev(const int *trees) {
  if (mkdir("dev", 0755) != 0 || mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") != 0) return -1;
  for (size_t at = 0; at < sizeof seen_devices / sizeof *seen_devices; at++) {
    char where[32];
    snprintf(where, sizeof where, "dev/%s", seen_devices[at]);
    if (trees[at] >= 0 && put_tree(trees[at], where) != 0) return -1;
  }
  if (symlink("/proc/self/fd", "dev/fd") != 0 || symlink("/proc/self/fd/0", "dev/stdin") != 0 || symlink("/proc/self/fd/1", "dev/stdout") != 0 ||
      symlink("/proc/self/fd/2", "dev/stderr") != 0 || symlink("pts/ptmx", "dev/ptmx") != 0)
    return -1;
  if (mkdir("dev/shm", 0755) != 0 || mkdir("dev/pts", 0755) != 0) return -1;
  return mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620");
}

static int make_memory(const struct mount_entry *entry, long uid, long gid) {
  char options[128] = "mode=755";
  size_t length = strlen(options);
  if (*entry->what != 0) length += (size_t)snprintf(options + length, sizeof options - length, ",size=%.20s", entry->what);
  if (uid >= 0) snprintf(options + length, sizeof options - length, ",uid=%ld,gid=%ld", uid, gid);
  if (make_place(entry->where + 1, 1) != 0) return -1;
  return mount("tmpfs", entry->where + 1, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = write(fd, text, strlen(text));
  int error = errno;
  close(fd);
  errno = error;
  return length < 0 ? -1 : 0;
}

// Somebody without privilege stays who they are, in a user namespace of which they are the only one.
static int map_user(uid_t uid, gid_t gid) {
  char line[64];
  // /proc belongs to root for those who can't be dumped, as the supervisor is.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  snprintf(line, sizeof line, "%u %u 1", (unsigned)uid, (unsigned)uid);
  int result = write_file("/proc/self/uid_map", line);
  if (result == 0 && write_file("/proc/self/setgroups", "deny") != 0 && errno != ENOENT) result = -1;
  snprintf(line, sizeof line, "%u %u 1", (unsigned)gid, (unsigned)gid);
  if (result == 0) result = write_file("/proc/self/gid_map", line);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return result == 0 ? 0 : complain("can't map the user", "");
}

static int raise_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strcpy(request.ifr_name, "lo");
  int result = ioctl(fd, SIOCGIFFLAGS, &request);
  request.ifr_flags |= IFF_UP;
  if (result == 0) result = ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
  return result;
}

// In the first process of the namespaces: what is named becomes all that there is. `uid`, `gid`: whose the files in memory are; -1: ours.
static int make_root(const struct mounts *mounts, long uid, long gid) {
  int trees[MOST_MOUNTS], devices_there[sizeof seen_devices / sizeof *seen_devices];
  if (sethostname(HOST_NAME, strlen(HOST_NAME)) != 0) return complain("host name", "");
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) return complain("can't have mounts of its own", "");
  // What is named may lie below what is about to be covered.
  for (int at = 0; at < mounts->count; at++) {
    const struct mount_entry *entry = &mounts->at[at];
    trees[at] = -1;
    if (entry->kind == MOUNT_LINK || entry->kind == MOUNT_MEMORY) continue;
    trees[at] = copy_tree(entry->what, (entry->kind == MOUNT_WRITE ? 0 : MOUNT_READ_ONLY) | MOUNT_NO_SETUID | MOUNT_NO_DEVICES);
    if (trees[at] < 0 && (entry->kind != MOUNT_READ_IF_THERE || errno != ENOENT)) return complain("can't copy the mount of", entry->what);
  }
  for (size_t at = 0; at < sizeof seen_devices / sizeof *seen_devices; at++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", seen_devices[at]);
    devices_there[at] = copy_tree(path, MOUNT_NO_SETUID | MOUNT_NO_EXECUTE);
    if (devices_there[at] < 0 && errno != ENOENT) return complain("can't copy the mount of", path);
  }
  if (mount("tmpfs", BASE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m") != 0 || chdir(BASE) != 0) return complain("can't mount on", BASE);
  if (make_proc(uid < 0 && geteuid() == 0) != 0) return complain("can't mount", "/proc");
  if (make_dev(devices_there) != 0) return complain("can't make", "/dev");
  for (int at = 0; at < mounts->count; at++) {
    const struct mount_entry *entry = &mounts->at[at];
    int result = 0;
    if (entry->kind == MOUNT_MEMORY) result = make_memory(entry, uid, gid);
    else if (trees[at] >= 0) result = put_tree(trees[at], entry->where + 1);
    if (result != 0) return complain("can't mount on", entry->where);
  }
  // At last: until we are there, they lead to what is outside.
  for (int at = 0; at < mounts->count; at++) {
    const struct mount_entry *entry = &mounts->at[at];
    if (entry->kind == MOUNT_LINK && (make_above(entry->where + 1) != 0 || symlink(entry->what, entry->where + 1) != 0))
      return complain("can't link", entry->where);
  }
  // Their room is not limited.
  if (change_mount(AT_FDCWD, "dev", 0, MOUNT_READ_ONLY) != 0 || change_mount(AT_FDCWD, ".", 0, MOUNT_READ_ONLY) != 0) return complain("read-only", "");
  if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return complain("pivot_root", "");
  return 0;
}

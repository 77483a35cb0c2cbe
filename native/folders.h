// Folders that a program leaves behind, with whatever is in them: how much that is, whose, and how all of it goes.
#include <dirent.h>

#define DEEPEST 100

// `held`: bytes of the first folder alone. `deep`: folders that were not looked into, as they lie deeper than that.
struct size {
  unsigned long long bytes, files, held, deep;
};

// Takes the descriptor. Ends early when it is clear that it is too much.
static void measure(int fd, int depth, struct size *size, const struct size *most) {
  DIR *folder = fdopendir(fd);
  if (folder == NULL) {
    close(fd);
    return;
  }
  if (depth > DEEPEST) size->deep++;
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
  struct size size = {0, 0, 0, 0};
  for (int at = 0; at < paths->count; at++) {
    int fd = open(paths->at[at], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) measure(fd, 0, &size, &most);
    if (at == 0) size.held = size.bytes;
  }
  return size;
}

// Both ends are of them.
struct users {
  uid_t from, to;
};
static const struct users nobody = {1, 0};

struct owners {
  // `to`: (uid_t)-1: whose they are is left as it is.
  uid_t from, to;
  // Whose they may be just as well.
  struct users also;
  gid_t group;
  // What the owner can't open is opened, and no program gets its owner's rights by its mode.
  int tidy;
};

static int is_user_of(const struct users *users, uid_t user) { return user >= users->from && user <= users->to; }

static int are_to_change(const struct owners *owners, uid_t owner) {
  return owners->to != (uid_t)-1 && owner != owners->to && (owner == owners->from || is_user_of(&owners->also, owner));
}

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

// Takes the descriptor. Only what belongs to those of `owners`: a hard link to somebody else's file stays somebody else's.
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
    if (are_to_change(owners, stat.st_uid) && (is_folder || stat.st_nlink == 1))
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
  if (fstat(held, &stat) == 0 && are_to_change(owners, stat.st_uid)) (void)!fchown(held, owners->to, owners->group);
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

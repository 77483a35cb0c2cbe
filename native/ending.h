// How all that runs below a supervisor is ended: with the program, or but for the program, between two of its orders.
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#define END_WITHIN_MS 5000
#define LEAVE_WITHIN_MS 20
#define CLEAR_WITHIN_MS 2000
// Looks at those who do not come to stand still before they are ended all the same.
#define MOST_STILL_LOOKS 40

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
